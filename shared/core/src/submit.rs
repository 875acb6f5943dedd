//! Submitting a job: read the request, check it, record it, and give its id to the queue.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use crate::causes::causes;
use crate::fields::FieldError;
use crate::id::{JobId, Tenant};
use crate::job::Job;
use crate::json::JsonError;
use crate::ports::{JobQueue, JobStore, PlaybookCatalog, PlaybookError, StoreError};
use crate::request::JobRequest;
use crate::time::Clock;

/// How many faults the record of a refused request names.
const MAX_FAULTS_TOLD: usize = 20;
/// How much of the name of its playbook.
const MAX_PLAYBOOK_CHARS: usize = 200;

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
        self.dispatch_or_leave(&job).await;
        Ok(job)
    }

    /// Accepts what an event asks for, which nobody waits to hear about: a request that is not valid is recorded as a
    /// job that failed. The same event delivered again, with the same `id`, changes nothing; its job is returned.
    ///
    /// # Errors
    /// The store is unavailable; deliver the event again.
    pub async fn accept(&self, tenant: Tenant, id: JobId, body: &Result<Value, JsonError>) -> Result<Job, StoreError> {
        let now = self.clock.now();
        let job = match read(body) {
            Ok(request) => Job::with_id(id, tenant, request, now, self.retention),
            Err((playbook, error)) => {
                let request = JobRequest {
                    playbook,
                    ..JobRequest::default()
                };
                let mut job = Job::with_id(id, tenant, request, now, self.retention);
                job.state.refuse(error, now);
                job
            }
        };
        match self.store.create(&job).await {
            Ok(()) => {}
            Err(StoreError::Conflict) => return self.store.get(id, now).await,
            Err(error) => return Err(error),
        }
        match &job.state.outcome {
            None => self.dispatch_or_leave(&job).await,
            Some(outcome) => tracing::warn!(job.id = %job.id, error = outcome.error, "a request is refused"),
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

    async fn dispatch_or_leave(&self, job: &Job) {
        if let Err(error) = self.dispatch(job).await {
            let error = causes(&error);
            tracing::warn!(job.id = %job.id, %error, "the job waits for the sweep to be queued");
        }
    }

    async fn dispatch(&self, job: &Job) -> Result<(), StoreError> {
        self.queue.send(job.id, Duration::ZERO).await?;
        self.store.mark_dispatched(job.id).await
    }
}

/// Reads a request, or says what is wrong with it and, as far as that can be told, which playbook it names.
fn read(body: &Result<Value, JsonError>) -> Result<JobRequest, (String, String)> {
    let body = body.as_ref().map_err(|error| {
        let text = format!("The request is not JSON that can be taken: {}.", error.message);
        (String::new(), text)
    })?;
    JobRequest::parse(body).map_err(|faults| {
        let playbook = body.get("playbook").and_then(Value::as_str).unwrap_or_default();
        let told = faults.iter().take(MAX_FAULTS_TOLD);
        let told: Vec<String> = told
            .map(|fault| format!("{} {}", fault.pointer, fault.detail))
            .collect();
        let more = match faults.len().saturating_sub(MAX_FAULTS_TOLD) {
            0 => String::new(),
            number => format!("; and {number} more"),
        };
        let playbook = playbook.chars().take(MAX_PLAYBOOK_CHARS).collect();
        (
            playbook,
            format!("The request is not valid: {}{more}.", told.join("; ")),
        )
    })
}
