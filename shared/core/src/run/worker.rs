//! Executes a job: claims it, runs it under supervision, and writes how it ended, once.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tracing::{Instrument, Span};

use super::allowance::Allowance;
use super::dispatcher::Dispatcher;
use super::ending::{Again, detach, end_attempt, put_back};
use super::held::Held;
use super::outage::Outage;
use super::overrule::overrule;
use super::runner::{Detached, Ended, Runners};
use super::settings::{Limits, WorkerSettings};
use super::stop::{Stop, StopReason};
use super::supervise::Supervision;
use crate::base::causes::causes;
use crate::base::id::JobId;
use crate::base::store_error::StoreError;
use crate::base::time::{Clock, seconds};
use crate::job::{Job, JobStore, Lease, Outcome, Ticket};
use crate::output::{LogStore, Output};
use crate::request::Lane;

/// How long writing the end may take if a worker has no deadline.
const FINISH_PATIENCE: Duration = Duration::from_secs(3600);
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
const CLAIM_TRIES: u32 = 4;
/// After which pause a detached job is looked at again whose output cannot be looked at.
const UNSEEN_PAUSE: Duration = Duration::from_secs(10);

/// What happened to a message that named a job.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Disposition {
    /// The job was run, and its end written.
    Executed,
    /// The job is waiting again, and the queue has it; or it goes on without the worker. It is to be executed, or looked at, after this.
    Again(Duration),
    /// The job does not exist, has ended, or belongs to another worker: there is nothing to do.
    Nothing,
    /// The store did not answer: the job's id was sent to the queue again, for later.
    PutOff,
}

/// What is written when a job leaves its worker.
enum Leave {
    /// The attempt's outcome, and how it is tried again, if its runner says so.
    Ended(Box<Outcome>, Option<Again>),
    /// It could not be started.
    PutBack,
    /// It goes on without the worker.
    Detached(Detached),
}

/// Makes the span for everything that is logged while a job is handled. Its level is error, so that it is there at every level.
pub(crate) fn span(id: JobId) -> Span {
    tracing::error_span!("job", job.id = %id)
}

/// Executes jobs, one call each.
#[derive(Clone)]
pub struct Worker {
    /// The job records.
    pub store: Arc<dyn JobStore>,
    /// Gives a job to the queue for another attempt, and passes its slots on at its end.
    pub dispatcher: Dispatcher,
    /// The lane whose jobs it takes.
    pub lane: Lane,
    /// Counts the output that jobs leave.
    pub allowance: Allowance,
    /// The output of jobs.
    pub logs: Arc<dyn LogStore>,
    /// The runners, by kind.
    pub runners: Runners,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// The settings.
    pub settings: WorkerSettings,
    /// Tracks the leases that the worker holds.
    pub held: Held,
    /// Tracks since when the store has not answered.
    pub outage: Outage,
}

impl Worker {
    /// Claims a job and runs it to its end. If the store does not answer the claim, the job is sent to the queue again, so that
    /// the queue counts only faults of the job and not of the store.
    ///
    /// # Errors
    /// Neither the store nor the queue could be reached, or the store does not accept the claim. The job is unchanged, or its
    /// lease will run out.
    pub async fn execute(&self, ticket: &Ticket, limits: Limits) -> Result<Disposition, StoreError> {
        self.take(ticket, limits).instrument(span(ticket.id)).await
    }

    /// Looks at a job if it goes on without a worker, as [`Worker::execute`] does; starts none.
    ///
    /// # Errors
    /// As for [`Worker::execute`].
    pub async fn look(&self, id: JobId, limits: Limits) -> Result<Disposition, StoreError> {
        match self.store.get(id, self.clock.now()).await {
            Ok(job) if job.state.is_detached() => self.execute(&Ticket::of(&job), limits).await,
            Ok(_) | Err(StoreError::NotFound) => Ok(Disposition::Nothing),
            Err(error) => Err(error),
        }
    }

