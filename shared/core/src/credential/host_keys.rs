//! Host keys that jobs have accepted.

use async_trait::async_trait;

use super::known_hosts::HostKey;
use crate::base::id::Tenant;
use crate::base::store_error::StoreError;

/// Keeps the keys of hosts that jobs have accepted, one a host, for the tenant's later jobs.
#[async_trait]
pub trait HostKeyStore: Send + Sync {
    /// Returns every key that is kept, by host.
    async fn load(&self, tenant: &Tenant) -> Result<Vec<HostKey>, StoreError>;

    /// Keeps keys. A host that has one keeps that, whoever else keeps keys at the same time: the first is the one that a later
    /// job must meet again.
    async fn keep(&self, tenant: &Tenant, keys: &[HostKey]) -> Result<(), StoreError>;

    /// Forgets a host's key; `NotFound` if it has none.
    async fn forget(&self, tenant: &Tenant, host: &str) -> Result<(), StoreError>;

    /// Says how an operator has a host's key forgotten, as the end of a sentence that begins with "forget it:".
    fn how_to_forget(&self, tenant: &Tenant, host: &str) -> String;
}
