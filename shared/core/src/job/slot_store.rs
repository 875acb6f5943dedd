//! The port to what jobs need before workers can take them, and of which there are so many.

use async_trait::async_trait;

use super::blocked::SlotType;
use crate::base::id::{JobId, Tenant};
use crate::base::store_error::StoreError;

/// Something that has places: a concurrency key has one, a tenant as many as its quota of running jobs. A job takes its place before it is
/// given to the queue and keeps it until it has ended, also between its attempts.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Slot {
    /// Whose jobs take the places.
    pub tenant: Tenant,
    /// The concurrency key; `None` for the quota of running jobs.
    pub concurrency_key: Option<String>,
}

/// A slot that is in use.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SlotInUse {
    /// Which one.
    pub slot: Slot,
    /// The jobs that have a place. There may be none while jobs wait for one.
    pub holders: Vec<JobId>,
}

impl Slot {
    /// Returns the one of a tenant's quota of running jobs.
    #[must_use]
    pub fn of_quota(tenant: Tenant) -> Self {
        Self {
            tenant,
            concurrency_key: None,
        }
    }

    /// Returns what kind of places it has.
    #[must_use]
    pub fn kind(&self) -> SlotType {
        match self.concurrency_key {
            Some(_) => SlotType::ConcurrencyKey,
            None => SlotType::RunningQuota,
        }
    }
}

/// Stores who has the places of slots, and who waits for one, in order. Repeating a call changes nothing.
#[async_trait]
pub trait SlotStore: Send + Sync {
    /// Takes a place for a job, if fewer than `places` are taken; otherwise the job joins the line. Returns `None` if the job has a place
    /// now, or had one, and otherwise a job that has.
    async fn take(&self, slot: &Slot, places: u32, job: JobId) -> Result<Option<JobId>, StoreError>;

    /// Gives back the place of a job, or its place in the line.
    async fn give_back(&self, slot: &Slot, job: JobId) -> Result<(), StoreError>;

    /// Gives a free place to the job that has been in the line for longest, by its id, and returns the job; `None` if all places are taken or
    /// nobody waits.
    async fn promote(&self, slot: &Slot, places: u32) -> Result<Option<JobId>, StoreError>;

    /// Returns how many places are taken.
    async fn taken(&self, slot: &Slot) -> Result<u32, StoreError>;

    /// Returns up to `limit` jobs that have a place or wait for one.
    async fn jobs(&self, slot: &Slot, limit: u32) -> Result<Vec<JobId>, StoreError>;

    /// Returns up to `limit` slots that are in use.
    async fn in_use(&self, limit: u32) -> Result<Vec<SlotInUse>, StoreError>;
}
