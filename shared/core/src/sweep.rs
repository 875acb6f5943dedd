//! The sweep: ends jobs whose worker is lost, and queues jobs that the queue was never given.

use std::time::Duration;

use crate::execute::conclude;
use crate::id::LeaseToken;
use crate::job::Lease;
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
/// before they count as lost.
///
/// # Errors
/// The store or the queue is unavailable; the next sweep goes on where this one stopped.
pub async fn sweep(
    store: &dyn JobStore,
    queue: &dyn JobQueue,
    clock: &dyn Clock,
    patience: Duration,
) -> Result<Swept, StoreError> {
    let mut swept = Swept::default();
    let expired = store.expired_leases(clock.now(), BATCH).await?;
    if !expired.is_empty() {
        tokio::time::sleep(patience).await;
    }
    for job in expired {
        let Some(expired) = job.state.lease else { continue };
        let lease = Lease {
            token: LeaseToken::new(),
            until: clock.now() + SWEEP_LEASE,
        };
        match store.seize(job.id, expired, lease).await {
            Ok(()) => {}
            Err(StoreError::Conflict) => continue,
            Err(error) => return Err(error),
        }
        let outcome = match &job.state.cancel {
            Some(cancel) => crate::job::canceled(cancel),
            None => Outcome::failed(
                Reason::Lost,
                "The worker that ran the job stopped reporting; its output ends where it was last written.",
            ),
        };
        match conclude(store, queue, clock, &job, lease, outcome).await {
            Ok(()) => swept.lost += 1,
            Err(StoreError::Conflict) => {}
            Err(error) => return Err(error),
        }
    }
    for id in store.undispatched(clock.now() - DISPATCH_GRACE, BATCH).await? {
        queue.send(id, Duration::ZERO).await?;
        store.mark_dispatched(id).await?;
        swept.dispatched += 1;
    }
    Ok(swept)
}
