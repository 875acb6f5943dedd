//! Canceling a job: a pending one never starts, a running one is stopped by its worker.

use super::dispatcher::Dispatcher;
use crate::base::id::{JobId, Tenant};
use crate::base::store_error::StoreError;
use crate::job::{CancelRequest, Job};

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
pub async fn cancel(dispatcher: &Dispatcher, tenant: &Tenant, id: JobId, by: String) -> Result<Job, CancelError> {
    let (store, now) = (&*dispatcher.store, dispatcher.clock.now());
    if store.get(id, now).await?.tenant != *tenant {
        return Err(StoreError::NotFound.into());
    }
    match store.request_cancel(id, CancelRequest { by, at: now }).await {
        Err(StoreError::Conflict) => Err(CancelError::Ended(Box::new(store.get(id, now).await?))),
        canceled => {
            let job = canceled?;
            if job.state.status.is_final() {
                dispatcher.ended(&job).await;
                return Ok(job);
            }
            // no worker holds it that would hear of it
            if job.state.is_detached() {
                return Ok(dispatcher.dispatched(job).await);
            }
            Ok(job)
        }
    }
}
