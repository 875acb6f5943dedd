//! Canceling a job: a pending one never starts, a running one is stopped by its worker.

use crate::base::id::{JobId, Tenant};
use crate::base::store_error::StoreError;
use crate::base::time::Clock;
use crate::job::{CancelRequest, Job, JobStore};

/// Why a job was not canceled.
#[derive(Debug, thiserror::Error)]
pub enum CancelError {
    /// The job has ended; here it is.
    #[error("the job has ended already")]
    Ended(Box<Job>),
    /// There is no such job, or it could not be asked.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Asks for a job to be stopped, on behalf of `by`; returns the job after it.
///
/// # Errors
/// [`CancelError`] says why nothing was changed.
pub async fn cancel(
    store: &dyn JobStore,
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
        other => Ok(other?),
    }
}
