//! What the handlers work with.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use callboard_core::base::id::{JobId, Tenant};
use callboard_core::base::store_error::StoreError;
use callboard_core::base::time::Clock;
use callboard_core::credential::CredentialStore;
use callboard_core::job::{Job, JobStore};
use callboard_core::output::LogStore;
use callboard_core::submit::Submitter;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::bodies::Bodies;
use crate::gate::Gate;
use crate::problem::{Kind, Problem};

/// Limits of the API.
#[derive(Clone, Copy, Debug)]
pub struct ApiSettings {
    /// The largest request body, in bytes.
    pub max_body_bytes: usize,
    /// How long `?sync=true` waits for a job to end.
    pub sync_wait: Duration,
    /// How often a request that waits for output looks for it.
    pub poll: Duration,
    /// How much output is read at a time and waits to be sent, in bytes.
    pub chunk_bytes: u64,
    /// What bounds an answer, where something does.
    pub answers: Option<AnswerLimits>,
}

/// How many requests may wait for jobs at the same time: that follow output, poll events, or wait for an end.
#[derive(Clone, Debug)]
pub struct Followers(Arc<Semaphore>);

impl Followers {
    /// Lets so many wait.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self(Arc::new(Semaphore::new(limit.min(Semaphore::MAX_PERMITS))))
    }

    /// Admits one more, for as long as the permit is kept.
    pub(crate) fn admit(&self) -> Result<OwnedSemaphorePermit, Problem> {
        let permit = self.0.clone().try_acquire_owned();
        permit.map_err(|_| {
            let detail = "Too many requests are already waiting. Try again later, or ask without waiting.";
            Problem::new(Kind::TooManyFollowers, detail)
        })
    }
}

/// The bounds of an answer that is sent at once, as a Lambda function sends it.
#[derive(Clone, Copy, Debug)]
pub struct AnswerLimits {
    /// The largest body, in bytes.
    pub max_bytes: u64,
    /// How long an answer may be in the making.
    pub max_time: Duration,
}

/// Who calls, where the way that a request came by tells, as an identifier: an extension of the request.
#[derive(Clone, Debug)]
pub struct Caller(pub String);

/// The result of one check of readiness.
#[derive(Clone, Debug)]
pub struct HealthCheck {
    /// What was checked, such as `store`.
    pub name: &'static str,
    /// What is wrong, in a sentence; nothing if it is well.
    pub fault: Option<String>,
}

/// Tells whether the service can do its work.
#[async_trait::async_trait]
pub trait Health: Send + Sync {
    /// Checks everything that a job needs.
    async fn check(&self) -> Vec<HealthCheck>;

    /// Tells whether the service is shutting down and takes no more jobs.
    fn is_draining(&self) -> bool;
}

/// The use cases and ports behind the routes.
#[derive(Clone)]
pub struct App {
    /// Accepts jobs.
    pub submitter: Submitter,
    /// Records.
    pub store: Arc<dyn JobStore>,
    /// Output.
    pub logs: Arc<dyn LogStore>,
    /// Credentials, of which the API never reads a value.
    pub credentials: Arc<dyn CredentialStore>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Readiness.
    pub health: Arc<dyn Health>,
    /// Limits.
    pub settings: ApiSettings,
    /// Who waits.
    pub followers: Followers,
    /// Room for large bodies.
    pub bodies: Bodies,
    /// Who is let in.
    pub gate: Gate,
}

impl App {
    /// Returns a job of the caller's tenant.
    pub(crate) async fn job(&self, id: JobId) -> Result<Job, StoreError> {
        let job = self.store.get(id, self.clock.now()).await?;
        if job.tenant == Tenant::default() {
            Ok(job)
        } else {
            Err(StoreError::NotFound)
        }
    }
}

/// The job id of a path; what is no id names no job.
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
