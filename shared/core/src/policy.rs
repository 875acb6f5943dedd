//! What the operator of a deployment allows.

mod quotas;
mod rules;

pub use self::quotas::*;
pub use self::rules::*;
