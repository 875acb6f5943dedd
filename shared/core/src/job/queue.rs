//! The port to the queue of jobs.

use std::time::Duration;

use async_trait::async_trait;

use crate::base::id::JobId;
use crate::base::store_error::StoreError;
use crate::request::Lane;

/// Carries job ids to workers, each at least once. How they are received is up to the adapter.
#[async_trait]
pub trait JobQueue: Send + Sync {
    /// Sends an id to the workers of a lane, to be received after `delay` at the earliest.
    async fn send(&self, id: JobId, lane: Lane, delay: Duration) -> Result<(), StoreError>;

    /// Returns whether more than `limit` messages are waiting, for the workers of a lane or for all, including delayed ones, as far as the queue knows.
    async fn is_longer_than(&self, limit: u32, lane: Option<Lane>) -> Result<bool, StoreError>;
}
