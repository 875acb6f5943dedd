//! The worker's own identity in AWS.

use std::env;

use async_trait::async_trait;
use callboard_core::base::secret::Secret;
use callboard_core::credential::{AwsKeys, SecretError};

/// Provides the worker's own keys for AWS. They are used only for what the policy lists, and for the services that the operator has
/// registered to be called with them.
#[async_trait]
pub trait OwnIdentity: Send + Sync {
    /// Returns the keys.
    ///
    /// # Errors
    /// The worker has no keys, or they cannot be obtained now.
    async fn keys(&self) -> Result<AwsKeys, SecretError>;

    /// Returns the region that the worker is in, if it is known.
    fn region(&self) -> Option<String>;
}

/// The identity in the variables that AWS's programs use and that Lambda sets: `AWS_ACCESS_KEY_ID`,
/// `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN`, `AWS_REGION`. They are read at each use.
#[derive(Clone, Copy, Debug, Default)]
pub struct Environment;

#[async_trait]
impl OwnIdentity for Environment {
    async fn keys(&self) -> Result<AwsKeys, SecretError> {
        let missing =
            "The worker has no identity of its own in AWS: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not set.";
        let keys = variable("AWS_ACCESS_KEY_ID").zip(variable("AWS_SECRET_ACCESS_KEY"));
        let (access_key_id, secret) = keys.ok_or_else(|| SecretError::new(missing))?;
        Ok(AwsKeys {
            access_key_id,
            secret_access_key: Secret::new(secret),
            session_token: variable("AWS_SESSION_TOKEN").map(Secret::new),
            region: self.region(),
        })
    }

    fn region(&self) -> Option<String> {
        variable("AWS_REGION").or_else(|| variable("AWS_DEFAULT_REGION"))
    }
}

fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}
