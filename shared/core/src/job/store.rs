//! The port to the records of jobs.

use async_trait::async_trait;

use super::attempt::Attempt;
use super::blocked::BlockedOn;
use super::cancel_request::CancelRequest;
use super::dead_letter::DeadLetter;
use super::history::{HistoryPage, HistoryQuery};
use super::lease::Lease;
use super::outcome::Outcome;
use super::progress::Progress;
use super::record::Job;
use super::redrive::Redrive;
use super::ticket::Ticket;
use crate::base::id::{JobId, LeaseToken, Tenant};
use crate::base::store_error::StoreError;
use crate::base::time::Timestamp;
use crate::request::Lane;

/// A job that waits for the sweep to give it to the queue.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct DueJob {
    /// The job.
    pub id: JobId,
    /// Since when it has been due.
    pub due: Timestamp,
}

/// How many jobs somebody should look at.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Neglected {
    /// Those that wait for a worker for long. Blocked ones wait for other jobs.
    pub long_waits: u32,
    /// Those that the queue has given up.
    pub dead_letters: u32,
}

/// Stores the records of jobs. Every write after a claim is conditional on the lease token.
#[async_trait]
pub trait JobStore: Send + Sync {
    /// Adds a job, pending or refused; `Conflict` if the id is taken.
    async fn create(&self, job: &Job) -> Result<(), StoreError>;

    /// Returns a job; an expired one is `NotFound`.
    async fn get(&self, id: JobId, now: Timestamp) -> Result<Job, StoreError>;

    /// Returns one page of a tenant's jobs, newest first.
    async fn list(&self, query: &HistoryQuery, now: Timestamp) -> Result<HistoryPage, StoreError>;

    /// Records that the queue has the job's id, if the job is still due at `due`, as it was when the id was sent. A detached job is due
    /// again after [`LOOK_AGAIN`](super::LOOK_AGAIN).
    async fn mark_dispatched(&self, id: JobId, due: Timestamp) -> Result<(), StoreError>;

    /// Starts an attempt, or takes up one that is detached, and returns the job as claimed; `Conflict` unless it is pending and not blocked, or
    /// detached, or running under the same lease. A claim that fails leaves the job unchanged.
    async fn claim(&self, id: JobId, lease: Lease, now: Timestamp) -> Result<Job, StoreError>;

    /// Renews a lease and records progress; returns the cancel request, if there is one. `Conflict` if the lease is lost.
    async fn renew(
        &self,
        id: JobId,
        lease: Lease,
        progress: Option<Progress>,
    ) -> Result<Option<CancelRequest>, StoreError>;

    /// Takes a running job from a worker that has not renewed its lease, so that its end can be written; returns the job.
    /// `Conflict` if the lease is no longer `silent`.
    async fn seize(&self, id: JobId, silent: Lease, lease: Lease) -> Result<Job, StoreError>;

    /// Writes the final state, once; returns the cancel request, if there was one. `Conflict` if the lease is lost.
    async fn finish(
        &self,
        id: JobId,
        token: LeaseToken,
        outcome: Outcome,
        now: Timestamp,
    ) -> Result<Option<CancelRequest>, StoreError>;

    /// Records how the current attempt ended and makes a running job pending again, due to be queued at `due`. A job that was asked to
    /// stop is canceled instead: returns the request. `Conflict` if the lease is lost.
    async fn release(
        &self,
        id: JobId,
        token: LeaseToken,
        ended: Attempt,
        due: Timestamp,
    ) -> Result<Option<CancelRequest>, StoreError>;

    /// Makes a running job pending again, due to be queued at `due`, without counting its attempt. A job that was asked to stop is
    /// canceled instead: returns the request. `Conflict` if the lease is lost.
    async fn put_back(&self, id: JobId, token: LeaseToken, due: Timestamp)
    -> Result<Option<CancelRequest>, StoreError>;

    /// Leaves a running job to what executes it in place of a worker, due to be queued for a look at `due`; returns the cancel request, if there is one. `Conflict` if the lease is lost.
    async fn detach(
        &self,
        id: JobId,
        token: LeaseToken,
        detached: String,
        due: Timestamp,
    ) -> Result<Option<CancelRequest>, StoreError>;

    /// Ends a pending job or marks a running one, which is due at once if it is detached, and returns the job after the change. `Conflict` if it has ended.
    async fn request_cancel(&self, id: JobId, cancel: CancelRequest) -> Result<Job, StoreError>;

    /// Ends a pending job that no worker will take; `Conflict` if it is not pending.
    async fn abandon(&self, id: JobId, outcome: Outcome, now: Timestamp) -> Result<(), StoreError>;

    /// Records that a pending job, if it is still due at `due`, waits for something before it is given to the queue; `Conflict` otherwise.
    async fn block(&self, id: JobId, due: Timestamp, on: BlockedOn) -> Result<(), StoreError>;

    /// Makes a blocked job due to be queued at once, and returns it; `Conflict` if it is not blocked.
    async fn unblock(&self, id: JobId, now: Timestamp) -> Result<Job, StoreError>;

    /// Records that the queue has given a pending job up; `Conflict` if it is not pending, or is blocked.
    async fn bury(&self, id: JobId, letter: DeadLetter) -> Result<(), StoreError>;

    /// Makes a pending job due to be queued again at once, records who asked for that, and returns it; `Conflict` if it is not pending.
    async fn redrive(&self, id: JobId, redrive: Redrive) -> Result<Job, StoreError>;

    /// Notes in a job's record that another job repeats it, once, if fewer than [`MAX_RELAUNCHES`](super::MAX_RELAUNCHES) do.
    async fn note_relaunch(&self, id: JobId, by: JobId) -> Result<(), StoreError>;

    /// Waits until the store hears that a job has ended. A store that hears only of what it is asked for waits forever, so whoever waits
    /// also looks from time to time.
    async fn ended(&self, _id: JobId) {
        std::future::pending::<()>().await;
    }

    /// Returns up to `limit` running jobs that are not detached, and their leases, as they were not long ago.
    async fn running(&self, limit: u32) -> Result<Vec<(JobId, Lease)>, StoreError>;

    /// Returns up to `limit` pending or detached jobs that have been due to be queued since before `now`.
    async fn due(&self, now: Timestamp, limit: u32) -> Result<Vec<DueJob>, StoreError>;

    /// Returns up to `limit` pending jobs of a lane that the queue was given and has not given up, oldest first. Blocked jobs are none.
    async fn queued(&self, lane: Lane, limit: u32) -> Result<Vec<Ticket>, StoreError>;

    /// Returns how many jobs of a tenant are pending, counted up to `most`.
    async fn waiting(&self, tenant: &Tenant, most: u32) -> Result<u32, StoreError>;

    /// Counts the jobs of all tenants that somebody should look at, each sort up to `most`: those that have waited for a worker since before
    /// an instant, and those that the queue has given up.
    async fn neglected(&self, before: Timestamp, most: u32) -> Result<Neglected, StoreError>;

    /// Returns up to `limit` pending jobs that were created before an instant.
    async fn pending_since(&self, before: Timestamp, limit: u32) -> Result<Vec<JobId>, StoreError>;
}
