//! The port to API keys.

use async_trait::async_trait;

use super::key::{ApiKey, Former, KeyKind};
use super::presented::{KeyId, SecretHash};
use crate::base::id::Tenant;
use crate::base::store_error::StoreError;
use crate::base::time::Timestamp;

/// One page of keys.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct KeyPage {
    /// The keys, in order of id.
    pub keys: Vec<ApiKey>,
    /// Whether more follow.
    pub has_more: bool,
}

impl KeyPage {
    /// Makes a page of at most `limit` of the given keys, which follow the page's start.
    #[must_use]
    pub fn new(mut following: Vec<ApiKey>, limit: u32) -> Self {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let has_more = following.len() > limit;
        following.truncate(limit);
        Self {
            keys: following,
            has_more,
        }
    }
}

/// Stores API keys; of their secrets, only hashes. Keys stay; sessions are removed some time after their end.
#[async_trait]
pub trait KeyStore: Send + Sync {
    /// Adds a key; `Conflict` if there is one with its id.
    async fn create(&self, key: &ApiKey) -> Result<(), StoreError>;

    /// Returns a key, whosever it is; `NotFound` if there is none. What was written before is seen.
    async fn get(&self, id: &KeyId) -> Result<ApiKey, StoreError>;

    /// Returns the keys of a tenant that are of a kind, in order of id: at most `limit` of those after the id `after`.
    async fn list(
        &self,
        tenant: &Tenant,
        kind: KeyKind,
        after: Option<&KeyId>,
        limit: u32,
    ) -> Result<KeyPage, StoreError>;

    /// Replaces a key's secret, and keeps the former one as is said; `NotFound` if there is no such key, `Conflict` if it is revoked, or
    /// its secret is not `from`, if that is given.
    async fn rotate(
        &self,
        id: &KeyId,
        from: Option<SecretHash>,
        hash: SecretHash,
        former: Option<Former>,
    ) -> Result<ApiKey, StoreError>;

    /// Revokes a key; `NotFound` if there is none. One that is revoked keeps the time when it was.
    async fn revoke(&self, id: &KeyId, now: Timestamp) -> Result<ApiKey, StoreError>;

    /// Notes that a key was used; `NotFound` if there is none. An earlier use than the last one changes nothing.
    async fn used(&self, id: &KeyId, at: Timestamp) -> Result<(), StoreError>;

    /// Returns whether there is no key of any tenant, in force or not. Sessions do not count.
    async fn is_empty(&self) -> Result<bool, StoreError>;
}
