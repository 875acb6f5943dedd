//! Submitting jobs by request and by event, each once however often it is sent.

mod asked;
mod check;
mod error;
mod events;
mod idempotency_store;
mod once;
mod relaunch;
mod submitter;

pub use self::error::*;
pub use self::events::*;
pub use self::idempotency_store::*;
pub use self::once::*;
pub use self::relaunch::*;
pub use self::submitter::*;
