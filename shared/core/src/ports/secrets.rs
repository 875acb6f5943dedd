//! Secrets: where credentials are kept, and how a worker gets at what a job names.

use async_trait::async_trait;

use super::{Source, StoreError};
use crate::access::CloudRef;
use crate::credential::{Credential, CredentialKind, CredentialPage, CredentialSummary};
use crate::id::Tenant;
use crate::reference::CredentialRef;
use crate::secret::Secret;
use crate::time::Timestamp;

/// Keeps credentials. Their values leave it only through [`CredentialStore::get`], which only workers call.
#[async_trait]
pub trait CredentialStore: Send + Sync {
    /// Adds a credential; `Conflict` if the tenant has one of that name.
    async fn create(
        &self,
        tenant: &Tenant,
        name: &str,
        credential: &Credential,
        now: Timestamp,
    ) -> Result<CredentialSummary, StoreError>;

    /// Replaces the value of a credential; `NotFound` if there is none, `Conflict` if it is of another kind.
    async fn rotate(
        &self,
        tenant: &Tenant,
        name: &str,
        credential: &Credential,
        now: Timestamp,
    ) -> Result<CredentialSummary, StoreError>;

    /// Returns what a credential holds; `NotFound` if there is none.
    async fn get(&self, tenant: &Tenant, name: &str) -> Result<Credential, StoreError>;

    /// Returns what may be shown of a credential; `NotFound` if there is none.
    async fn describe(&self, tenant: &Tenant, name: &str) -> Result<CredentialSummary, StoreError>;

    /// Returns what may be shown of a tenant's credentials, by name: at most `limit` of those behind a name.
    async fn list(&self, tenant: &Tenant, after: Option<&str>, limit: u32) -> Result<CredentialPage, StoreError>;

    /// Forgets a credential; `NotFound` if there is none.
    async fn remove(&self, tenant: &Tenant, name: &str) -> Result<(), StoreError>;
}

/// Why a credential cannot be had, in words for the person who asks why; never the secret.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct SecretError {
    /// Which credential, and what is wrong with it.
    pub message: String,
    /// What lies under it, for the log.
    #[source]
    pub source: Option<Source>,
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
    pub fn caused(message: impl Into<String>, source: impl Into<Source>) -> Self {
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
