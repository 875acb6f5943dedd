//! The port to the queue of jobs.

use std::time::Duration;

use async_trait::async_trait;

use super::ticket::Ticket;
use crate::base::store_error::StoreError;
use crate::request::Lane;

/// Carries tickets to workers, each at least once, and those of the tenants in turn: a tenant with many jobs in a lane delays the jobs of
/// others by no more than those that run. How they are received is up to the adapter.
#[async_trait]
pub trait JobQueue: Send + Sync {
    /// Sends a ticket to the workers of its lane, to be received after `delay` at the earliest.
    async fn send(&self, ticket: &Ticket, delay: Duration) -> Result<(), StoreError>;

    /// Returns whether more than `limit` messages are waiting, for the workers of a lane or for all, including delayed ones, as far as the queue knows.
    async fn is_longer_than(&self, limit: u32, lane: Option<Lane>) -> Result<bool, StoreError>;
}
