//! The port to what is counted for quotas.

use async_trait::async_trait;

use crate::base::id::Tenant;
use crate::base::store_error::StoreError;
use crate::base::time::Timestamp;

/// What is counted.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Counter {
    /// Submissions, by the minute.
    Submissions,
    /// Bytes of output, by the day on which they are deleted.
    StoredBytes,
}

impl Counter {
    /// Returns the word that stores use.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Submissions => "submissions",
            Self::StoredBytes => "stored_bytes",
        }
    }
}

/// Stores counts: for each tenant and counter, one for each of many periods, which are numbered.
#[async_trait]
pub trait CounterStore: Send + Sync {
    /// Adds to the count of a period, which is forgotten some time after `until`, and returns the count.
    async fn add(
        &self,
        tenant: &Tenant,
        counter: Counter,
        period: i64,
        amount: u64,
        until: Timestamp,
    ) -> Result<u64, StoreError>;

    /// Returns the sum of the counts from a period on.
    async fn sum(&self, tenant: &Tenant, counter: Counter, from: i64) -> Result<u64, StoreError>;
}
