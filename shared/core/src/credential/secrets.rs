//! The port to a job's secrets, wherever they are stored.

use async_trait::async_trait;

use super::cloud::CloudRef;
use super::kind::CredentialKind;
use super::reference::CredentialRef;
use super::value::Credential;
use crate::base::id::Tenant;
use crate::base::secret::Secret;
use crate::base::store_error::BoxError;

/// Why a credential cannot be obtained, in words for the user; never contains the secret.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct SecretError {
    /// Which credential, and what is wrong with it.
    pub message: String,
    /// The cause, for the log.
    #[source]
    pub source: Option<BoxError>,
}

impl SecretError {
    /// Makes an error without a cause.
    #[must_use]
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            source: None,
        }
    }

    /// Makes an error with its cause.
    #[must_use]
    pub fn caused(message: impl Into<String>, source: impl Into<BoxError>) -> Self {
        Self {
            message: message.into(),
            source: Some(source.into()),
        }
    }
}

/// Fetches secrets for a job that a worker is about to run, wherever they are stored.
#[async_trait]
pub trait Secrets: Send + Sync {
    /// Returns the credential that a request names. It has one of the kinds that its place in the request accepts.
    async fn resolve(
        &self,
        tenant: &Tenant,
        reference: &CredentialRef,
        kinds: &[CredentialKind],
    ) -> Result<Credential, SecretError>;

    /// Returns keys for a cloud: a credential's own keys, or temporary keys for the role to assume. `session` names the session in
    /// the cloud's own records.
    async fn cloud(&self, tenant: &Tenant, cloud: &CloudRef, session: &str) -> Result<AwsKeys, SecretError>;

    /// Returns the worker's own keys for AWS. They are only for what the operator himself has set up, never for what a request names.
    async fn own_cloud(&self) -> Result<AwsKeys, SecretError> {
        Err(SecretError::new("The worker has no identity of its own in AWS."))
    }
}

/// Keys for AWS, as they are written to a profile.
#[derive(Clone, Debug)]
pub struct AwsKeys {
    /// The id of the access key.
    pub access_key_id: String,
    /// The access key.
    pub secret_access_key: Secret,
    /// The token of temporary keys.
    pub session_token: Option<Secret>,
    /// The default region.
    pub region: Option<String>,
}
