//! Containers in a real engine, each with what came of it, what is kept, and what it could not do.

mod calls;
mod contract;
mod engines;
mod escapes;
mod world;
