//! The port to the credentials that Callboard stores.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::kind::CredentialKind;
use super::value::Credential;
use crate::base::id::Tenant;
use crate::base::store_error::StoreError;
use crate::base::time::Timestamp;

/// A credential without its value.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
pub struct CredentialSummary {
    /// The name of the credential.
    pub name: String,
    /// The kind of the credential.
    pub kind: CredentialKind,
    /// When the credential was created.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When the value was last changed.
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Timestamp,
}

/// One page of a tenant's credentials.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CredentialPage {
    /// The summaries, in order of name.
    pub credentials: Vec<CredentialSummary>,
    /// Whether more follow.
    pub has_more: bool,
}

impl CredentialPage {
    /// Makes a page of at most `limit` of the given credentials, which follow the page's start.
    #[must_use]
    pub fn new(mut following: Vec<CredentialSummary>, limit: u32) -> Self {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let has_more = following.len() > limit;
        following.truncate(limit);
        Self {
            credentials: following,
            has_more,
        }
    }
}

/// Stores credentials. Their values leave the store only through [`CredentialStore::get`], which only workers call.
#[async_trait]
pub trait CredentialStore: Send + Sync {
    /// Adds a credential; `Conflict` if the tenant already has one with that name.
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

    /// Returns a credential's content; `NotFound` if there is none.
    async fn get(&self, tenant: &Tenant, name: &str) -> Result<Credential, StoreError>;

    /// Returns a credential's summary; `NotFound` if there is none.
    async fn describe(&self, tenant: &Tenant, name: &str) -> Result<CredentialSummary, StoreError>;

    /// Returns the summaries of a tenant's credentials in order of name: at most `limit` of those after the name `after`.
    async fn list(&self, tenant: &Tenant, after: Option<&str>, limit: u32) -> Result<CredentialPage, StoreError>;

    /// Forgets a credential; `NotFound` if there is none.
    async fn remove(&self, tenant: &Tenant, name: &str) -> Result<(), StoreError>;
}
