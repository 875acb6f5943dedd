//! Submitting a job: read the request, check it, record it, and give its id to the queue.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use crate::causes::causes;
use crate::fields::{Faults, FieldError};
use crate::id::{JobId, Tenant};
use crate::job::Job;
use crate::json::JsonError;
use crate::policy::Policy;
use crate::ports::{CredentialStore, JobQueue, JobStore, PlaybookCatalog, PlaybookError, StoreError};
use crate::request::JobRequest;
use crate::source::Source;
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
    /// The credentials that requests may name.
    pub credentials: Arc<dyn CredentialStore>,
    /// What requests may reach.
    pub policy: Arc<Policy>,
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
        let faults = self.check(&tenant, &request).await?;
        if !faults.is_empty() {
            return Err(SubmitError::Invalid(faults));
        }
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
        let job = match self.read(&tenant, body).await? {
            Ok(request) => Job::with_id(id, tenant, request, now, self.retention),
            Err((playbook, error)) => {
                let request = JobRequest {
                    source: Source::Playbook(playbook),
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
        if let (Some(catalog), Some(playbook)) = (&self.catalog, request.source.bundled()) {
            catalog.check(playbook)?;
        }
        let job = Job::new(tenant, request, self.clock.now(), self.retention);
        self.store.create(&job).await?;
        Ok(job)
    }

    /// Finds what of a request the policy does not allow, and credentials that are not there or are of another kind.
    async fn check(&self, tenant: &Tenant, request: &JobRequest) -> Result<Vec<FieldError>, StoreError> {
        let mut faults = Faults::default();
        self.policy.check(request, &mut faults);
        for named in request.credential_uses() {
            match self.credentials.describe(tenant, &named.name).await {
                Ok(found) if named.kinds.contains(&found.kind) => {}
                Ok(found) => {
                    let wanted: Vec<&str> = named.kinds.iter().map(|kind| kind.as_str()).collect();
                    let wanted = wanted.join(" or ");
                    faults.add(
                        named.pointer,
                        format!(
                            "is a credential of kind {}; here one of kind {wanted} is needed",
                            found.kind
                        ),
                    );
                }
                Err(StoreError::NotFound) => {
                    let how = "POST it to /api/v1/credentials first";
                    faults.add(
                        named.pointer,
                        format!("names no credential that there is ({:?}); {how}", named.name),
                    );
                }
                Err(error) => return Err(error),
            }
        }
        Ok(faults.into_inner())
    }

    /// Reads a request, or says what is wrong with it and, as far as that can be told, which playbook it names.
    async fn read(
        &self,
        tenant: &Tenant,
        body: &Result<Value, JsonError>,
    ) -> Result<Result<JobRequest, (String, String)>, StoreError> {
        let body = match body {
            Ok(body) => body,
            Err(error) => {
                let text = format!("The request is not JSON that can be taken: {}.", error.message);
                return Ok(Err((String::new(), text)));
            }
        };
        let faults = match JobRequest::parse(body) {
            Ok(request) => match self.check(tenant, &request).await? {
                faults if faults.is_empty() => return Ok(Ok(request)),
                faults => faults,
            },
            Err(faults) => faults,
        };
        let playbook = body.get("playbook").and_then(Value::as_str).unwrap_or_default();
        let playbook = playbook.chars().take(MAX_PLAYBOOK_CHARS).collect();
        Ok(Err((playbook, told(&faults))))
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

fn told(faults: &[FieldError]) -> String {
    let told = faults.iter().take(MAX_FAULTS_TOLD);
    let told: Vec<String> = told
        .map(|fault| format!("{} {}", fault.pointer, fault.detail))
        .collect();
    let more = match faults.len().saturating_sub(MAX_FAULTS_TOLD) {
        0 => String::new(),
        number => format!("; and {number} more"),
    };
    format!("The request is not valid: {}{more}.", told.join("; "))
}