    async fn take(&self, ticket: &Ticket, limits: Limits) -> Result<Disposition, StoreError> {
        let lease = Lease::new();
        let _holding = self.held.hold(lease.token);
        let claimed_at = self.clock.elapsed();
        let claimed = self.claim(ticket.id, lease).await;
        if !claimed.as_ref().is_err_and(StoreError::is_retryable) {
            self.outage.end();
        }
        let mut job = match claimed {
            Ok(job) => job,
            Err(StoreError::Conflict | StoreError::NotFound) => return Ok(Disposition::Nothing),
            Err(error) if error.is_retryable() && self.settings.puts_back => return self.put_off(ticket, error).await,
            Err(error) => return Err(error),
        };
        tracing::info!(job.attempt = job.state.attempt, "job started");
        let work = std::mem::take(&mut job.request.work);
        let Some(output) = self.output(&job).await else {
            let by = job.state.detached.take().unwrap_or_default();
            let pause = UNSEEN_PAUSE;
            let again = Leave::Detached(Detached { by, pause });
            return self.leave(&job, lease, again, &limits).await;
        };
        // of a job that was detached, this is known from the beginning
        let (stop, stopped) = watch::channel(job.state.cancel.clone().map(StopReason::Canceled));
        let ending = limits.clone();
        let supervision = Supervision {
            store: &*self.store,
            clock: &*self.clock,
            settings: &self.settings,
            job: &job,
            lease: Mutex::new((lease, claimed_at)),
            output: &output,
            stop: &stop,
            limits,
        };
        let ended = tokio::select! {
            ended = self.runners.run(&job, work, &output, Stop::new(stopped)) => ended,
            never = supervision.watch() => match never {},
        };
        let reason = if ended.stopped { stop.borrow().clone() } else { None };
        let lost = job.state.detached.is_some() && *stop.borrow() == Some(StopReason::LeaseLost);
        if lost || reason == Some(StopReason::LeaseLost) {
            tracing::warn!("the lease was lost; the job was stopped and nothing is written");
            return Ok(Disposition::Executed);
        }
        let end = async {
            if ended.short && self.settings.puts_back {
                return self.leave(&job, lease, Leave::PutBack, &ending).await;
            }
            if let Some(detached) = ended.detached {
                supervision.tell_progress().await;
                return self.leave(&job, lease, Leave::Detached(detached), &ending).await;
            }
            self.close(&output, &ending).await;
            let left = ended.left.clone();
            let again = ended
                .again
                .filter(|_| reason.is_none())
                .map(|pause| Again { pause, left });
            let outcome = overrule(self.with_usage(ended, &job, claimed_at, &output).await, reason);
            self.leave(&job, lease, Leave::Ended(Box::new(outcome), again), &ending)
                .await
        };
        tokio::select! {
            concluded = end => concluded,
            never = supervision.keep_lease() => match never {},
        }
    }

    /// Opens the output of an attempt; `None` if it cannot be had now. A look at a detached one may have written a part of it, and not
    /// have come to the end.
    async fn output(&self, job: &Job) -> Option<Output> {
        let (logs, attempt, limits) = (self.logs.clone(), job.state.attempt, self.settings.output);
        let new = Output::new(logs.clone(), job.id, attempt, limits);
        if job.state.detached.is_none() {
            return Some(new);
        }
        match Output::resume(logs, job.id, attempt, limits).await {
            Ok(resumed) => Some(resumed),
            Err(error) if error.is_retryable() => {
                tracing::warn!(error = %causes(&error), "the output of a detached job could not be looked at");
                None
            }
            Err(error) => {
                let error = causes(&error);
                tracing::error!(%error, "the output of a detached job cannot be gone on with; the rest is not kept");
                new.discard();
                Some(new)
            }
        }
    }

