//! Submits a job: reads the request, checks it, records it once however often it is sent, and gives its id to the queue.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::asked::Asked;
use super::check::check_credentials;
use super::error::SubmitError;
use super::idempotency_store::{IdempotencyKey, IdempotencyStore};
use super::once::{Ledger, Once, Reserved};
use crate::access::{Action, Missing, Requester};
use crate::audit::{AuditLog, Deed, NewEntry, note};
use crate::base::causes::causes;
use crate::base::fields::Faults;
use crate::base::id::{JobId, Tenant};
use crate::base::store_error::StoreError;
use crate::base::time::Clock;
use crate::credential::CredentialStore;
use crate::job::{Job, JobStore};
use crate::request::{ConcurrencyPolicy, JobRequest, Kinds, Read};
use crate::run::{Allowance, Dispatcher, SubmissionRate, cancel};

/// How many jobs with its concurrency key a new job cancels at most.
const MAX_RIVALS: u32 = 1000;

/// An accepted job.
#[derive(Clone, Debug, PartialEq)]
pub struct Submitted {
    /// The job.
    pub job: Job,
    /// Whether it was accepted before, under the same idempotency key.
    pub replayed: bool,
    /// How far the tenant has used up its submissions, if they are limited and this was one.
    pub rate: Option<SubmissionRate>,
}

/// Accepts requests.
#[derive(Clone)]
pub struct Submitter {
    /// The job records.
    pub store: Arc<dyn JobStore>,
    /// Gives accepted jobs to the queue.
    pub dispatcher: Dispatcher,
    /// How much each tenant may use.
    pub allowance: Allowance,
    /// The kinds of jobs that may be requested, with what the operator allows for each.
    pub kinds: Kinds,
    /// The credentials that requests may name.
    pub credentials: Arc<dyn CredentialStore>,
    /// The idempotency keys.
    pub keys: Arc<dyn IdempotencyStore>,
    /// What is told of the jobs that a submission cancels.
    pub audit: Arc<dyn AuditLog>,
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
        self.submit_asked(by, body.into(), once).await
    }

    pub(super) async fn submit_asked(
        &self,
        by: &Requester,
        asked: Asked,
        once: Option<&Once>,
    ) -> Result<Submitted, SubmitError> {
        let id = JobId::new();
        let Some(once) = once else {
            let request = self.check_asked(by, asked).await?;
            let (job, rate) = self.admit(by, self.job(id, by.tenant().clone(), request)).await?;
            return Ok(Submitted {
                job,
                replayed: false,
                rate,
            });
        };
        let key = once.key.of(&by.caller);
        let ledger = self.ledger(by.tenant(), &key);
        let sha256 = asked.digest();
        match ledger.reserve(id, sha256, once.wait, self.clock.now()).await? {
            Reserved::Theirs(job) => Ok(Submitted {
                job: *job,
                replayed: true,
                rate: None,
            }),
            Reserved::InFlight => Err(SubmitError::InFlight),
            Reserved::Other => Err(SubmitError::KeyReused),
            Reserved::Ours => self.make(by, &ledger, id, asked, false).await,
            Reserved::Abandoned(id) => self.make(by, &ledger, id, asked, true).await,
        }
    }

    /// Makes the job that a key is reserved for.
    async fn make(
        &self,
        by: &Requester,
        ledger: &Ledger<'_>,
        id: JobId,
        asked: Asked,
        replayed: bool,
    ) -> Result<Submitted, SubmitError> {
        let made = async {
            let request = self.check_asked(by, asked).await?;
            let job = self.job(id, ledger.tenant.clone(), request);
            if replayed {
                return Ok((self.create_or_get(by, job).await?, None));
            }
            self.admit(by, job).await
        };
        match made.await {
            Ok((job, rate)) => Ok(Submitted { job, replayed, rate }),
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

    async fn check_asked(&self, by: &Requester, asked: Asked) -> Result<JobRequest, SubmitError> {
        let relaunch_of = asked.relaunch_of();
        let mut request = self.check(by, asked.body).await?;
        if let Some(origin) = &mut request.origin {
            origin.relaunch_of = relaunch_of;
        }
        Ok(request)
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
        may_run(by, &read)?;
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

    /// If a job is blocked and its request says so, cancels the older jobs that have its concurrency key or wait for it, as far as the caller may
    /// cancel them; returns the job as it is then.
    async fn without_rivals(&self, by: &Requester, job: Job) -> Result<Job, StoreError> {
        let cancels = job.request.options.concurrency_policy() == ConcurrencyPolicy::CancelRunning;
        if !cancels || job.state.blocked_on.is_none() {
            return Ok(job);
        }
        for id in self.dispatcher.rivals(&job, MAX_RIVALS).await? {
            let Ok(rival) = self.store.get(id, self.clock.now()).await else {
                continue;
            };
            let submitted_by = rival.request.origin.as_ref().map(|origin| origin.subject.as_str());
            if !by.caller.may_with_job_of(Action::JobsCancel, submitted_by) {
                continue;
            }
            match cancel(&self.dispatcher, &job.tenant, id, by.caller.name.clone()).await {
                Ok(_) => note(&*self.audit, NewEntry::of(by, Deed::JobCancel, Some(id.to_string()))).await,
                Err(error) => {
                    tracing::info!(job.id = %id, error = %causes(&error), "a job that had the concurrency key was not canceled");
                }
            }
        }
        self.store.get(job.id, self.clock.now()).await
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

    /// Records and queues a job, unless too many are waiting, or its tenant has used up what it may use.
    async fn admit(&self, by: &Requester, job: Job) -> Result<(Job, Option<SubmissionRate>), SubmitError> {
        let lane = Some(job.request.lane);
        if self.dispatcher.queue.is_longer_than(self.max_queued, lane).await? {
            return Err(SubmitError::QueueFull(self.max_queued));
        }
        // the queue does not have what waits for a slot
        let most_waiting = self.dispatcher.may_block(&job).then_some(self.max_queued);
        let rate = self.allowance.admit(&job.tenant, most_waiting).await??;
        Ok((self.create_or_get(by, job).await?, rate))
    }

    /// Records and queues a job. If a job with its id already exists, returns that job.
    pub(super) async fn create_or_get(&self, by: &Requester, job: Job) -> Result<Job, StoreError> {
        match self.store.create(&job).await {
            Ok(()) => {
                tracing::info!(job.id = %job.id, "job recorded");
                self.without_rivals(by, self.dispatcher.dispatched(job).await).await
            }
            Err(StoreError::Conflict) => {
                let job = self.store.get(job.id, self.clock.now()).await?;
                self.without_rivals(by, job).await
            }
            Err(error) => Err(error),
        }
    }
}

/// Checks that a caller may run what was read, and cancel what that cancels.
pub(super) fn may_run(by: &Requester, read: &Read) -> Result<(), Missing> {
    by.caller.may_run(&read.uses)?;
    if read.request.options.concurrency_policy() == ConcurrencyPolicy::CancelRunning {
        by.caller.may(Action::JobsCancel).map_err(|missing| {
            let mut faults = Faults::default();
            faults.add(
                "/options/concurrency_policy",
                format!("cancels jobs, for which the caller lacks the scope {}", missing.action),
            );
            Missing {
                faults: faults.into_inner(),
                ..missing
            }
        })?;
    }
    Ok(())
}
