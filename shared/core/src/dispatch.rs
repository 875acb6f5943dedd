//! Giving a recorded job to the queue.

use std::time::Duration;

use crate::ports::{DueJob, JobQueue, JobStore, StoreError};

/// Queues a job, to be received after `delay` at the earliest, and notes that the queue has it. Where either fails, the job
/// stays due, and the sweep queues it.
///
/// # Errors
/// As the queue and the store have them.
pub async fn dispatch(
    store: &dyn JobStore,
    queue: &dyn JobQueue,
    job: DueJob,
    delay: Duration,
) -> Result<(), StoreError> {
    queue.send(job.id, delay).await?;
    store.mark_dispatched(job.id, job.due).await
}
