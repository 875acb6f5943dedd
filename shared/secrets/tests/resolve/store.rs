//! A store of credentials in memory.

use std::collections::BTreeMap;

use async_trait::async_trait;
use callboard_core::base::id::Tenant;
use callboard_core::base::store_error::StoreError;
use callboard_core::base::time::Timestamp;
use callboard_core::credential::{Credential, CredentialPage, CredentialStore, CredentialSummary};

/// Holds the credentials of the default tenant; one of the name `unreadable` cannot be had.
#[derive(Default)]
pub(crate) struct Store(BTreeMap<String, Credential>);

impl Store {
    pub(crate) fn add(&mut self, name: &str, credential: Credential) {
        self.0.insert(name.to_owned(), credential);
    }
}

#[async_trait]
impl CredentialStore for Store {
    async fn get(&self, tenant: &Tenant, name: &str) -> Result<Credential, StoreError> {
        if name == "unreadable" {
            return Err(StoreError::Unavailable("the disk is gone".into()));
        }
        let found = self.0.get(name).filter(|_| *tenant == Tenant::default());
        found.cloned().ok_or(StoreError::NotFound)
    }

    async fn create(
        &self,
        _tenant: &Tenant,
        _name: &str,
        _credential: &Credential,
        _now: Timestamp,
    ) -> Result<CredentialSummary, StoreError> {
        Err(StoreError::Conflict)
    }

    async fn rotate(
        &self,
        _tenant: &Tenant,
        _name: &str,
        _credential: &Credential,
        _now: Timestamp,
    ) -> Result<CredentialSummary, StoreError> {
        Err(StoreError::Conflict)
    }

    async fn describe(&self, _tenant: &Tenant, _name: &str) -> Result<CredentialSummary, StoreError> {
        Err(StoreError::NotFound)
    }

    async fn list(&self, _tenant: &Tenant, _after: Option<&str>, limit: u32) -> Result<CredentialPage, StoreError> {
        Ok(CredentialPage::new(Vec::new(), limit))
    }

    async fn remove(&self, _tenant: &Tenant, _name: &str) -> Result<(), StoreError> {
        Err(StoreError::NotFound)
    }
}
