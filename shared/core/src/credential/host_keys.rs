//! Host keys that jobs have accepted.

use async_trait::async_trait;

use super::known_hosts::HostKey;
use crate::base::id::Tenant;
use crate::base::store_error::StoreError;

/// Stores the host keys that jobs have accepted, one per host, for the tenant's later jobs.
#[async_trait]
pub trait HostKeyStore: Send + Sync {
    /// Returns every stored key, by host.
    async fn load(&self, tenant: &Tenant) -> Result<Vec<HostKey>, StoreError>;

    /// Stores keys. A host that already has a key keeps it, even if several callers store keys at the same time: a later job must
    /// see the first key again.
    async fn keep(&self, tenant: &Tenant, keys: &[HostKey]) -> Result<(), StoreError>;

    /// Forgets a host's key; `NotFound` if it has none.
    async fn forget(&self, tenant: &Tenant, host: &str) -> Result<(), StoreError>;

    /// Returns how an operator makes Callboard forget a host's key, as the end of a sentence that begins with "forget it:".
    fn how_to_forget(&self, tenant: &Tenant, host: &str) -> String;
}
