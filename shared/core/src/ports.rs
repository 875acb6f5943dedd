//! What the domain needs of the outside world. Every adapter passes the contract suite of its port.

mod archives;
mod logs;
mod secrets;

use std::time::Duration;

use async_trait::async_trait;

pub use self::archives::*;
pub use self::logs::*;
pub use self::secrets::*;
use crate::history::{HistoryPage, HistoryQuery};
use crate::id::{JobId, LeaseToken};
use crate::job::{CancelRequest, Job, Lease};
use crate::outcome::Outcome;
use crate::progress::Progress;
use crate::time::Timestamp;

/// What lies under an error of an adapter.
pub type Source = Box<dyn std::error::Error + Send + Sync>;

/// What can go wrong with a store or a queue.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// There is no such thing, or no longer.
    #[error("not found")]
    NotFound,
    /// The state does not allow it, or somebody else was faster.
    #[error("conflict with the present state")]
    Conflict,
    /// The store could not be asked; trying again may help.
    #[error("the store is unavailable")]
    Unavailable(#[source] Source),
    /// The store does not take such a call: a permission, a name or a setting is wrong. Trying again does not help.
    #[error("the store rejects the call")]
    Rejected(#[source] Source),
    /// The store holds something that cannot be read.
    #[error("the store holds something unreadable")]
    Corrupt(#[source] Source),
}

impl StoreError {
    /// Tells whether the same call may succeed later.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }
}

/// Keeps the records of jobs. Every write after a claim is conditional on the lease token.
#[async_trait]
pub trait JobStore: Send + Sync {
    /// Adds a job, pending or refused; `Conflict` if the id is taken.
    async fn create(&self, job: &Job) -> Result<(), StoreError>;

    /// Returns a job; an expired one is `NotFound`.
    async fn get(&self, id: JobId, now: Timestamp) -> Result<Job, StoreError>;

    /// Returns one page of a tenant's jobs, newest first.
    async fn list(&self, query: &HistoryQuery, now: Timestamp) -> Result<HistoryPage, StoreError>;

    /// Notes that the queue has the job's id.
    async fn mark_dispatched(&self, id: JobId) -> Result<(), StoreError>;

    /// Starts an attempt and returns the job as claimed; `Conflict` unless it is pending, `NotFound` if it has expired. A
    /// claim that fails leaves the job as it was.
    async fn claim(&self, id: JobId, lease: Lease, now: Timestamp) -> Result<Job, StoreError>;

    /// Extends a lease and records progress; answers whether a cancel was asked for. `Conflict` if the lease is lost.
    async fn renew(
        &self,
        id: JobId,
        lease: Lease,
        progress: Option<Progress>,
    ) -> Result<Option<CancelRequest>, StoreError>;

    /// Takes a running job from a worker whose lease has run out, so that its end can be written; `Conflict` if the
    /// lease is not `expired` any more.
    async fn seize(&self, id: JobId, expired: Lease, lease: Lease) -> Result<(), StoreError>;

    /// Writes the final state, once; `Conflict` if the lease is lost.
    async fn finish(&self, id: JobId, token: LeaseToken, outcome: Outcome, now: Timestamp) -> Result<(), StoreError>;

    /// Makes a running job pending and undispatched again, or canceled if that was asked for; `Conflict` if the lease
    /// is lost.
    async fn release(&self, id: JobId, token: LeaseToken) -> Result<(), StoreError>;

    /// Ends a pending job, or marks a running one; returns the job after it. `Conflict` if it has ended.
    async fn request_cancel(&self, id: JobId, cancel: CancelRequest) -> Result<Job, StoreError>;

    /// Returns up to `limit` running jobs whose lease has ended before `now`.
    async fn expired_leases(&self, now: Timestamp, limit: u32) -> Result<Vec<Job>, StoreError>;

    /// Returns up to `limit` pending jobs created before `before` that the queue was not given.
    async fn undispatched(&self, before: Timestamp, limit: u32) -> Result<Vec<JobId>, StoreError>;
}

/// Carries job ids to workers, each at least once. Receiving is the adapter's own matter.
#[async_trait]
pub trait JobQueue: Send + Sync {
    /// Sends an id, to be received after `delay` at the earliest.
    async fn send(&self, id: JobId, delay: Duration) -> Result<(), StoreError>;
}

/// Why a playbook cannot be run.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum PlaybookError {
    /// There is none of that name.
    #[error("there is no playbook {0:?} in the playbooks folder")]
    NotFound(String),
    /// The name leads out of the folder, or to something that is no file.
    #[error("{0:?} is no file inside the playbooks folder")]
    Outside(String),
}

/// Knows which playbooks there are, where that can be known before a job runs.
pub trait PlaybookCatalog: Send + Sync {
    /// Checks that a playbook is there.
    ///
    /// # Errors
    /// [`PlaybookError`] says why it cannot be run.
    fn check(&self, playbook: &str) -> Result<(), PlaybookError>;
}

/// Executes jobs of one type.
#[async_trait]
pub trait Runner: Send + Sync {
    /// Runs a claimed job to its end, or until `stop` says so, and leaves nothing of it alive.
    ///
    /// The outcome of a job that was stopped is what it would have been otherwise; `stopped` tells the difference.
    async fn run(&self, job: &Job, output: &crate::output::Output, stop: crate::execute::Stop) -> Ended;
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Ended {
    /// What came of it, read without regard to `stop`.
    pub outcome: Outcome,
    /// True when the runner had begun to stop the job before it ended.
    pub stopped: bool,
}
