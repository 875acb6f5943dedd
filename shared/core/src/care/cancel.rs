//! Canceling a job: a pending one never starts, a running one is stopped by its worker.

use crate::base::id::{JobId, Tenant};
use crate::base::store_error::StoreError;
use crate::base::time::Clock;
use crate::job::{CancelRequest, Job, JobQueue, JobStore};
use crate::run::dispatched;

/// Why a job was not canceled.
#[derive(Debug, thiserror::Error)]
pub enum CancelError {
    /// The job, which has already ended.
    #[error("the job has ended already")]
    Ended(Box<Job>),
    /// There is no such job, or the store could not be asked.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Requests on behalf of `by` that a job be stopped, and returns the job after the request.
///
/// # Errors
/// [`CancelError`] says why nothing was changed.
pub async fn cancel(
    store: &dyn JobStore,
    queue: &dyn JobQueue,
    clock: &dyn Clock,
    tenant: &Tenant,
    id: JobId,
    by: String,
) -> Result<Job, CancelError> {
    let now = clock.now();
    if store.get(id, now).await?.tenant != *tenant {
        return Err(StoreError::NotFound.into());
    }
    match store.request_cancel(id, CancelRequest { by, at: now }).await {
        Err(StoreError::Conflict) => Err(CancelError::Ended(Box::new(store.get(id, now).await?))),
        canceled => {
            let job = canceled?;
            // no worker holds it that would hear of it
            if job.state.is_detached() {
                return Ok(dispatched(store, queue, job).await);
            }
            Ok(job)
        }
    }
}
