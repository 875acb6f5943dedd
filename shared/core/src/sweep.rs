//! The sweep: ends jobs whose worker is lost, and queues jobs that the queue was never given.

use std::time::Duration;

use crate::causes::causes;
use crate::execute::{Again, conclude};
use crate::id::LeaseToken;
use crate::job::{Job, Lease};
use crate::outcome::{Outcome, Reason};
use crate::ports::{JobQueue, JobStore, StoreError};
use crate::time::Clock;

/// How many jobs of each kind one sweep touches.
const BATCH: u32 = 100;
/// How long a submission may take before the sweep queues its job.
const DISPATCH_GRACE: Duration = Duration::from_secs(10);
/// How long a sweep may take to write the end of a job that it has taken; then another sweep may take it.
const SWEEP_LEASE: Duration = Duration::from_secs(30);

/// What one sweep did.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Swept {
    /// Jobs whose lease had run out.
    pub lost: u32,
    /// Jobs given to the queue.
    pub dispatched: u32,
}

/// Sweeps once. A worker in this process that was held up together with the sweep has `patience` to renew its leases
/// before they count as lost. A job that cannot be dealt with keeps no other from it.
///
/// # Errors
/// The store or the queue is unavailable; the next sweep goes on where this one stopped.
pub async fn sweep(
    store: &dyn JobStore,
    queue: &dyn JobQueue,
    clock: &dyn Clock,
    patience: Duration,
) -> Result<Swept, StoreError> {
    let lost = end_lost(store, queue, clock, patience).await;
    let dispatched = dispatch(store, queue, clock).await;
    Ok(Swept {
        lost: lost?,
        dispatched: dispatched?,
    })
}

async fn end_lost(
    store: &dyn JobStore,
    queue: &dyn JobQueue,
    clock: &dyn Clock,
    patience: Duration,
) -> Result<u32, StoreError> {
    let expired = store.expired_leases(clock.now(), BATCH).await?;
    if !expired.is_empty() {
        tokio::time::sleep(patience).await;
    }
    let mut lost = 0;
    for job in expired {
        match end(store, queue, clock, &job).await {
            Ok(()) => lost += 1,
            Err(StoreError::Conflict | StoreError::NotFound) => {}
            Err(error) if error.is_retryable() => return Err(error),
            Err(error) => tracing::error!(job.id = %job.id, error = %causes(&error), "a lost job cannot be ended"),
        }
    }
    Ok(lost)
}

/// Takes a job from its lost worker and ends it, or has it tried again.
async fn end(store: &dyn JobStore, queue: &dyn JobQueue, clock: &dyn Clock, job: &Job) -> Result<(), StoreError> {
    let expired = job.state.lease.ok_or(StoreError::Conflict)?;
    let lease = Lease {
        token: LeaseToken::new(),
        until: clock.now() + SWEEP_LEASE,
    };
    store.seize(job.id, expired, lease).await?;
    let outcome = match &job.state.cancel {
        Some(cancel) => crate::job::canceled(cancel),
        None => Outcome::failed(
            Reason::Lost,
            "The worker that ran the job stopped reporting; its output ends where it was last written.",
        ),
    };
    conclude(store, queue, clock, job, lease, outcome, Again::WhereAllowed).await
}

/// Queues jobs that the queue was never given.
async fn dispatch(store: &dyn JobStore, queue: &dyn JobQueue, clock: &dyn Clock) -> Result<u32, StoreError> {
    let mut dispatched = 0;
    for id in store.undispatched(clock.now() - DISPATCH_GRACE, BATCH).await? {
        queue.send(id, Duration::ZERO).await?;
        match store.mark_dispatched(id).await {
            Ok(()) | Err(StoreError::NotFound) => dispatched += 1,
            Err(error) => return Err(error),
        }
    }
    Ok(dispatched)
}
