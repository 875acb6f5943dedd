//! The port to the secrets of a job, wherever they are kept.

use async_trait::async_trait;

use super::cloud::CloudRef;
use super::kind::CredentialKind;
use super::reference::CredentialRef;
use super::value::Credential;
use crate::base::id::Tenant;
use crate::base::secret::Secret;
use crate::base::store_error::BoxError;

/// Why a credential cannot be had, in words for the person who asks why; never the secret.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct SecretError {
    /// Which credential, and what is wrong with it.
    pub message: String,
    /// What lies under it, for the log.
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

/// Gets at secrets for a job that a worker is about to run, wherever they are kept.
#[async_trait]
pub trait Secrets: Send + Sync {
    /// Returns a credential that a request names, of the kind that its place needs.
    async fn resolve(
        &self,
        tenant: &Tenant,
        reference: &CredentialRef,
        kinds: &[CredentialKind],
    ) -> Result<Credential, SecretError>;

    /// Returns keys for a cloud: those of a credential, or temporary ones of the role that is to be assumed. `session` names
    /// the session in the cloud's own records.
    async fn cloud(&self, tenant: &Tenant, cloud: &CloudRef, session: &str) -> Result<AwsKeys, SecretError>;
}

/// Keys for AWS, as they go into a profile.
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
