//! What the operator of a deployment allows.

mod rules;

pub use self::rules::*;