    /// Claims a job. A claim whose answer was lost is repeated, so that it does not count as the claim of a lost worker.
    async fn claim(&self, id: JobId, lease: Lease) -> Result<Job, StoreError> {
        let now = self.clock.now();
        let mut pause = FIRST_PAUSE;
        for _ in 1..CLAIM_TRIES {
            match self.store.claim(id, lease, now).await {
                Err(error) if error.is_retryable() => tokio::time::sleep(pause).await,
                claimed => return claimed,
            }
            pause *= 4;
        }
        self.store.claim(id, lease, now).await
    }

    /// Completes what the runner reports about the attempt's usage.
    async fn with_usage(&self, mut ended: Ended, job: &Job, claimed_at: Duration, output: &Output) -> Ended {
        let usage = ended.outcome.usage.get_or_insert_default();
        usage.output_bytes = output.size().await;
        if let (Some(_), Some(started)) = (&job.state.detached, job.state.started_at) {
            // the worker's own time was that of some looks
            usage.duration_seconds = seconds(self.clock.now().since(started));
            return ended;
        }
        usage.duration_seconds = seconds(self.clock.elapsed().saturating_sub(claimed_at));
        if let Some(rate) = &self.settings.rate {
            rate.charge(usage);
        }
        ended
    }

    /// Sends the id of a job that could not be claimed to the queue again. Only after that may the receiver delete the message.
    async fn put_off(&self, ticket: &Ticket, error: StoreError) -> Result<Disposition, StoreError> {
        let pause = self.outage.pause(self.clock.elapsed(), ticket.id);
        let (told, pause_s) = (causes(&error).to_string(), pause.as_secs());
        match self.dispatcher.queue.send(ticket, pause).await {
            Ok(()) => {
                tracing::warn!(error = told, pause_s, "the job could not be claimed and is put off");
                Ok(Disposition::PutOff)
            }
            Err(unsent) => {
                tracing::error!(error = %causes(&unsent), "the job could not be put off");
                Err(error)
            }
        }
    }

    /// Writes the rest of the output and seals it. If that fails, the log itself shows it: it has no manifest.
    async fn close(&self, output: &Output, limits: &Limits) {
        if let Err(error) = output.close(true, limits.patience(self.settings.patience)).await {
            tracing::error!(error = %causes(&error), "the output could not be kept");
        }
    }

    /// Writes that the job leaves this worker, trying for as long as it takes, because the job belongs to the worker until then.
    async fn leave(&self, job: &Job, lease: Lease, leave: Leave, limits: &Limits) -> Result<Disposition, StoreError> {
        let started = Instant::now();
        let mut pause = FIRST_PAUSE;
        loop {
            let (dispatcher, requeues) = (&self.dispatcher, self.settings.requeues);
            let written = match &leave {
                Leave::Ended(outcome, again) => {
                    end_attempt(dispatcher, requeues, job, lease, Outcome::clone(outcome), again.clone()).await
                }
                Leave::PutBack => put_back(dispatcher, requeues, job, lease).await,
                Leave::Detached(detached) => detach(dispatcher, requeues, job, lease, detached).await,
            };
            match written {
                Ok(again) => {
                    if let Leave::Ended(outcome, _) = &leave {
                        let bytes = outcome.usage.as_ref().map_or(0, |usage| usage.output_bytes);
                        self.allowance.note_output(job, bytes).await;
                    }
                    return Ok(again.map_or(Disposition::Executed, Disposition::Again));
                }
                Err(StoreError::Conflict) => {
                    tracing::warn!("an earlier try has written the end, or the lease was lost");
                    return Ok(Disposition::Executed);
                }
                Err(error) if error.is_retryable() && started.elapsed() < limits.patience(FINISH_PATIENCE) => {
                    let error = causes(&error);
                    tracing::warn!(%error, "the end could not be written yet");
                }
                Err(error) => return Err(error),
            }
            tokio::time::sleep(pause).await;
            pause = LONGEST_PAUSE.min(pause * 2);
        }
    }
}
