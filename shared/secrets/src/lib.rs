//! Fetches the secrets of a job from the place that holds them: Callboard's own store, HashiCorp Vault, AWS Secrets
//! Manager or AWS Systems Manager. Only workers use this, right before a job runs.
//!
//! An error says which secret failed and why, never what the secret contains.

mod aws;
mod call;
mod cloud;
mod external;
mod fault;
mod identity;
mod pick;
mod resolver;
mod vault;

pub use aws::Endpoints;
pub use identity::{Environment, OwnIdentity};
pub use resolver::{Resolver, Settings};
