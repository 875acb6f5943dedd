//! What the domain needs of the outside world. Every adapter passes the contract suite of its port.

mod archives;
mod host_keys;
mod idempotency;
mod logs;
mod secrets;

use std::time::Duration;

use async_trait::async_trait;

pub use self::archives::*;
pub use self::host_keys::*;
pub use self::idempotency::*;
pub use self::logs::*;
pub use self::secrets::*;
use crate::attempt::Attempt;
use crate::history::{HistoryPage, HistoryQuery};
use crate::id::{JobId, LeaseToken};
use crate::job::{CancelRequest, DeadLetter, Job, Lease};
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

/// A job that waits for the sweep to give it to the queue.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct DueJob {
    /// The job.
    pub id: JobId,
    /// Since when it is due.
    pub due: Timestamp,
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

    /// Notes that the queue has the job's id, if the job is still due as it was when that was sent.
    async fn mark_dispatched(&self, id: JobId, due: Timestamp) -> Result<(), StoreError>;

    /// Starts an attempt and returns the job as claimed; `Conflict` unless it is pending, or running under this very
    /// lease. A claim that fails leaves the job as it was.
    async fn claim(&self, id: JobId, lease: Lease, now: Timestamp) -> Result<Job, StoreError>;

    /// Renews a lease and records progress; answers whether a cancel was asked for. `Conflict` if the lease is lost.
    async fn renew(
        &self,
        id: JobId,
        lease: Lease,
        progress: Option<Progress>,
    ) -> Result<Option<CancelRequest>, StoreError>;

    /// Takes a running job from a worker that has not renewed its lease, so that its end can be written; returns the
    /// job. `Conflict` if the lease is not `silent` any more.
    async fn seize(&self, id: JobId, silent: Lease, lease: Lease) -> Result<Job, StoreError>;

    /// Writes the final state, once; answers whether a cancel had been asked for. `Conflict` if the lease is lost.
    async fn finish(
        &self,
        id: JobId,
        token: LeaseToken,
        outcome: Outcome,
        now: Timestamp,
    ) -> Result<Option<CancelRequest>, StoreError>;

    /// Notes how the present attempt ended, and makes a running job pending again, due to be queued at an instant; or
    /// canceled if that was asked for. `Conflict` if the lease is lost.
    async fn release(&self, id: JobId, token: LeaseToken, ended: Attempt, due: Timestamp) -> Result<(), StoreError>;

    /// Makes a running job pending again, due to be queued at an instant, as if it had not been claimed: its attempt does not
    /// count. One that was asked to stop is canceled. `Conflict` if the lease is lost.
    async fn put_back(&self, id: JobId, token: LeaseToken, due: Timestamp) -> Result<(), StoreError>;

    /// Ends a pending job, or marks a running one; returns the job after it. `Conflict` if it has ended.
    async fn request_cancel(&self, id: JobId, cancel: CancelRequest) -> Result<Job, StoreError>;

    /// Ends a pending job that no worker will take; `Conflict` if it is not pending.
    async fn abandon(&self, id: JobId, outcome: Outcome, now: Timestamp) -> Result<(), StoreError>;

    /// Notes that the queue has given a pending job up; `Conflict` if it is not pending.
    async fn bury(&self, id: JobId, letter: DeadLetter) -> Result<(), StoreError>;

    /// Makes a pending job due to be queued again, at once, and returns it; `Conflict` if it is not pending.
    async fn redrive(&self, id: JobId, now: Timestamp) -> Result<Job, StoreError>;

    /// Returns up to `limit` running jobs and their leases, as they stood not long ago.
    async fn running(&self, limit: u32) -> Result<Vec<(JobId, Lease)>, StoreError>;

    /// Returns up to `limit` pending jobs that have been due to be queued since before `now`.
    async fn due(&self, now: Timestamp, limit: u32) -> Result<Vec<DueJob>, StoreError>;

    /// Returns up to `limit` pending jobs that were created before an instant.
    async fn pending_since(&self, before: Timestamp, limit: u32) -> Result<Vec<JobId>, StoreError>;
}

/// Carries job ids to workers, each at least once. Receiving is the adapter's own matter.
#[async_trait]
pub trait JobQueue: Send + Sync {
    /// Sends an id, to be received after `delay` at the earliest.
    async fn send(&self, id: JobId, delay: Duration) -> Result<(), StoreError>;

    /// Tells whether more than `limit` messages wait, as far as that is known.
    async fn is_longer_than(&self, limit: u32) -> Result<bool, StoreError>;
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
    /// What the job was at when it was stopped, in a sentence.
    pub doing: Option<String>,
    /// True when nothing of the job was started, because the machine was short of open files, memory or processes.
    pub short: bool,
}
