//! Submitting a job: read the request, check it, record it, and give its id to the queue.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use crate::fields::FieldError;
use crate::id::Tenant;
use crate::job::Job;
use crate::ports::{JobQueue, JobStore, PlaybookCatalog, PlaybookError, StoreError};
use crate::request::JobRequest;
use crate::time::Clock;

/// Why a request was not accepted.
#[derive(Debug, thiserror::Error)]
pub enum SubmitError {
    /// Fields are wrong.
    #[error("the request is not valid")]
    Invalid(Vec<FieldError>),
    /// The playbook cannot be run.
    #[error(transparent)]
    Playbook(#[from] PlaybookError),
    /// The job could not be recorded.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Accepts requests.
#[derive(Clone)]
pub struct Submitter {
    /// Records.
    pub store: Arc<dyn JobStore>,
    /// Where accepted jobs wait.
    pub queue: Arc<dyn JobQueue>,
    /// The playbooks, where they are known before a job runs.
    pub catalog: Option<Arc<dyn PlaybookCatalog>>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// How long a job is kept.
    pub retention: Duration,
}

impl Submitter {
    /// Accepts a request: when this returns, the job is recorded and will be run.
    ///
    /// # Errors
    /// [`SubmitError`] says why nothing was recorded.
    pub async fn submit(&self, tenant: Tenant, body: &Value) -> Result<Job, SubmitError> {
        let request = JobRequest::parse(body).map_err(SubmitError::Invalid)?;
        let job = self.record(tenant, request).await?;
        if let Err(error) = self.dispatch(&job).await {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(job.id = %job.id, error, "the job waits for the sweep to be queued");
        }
        Ok(job)
    }

    /// Records a job that the caller will run itself, or dispatch.
    ///
    /// # Errors
    /// [`SubmitError`] says why nothing was recorded.
    pub async fn record(&self, tenant: Tenant, request: JobRequest) -> Result<Job, SubmitError> {
        if let Some(catalog) = &self.catalog {
            catalog.check(&request.playbook)?;
        }
        let job = Job::new(tenant, request, self.clock.now(), self.retention);
        self.store.create(&job).await?;
        Ok(job)
    }

    async fn dispatch(&self, job: &Job) -> Result<(), StoreError> {
        self.queue.send(job.id, Duration::ZERO).await?;
        self.store.mark_dispatched(job.id).await
    }
}
