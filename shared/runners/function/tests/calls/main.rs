//! Calls of functions, each with what came of it, what is kept, and what the cloud saw.

mod emulator;
mod google;
mod lambda;
mod world;
