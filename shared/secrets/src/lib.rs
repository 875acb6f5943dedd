//! Gets at the secrets of a job, wherever they are kept: Callboard's own store, HashiCorp Vault, AWS Secrets Manager and
//! AWS Systems Manager. Only workers use this, right before a job runs.
//!
//! What fails says which secret it was and what is wrong, never what is in it.

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
