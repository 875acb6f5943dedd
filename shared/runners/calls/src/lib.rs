//! What holds for calls of services, however they are executed: a service that is down is left alone for a while, and another operation
//! may stand in for one that fails.

mod breakers;
mod caller;

pub use breakers::Breakers;
pub use caller::Calls;
