//! The port to the audit log.

use async_trait::async_trait;

use super::entry::{Entry, NewEntry};
use super::filter::AuditFilter;
use crate::base::causes::causes;
use crate::base::id::Tenant;
use crate::base::store_error::StoreError;

/// A page of the audit log.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AuditPage {
    /// The entries, newest first.
    pub entries: Vec<Entry>,
    /// The place after which older ones may follow; `None` if there are none.
    pub next: Option<String>,
}

/// Which page of the audit log is asked for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AuditQuery {
    /// The tenant whose entries to list.
    pub tenant: Tenant,
    /// Which of them.
    pub filter: AuditFilter,
    /// The maximum number of entries.
    pub limit: u32,
    /// The place of the page, which an earlier one has told.
    pub after: Option<String>,
}

/// Keeps the audit log: chains of entries that are added and read, and never changed.
#[async_trait]
pub trait AuditLog: Send + Sync {
    /// Adds an entry to the end of a chain. When this returns, lists have it.
    async fn append(&self, new: NewEntry) -> Result<(), StoreError>;

    /// Returns a page of a tenant's entries, newest first. A page of some filters may have fewer entries than its limit, and others follow.
    async fn page(&self, query: &AuditQuery) -> Result<AuditPage, StoreError>;
}

/// Adds an entry. If that fails, what it tells goes to the program's log: what was done is not undone for that.
pub async fn note(log: &dyn AuditLog, new: NewEntry) {
    if let Err(error) = log.append(new.clone()).await {
        let entry = serde_json::to_string(&new).unwrap_or_else(|_| format!("{new:?}"));
        tracing::error!(audit.entry = entry, error = %causes(&error), "an entry of the audit log could not be written");
    }
}
