//! The state that the handlers share.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use callboard_core::access::{Action, KeyStore, Missing, Requester};
use callboard_core::audit::AuditLog;
use callboard_core::base::id::JobId;
use callboard_core::base::store_error::StoreError;
use callboard_core::base::time::Clock;
use callboard_core::credential::CredentialStore;
use callboard_core::job::{Job, JobStore, StatsStore};
use callboard_core::output::LogStore;
use callboard_core::request::ServiceCatalog;
use callboard_core::submit::Submitter;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use crate::access::Access;
use crate::audit_limits::AuditLimits;
use crate::bodies::Bodies;
use crate::gate::Gate;
use crate::live::Live;
use crate::problem::{Kind, Problem};

/// The limits of the API.
#[derive(Clone, Copy, Debug)]
pub struct ApiSettings {
    /// The largest request body, in bytes.
    pub max_body_bytes: usize,
    /// How long `?sync=true` waits for a job to end.
    pub sync_wait: Duration,
    /// How often a request that waits for output checks for more.
    pub poll: Duration,
    /// How much output is read and buffered for sending at a time, in bytes.
    pub chunk_bytes: u64,
    /// The limits of one answer, if there are any.
    pub answers: Option<AnswerLimits>,
}

/// Limits how many requests may wait for jobs at the same time: those that follow output, poll for events, or wait for a job to end. Tells
/// those that follow when the service stops.
#[derive(Clone, Debug)]
pub struct Followers {
    places: Arc<Semaphore>,
    stopping: Option<watch::Receiver<bool>>,
}

impl Followers {
    /// Lets at most `limit` requests wait.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self {
            places: Arc::new(Semaphore::new(limit.min(Semaphore::MAX_PERMITS))),
            stopping: None,
        }
    }

    /// Lets those that follow go on until `stopping` is set.
    #[must_use]
    pub fn until(mut self, stopping: watch::Receiver<bool>) -> Self {
        self.stopping = Some(stopping);
        self
    }

    /// Admits one more request, until its permit is dropped.
    pub(crate) fn admit(&self) -> Result<OwnedSemaphorePermit, Problem> {
        let permit = self.places.clone().try_acquire_owned();
        permit.map_err(|_| {
            let detail = "Too many requests are already waiting. Try again later, or ask without waiting.";
            Problem::new(Kind::TooManyFollowers, detail)
        })
    }

    /// Waits until the service stops.
    pub(crate) async fn stopped(&self) {
        if let Some(mut stopping) = self.stopping.clone()
            && stopping.wait_for(|stopping| *stopping).await.is_ok()
        {
            return;
        }
        std::future::pending::<()>().await;
    }
}

/// The limits of an answer of a Lambda function.
#[derive(Clone, Copy, Debug)]
pub struct AnswerLimits {
    /// The largest body, in bytes.
    pub max_bytes: u64,
    /// The longest that an answer may take to produce.
    pub max_time: Duration,
    /// Whether the client gets nothing of it before all of it is there.
    pub is_whole: bool,
}

/// The result of one readiness check.
#[derive(Clone, Debug)]
pub struct HealthCheck {
    /// What was checked, such as `store`.
    pub name: &'static str,
    /// What is wrong, in a sentence; `None` if nothing is.
    pub fault: Option<String>,
}

/// Checks whether the service can do its work.
#[async_trait::async_trait]
pub trait Health: Send + Sync {
    /// Checks everything that a job needs.
    async fn check(&self) -> Vec<HealthCheck>;

    /// Returns whether the service is shutting down and takes no more jobs.
    fn is_draining(&self) -> bool;
}

/// The use cases and ports behind the routes.
#[derive(Clone)]
pub struct App {
    /// Accepts jobs.
    pub submitter: Submitter,
    /// Stores the records.
    pub store: Arc<dyn JobStore>,
    /// Stores the output.
    pub logs: Arc<dyn LogStore>,
    /// Stores the credentials. The API never reads their values.
    pub credentials: Arc<dyn CredentialStore>,
    /// The API keys.
    pub keys: Arc<dyn KeyStore>,
    /// How it is found out who asks.
    pub access: Access,
    /// The audit log.
    pub audit: Arc<dyn AuditLog>,
    /// Limits how many refusals and failures the audit log has.
    pub audit_limits: AuditLimits,
    /// The statistics of jobs.
    pub stats: Arc<dyn StatsStore>,
    /// The services that jobs may call.
    pub services: Arc<dyn ServiceCatalog>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// The readiness checks.
    pub health: Arc<dyn Health>,
    /// The limits.
    pub settings: ApiSettings,
    /// Limits how many requests wait.
    pub followers: Followers,
    /// The jobs that are followed.
    pub live: Live,
    /// Limits the memory for large bodies.
    pub bodies: Bodies,
    /// Decides which requests are let in.
    pub gate: Gate,
}

impl App {
    /// Returns a job with which the caller may do something. One of another tenant is not there.
    pub(crate) async fn job(&self, by: &Requester, action: Action, id: JobId) -> Result<Job, Problem> {
        let found = self.store.get(id, self.clock.now()).await;
        let job = found.map_err(|error| Problem::of_job(id, error))?;
        if job.tenant != *by.tenant() {
            return Err(Problem::of_job(id, StoreError::NotFound));
        }
        let origin = job.request.origin.as_ref();
        if !by
            .caller
            .may_with_job_of(action, origin.map(|origin| origin.subject.as_str()))
        {
            let detail = format!("The caller has {action} only for jobs that it has submitted itself.");
            return Err(Problem::forbidden(Missing::new(action, detail)));
        }
        Ok(job)
    }
}

/// The job id in a path. A text that is not an id is answered like an unknown job.
pub(crate) struct PathId(pub(crate) JobId);

impl<S: Send + Sync> FromRequestParts<S> for PathId {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Path(text) = Path::<String>::from_request_parts(parts, state)
            .await
            .map_err(|_| Problem::no_such_job(""))?;
        text.parse().map(Self).map_err(|_| Problem::no_such_job(&text))
    }
}
