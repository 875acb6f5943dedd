//! The parsing part of the submit function, separate from the rest so that tests can feed it any input.

pub mod trigger;
