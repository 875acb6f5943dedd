//! Gives a recorded job to the queue.

use std::time::Duration;

use crate::base::causes::causes;
use crate::base::store_error::StoreError;
use crate::job::{DueJob, Job, JobQueue, JobStore};

/// Queues a job, to be received after `delay` at the earliest, and records that the queue has it. If either fails, the job
/// stays due, and the sweep queues it.
///
/// # Errors
/// The errors of the queue and the store.
pub async fn dispatch(
    store: &dyn JobStore,
    queue: &dyn JobQueue,
    job: DueJob,
    delay: Duration,
) -> Result<(), StoreError> {
    queue.send(&job.ticket, delay).await?;
    store.mark_dispatched(job.ticket.id, job.due).await
}

/// Queues a due job at once, or leaves that to the sweep; returns the job as it is then.
pub(crate) async fn dispatched(store: &dyn JobStore, queue: &dyn JobQueue, mut job: Job) -> Job {
    let Some(due) = job.state.due else { return job };
    match dispatch(store, queue, DueJob::of(&job, due), Duration::ZERO).await {
        Ok(()) => job.state.due = None,
        Err(error) => {
            let error = causes(&error);
            tracing::warn!(job.id = %job.id, %error, "the job could not be queued; a later sweep queues it");
        }
    }
    job
}
