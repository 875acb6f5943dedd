//! What the submit function reads, apart from what it does: so that tests can feed it anything.

pub mod trigger;
