//! Submits a job: reads the request, checks it, records it once however often it is sent, and gives its id to the queue.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::check::check_credentials;
use super::error::SubmitError;
use super::idempotency_store::{IdempotencyKey, IdempotencyStore};
use super::once::{Ledger, Once, Reserved, digest};
use crate::access::Requester;
use crate::base::id::{JobId, Tenant};
use crate::base::store_error::StoreError;
use crate::base::time::Clock;
use crate::credential::CredentialStore;
use crate::job::{Job, JobQueue, JobStore};
use crate::request::{JobRequest, Kinds};
use crate::run::dispatched;

/// An accepted job.
#[derive(Clone, Debug, PartialEq)]
pub struct Submitted {
    /// The job.
    pub job: Job,
    /// Whether it was accepted before, under the same idempotency key.
    pub replayed: bool,
}

/// Accepts requests.
#[derive(Clone)]
pub struct Submitter {
    /// The job records.
    pub store: Arc<dyn JobStore>,
    /// The queue in which accepted jobs wait.
    pub queue: Arc<dyn JobQueue>,
    /// The kinds of jobs that may be requested, with what the operator allows for each.
    pub kinds: Kinds,
    /// The credentials that requests may name.
    pub credentials: Arc<dyn CredentialStore>,
    /// The idempotency keys.
    pub keys: Arc<dyn IdempotencyStore>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// How long a job is kept after its end.
    pub retention: Duration,
    /// How many jobs may be waiting when another is submitted. Events are accepted beyond that, because nobody could send them again.
    pub max_queued: u32,
}

impl Submitter {
    /// Accepts a request: when this returns, the job is recorded and will be run. For a request that was accepted before under the
    /// same key, returns the job of that request, whatever has happened since to the things it names.
    ///
    /// # Errors
    /// [`SubmitError`] says why nothing was recorded.
    pub async fn submit(&self, by: &Requester, body: Value, once: Option<&Once>) -> Result<Submitted, SubmitError> {
        let id = JobId::new();
        let Some(once) = once else {
            let request = self.check(by, body).await?;
            let job = self.admit(self.job(id, by.tenant().clone(), request)).await?;
            return Ok(Submitted { job, replayed: false });
        };
        let key = once.key.of(&by.caller);
        let ledger = self.ledger(by.tenant(), &key);
        let sha256 = digest(&body);
        match ledger.reserve(id, sha256, once.wait, self.clock.now()).await? {
            Reserved::Theirs(job) => Ok(Submitted {
                job: *job,
                replayed: true,
            }),
            Reserved::InFlight => Err(SubmitError::InFlight),
            Reserved::Other => Err(SubmitError::KeyReused),
            Reserved::Ours => self.make(by, &ledger, id, body, false).await,
            Reserved::Abandoned(id) => self.make(by, &ledger, id, body, true).await,
        }
    }

    /// Makes the job that a key is reserved for.
    async fn make(
        &self,
        by: &Requester,
        ledger: &Ledger<'_>,
        id: JobId,
        body: Value,
        replayed: bool,
    ) -> Result<Submitted, SubmitError> {
        let made = async {
            let request = self.check(by, body).await?;
            let job = self.job(id, ledger.tenant.clone(), request);
            if replayed {
                return Ok(self.create_or_get(job).await?);
            }
            self.admit(job).await
        };
        match made.await {
            Ok(job) => Ok(Submitted { job, replayed }),
            // the job may have been recorded anyway: another try gets that job, or makes it under the same id
            Err(error @ SubmitError::Store(_)) => {
                ledger.settle(id).await;
                Err(error)
            }
            Err(error) => {
                ledger.free(id).await;
                Err(error)
            }
        }
    }

    /// Records that a submission with an idempotency key has been answered; its key stands for the answer from now on.
    pub async fn settle(&self, by: &Requester, job: &Job, once: &Once) {
        self.ledger(by.tenant(), &once.key.of(&by.caller)).settle(job.id).await;
    }

    /// Records a job that the caller will run or dispatch itself.
    ///
    /// # Errors
    /// The job could not be recorded.
    pub async fn record(&self, tenant: Tenant, request: JobRequest) -> Result<Job, StoreError> {
        let job = self.job(JobId::new(), tenant, request);
        self.store.create(&job).await?;
        Ok(job)
    }

    /// Reads a request, and checks that the caller may run it and what it names. The body, which may be large, is dropped as soon as it
    /// is read.
    ///
    /// # Errors
    /// [`SubmitError`] says what is wrong with it.
    pub async fn check(&self, by: &Requester, body: Value) -> Result<JobRequest, SubmitError> {
        if let Some(lacking) = self.kinds.lacking(&body) {
            return Err(SubmitError::Unavailable(lacking));
        }
        let read = self.kinds.read(&body);
        drop(body);
        let read = read.map_err(SubmitError::Invalid)?;
        by.caller.may_run(&read.uses)?;
        let faults = check_credentials(&*self.credentials, by.tenant(), &read.secrets).await?;
        match (faults.is_empty(), read.missing) {
            (false, _) => Err(SubmitError::Invalid(faults)),
            (true, Some(missing)) => Err(SubmitError::Missing(missing)),
            (true, None) => Ok(JobRequest {
                origin: Some(by.origin()),
                ..read.request
            }),
        }
    }

    pub(super) fn ledger<'a>(&'a self, tenant: &'a Tenant, key: &'a IdempotencyKey) -> Ledger<'a> {
        Ledger {
            keys: &*self.keys,
            store: &*self.store,
            tenant,
            key,
        }
    }

    pub(super) fn job(&self, id: JobId, tenant: Tenant, request: JobRequest) -> Job {
        Job::with_id(id, tenant, request, self.clock.now(), self.retention)
    }

    /// Records and queues a job, unless too many are waiting.
    async fn admit(&self, job: Job) -> Result<Job, SubmitError> {
        let lane = Some(job.request.lane);
        if self.queue.is_longer_than(self.max_queued, lane).await? {
            return Err(SubmitError::QueueFull(self.max_queued));
        }
        Ok(self.create_or_get(job).await?)
    }

    /// Records and queues a job. If a job with its id already exists, returns that job.
    pub(super) async fn create_or_get(&self, job: Job) -> Result<Job, StoreError> {
        match self.store.create(&job).await {
            Ok(()) => {
                tracing::info!(job.id = %job.id, "job recorded");
                Ok(dispatched(&*self.store, &*self.queue, job).await)
            }
            Err(StoreError::Conflict) => self.store.get(job.id, self.clock.now()).await,
            Err(error) => Err(error),
        }
    }
}
