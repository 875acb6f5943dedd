//! The port to the queue of jobs.

use std::time::Duration;

use async_trait::async_trait;

use crate::base::id::JobId;
use crate::base::store_error::StoreError;

/// Carries job ids to workers, each at least once. Receiving is the adapter's own matter.
#[async_trait]
pub trait JobQueue: Send + Sync {
    /// Sends an id, to be received after `delay` at the earliest.
    async fn send(&self, id: JobId, delay: Duration) -> Result<(), StoreError>;

    /// Tells whether more than `limit` messages wait to be received, those that are delayed included, as far as that is known.
    async fn is_longer_than(&self, limit: u32) -> Result<bool, StoreError>;
}
