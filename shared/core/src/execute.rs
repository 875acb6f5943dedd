//! Executing a job: claim it, run it under supervision, write how it ended, once.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::causes::causes;
use crate::id::JobId;
use crate::job::{CancelRequest, Job, Lease};
use crate::outcome::{Outcome, Reason};
use crate::output::Output;
use crate::ports::{JobQueue, JobStore, LogStore, Runner, StoreError};
use crate::supervise::Supervision;
use crate::time::Clock;
use crate::verdict::{unless_lost, verdict};

/// How much of a worker's time after its deadline the rest of the output may take.
const CLOSE_LIMIT: Duration = Duration::from_secs(40);
const FINISH_TRIES: u32 = 10;
const FINISH_PAUSE: Duration = Duration::from_millis(50);
/// How long a job waits for each attempt it has had before the next.
const RETRY_PAUSE: Duration = Duration::from_secs(1);

/// Why a running job is to be stopped.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum StopReason {
    /// Somebody asked for it.
    Canceled(CancelRequest),
    /// It ran longer than this.
    Timeout(Duration),
    /// It was silent for longer than this.
    IdleTimeout(Duration),
    /// The worker's own time is over.
    Deadline,
    /// The service is shutting down.
    Shutdown,
    /// The lease was lost, so the job may be somebody else's by now.
    LeaseLost,
}

/// Tells a runner when to stop a job.
#[derive(Clone)]
pub struct Stop(watch::Receiver<Option<StopReason>>);

impl Stop {
    /// Wraps the receiving end of the supervisor's channel.
    #[must_use]
    pub fn new(receiver: watch::Receiver<Option<StopReason>>) -> Self {
        Self(receiver)
    }

    /// Waits until the job is to be stopped; for ever if that never happens.
    pub async fn requested(&mut self) {
        if self.0.wait_for(Option::is_some).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// The times that a worker keeps.
#[derive(Clone, Copy, Debug)]
pub struct WorkerSettings {
    /// How long a claim holds without being renewed.
    pub lease: Duration,
    /// How often it is renewed; a cancel is noticed this soon.
    pub heartbeat: Duration,
    /// How often output is written out.
    pub flush: Duration,
}

/// What bounds one execution from outside the job.
#[derive(Clone)]
pub struct Limits {
    /// When the worker's own time is over.
    pub deadline: Option<Instant>,
    /// Becomes true when running jobs are to be stopped.
    pub shutdown: watch::Receiver<bool>,
}

/// What became of a message that named a job.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Disposition {
    /// The job was run, and its state written.
    Executed,
    /// The job is not there, has ended, or is somebody else's: there is nothing to do.
    Nothing,
}

/// Executes jobs, one call each.
#[derive(Clone)]
pub struct Worker {
    /// Records.
    pub store: Arc<dyn JobStore>,
    /// Where a job goes for another attempt.
    pub queue: Arc<dyn JobQueue>,
    /// Output.
    pub logs: Arc<dyn LogStore>,
    /// What runs the job.
    pub runner: Arc<dyn Runner>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Times.
    pub settings: WorkerSettings,
}

impl Worker {
    /// Claims a job and runs it to its end.
    ///
    /// # Errors
    /// The store could not be asked; the job is as it was, or its lease will run out.
    pub async fn execute(&self, id: JobId, limits: Limits) -> Result<Disposition, StoreError> {
        let now = self.clock.now();
        let lease = Lease {
            token: crate::id::LeaseToken::new(),
            until: now + self.settings.lease,
        };
        let job = match self.store.claim(id, lease, now).await {
            Ok(job) => job,
            Err(StoreError::Conflict | StoreError::NotFound) => return Ok(Disposition::Nothing),
            Err(error) => return Err(error),
        };
        tracing::info!(job.id = %id, job.attempt = job.state.attempt, "job started");
        let output = Output::new(self.logs.clone(), job.id, job.state.attempt);
        let (stop, stopped) = watch::channel(None);
        let deadline = limits.deadline;
        let supervision = Supervision {
            worker: self,
            job: &job,
            lease,
            output: &output,
            stop: &stop,
            limits,
        };
        let ended = tokio::select! {
            ended = self.runner.run(&job, &output, Stop::new(stopped)) => ended,
            never = supervision.watch() => match never {},
        };
        let reason = if ended.stopped { stop.borrow().clone() } else { None };
        if reason == Some(StopReason::LeaseLost) {
            tracing::warn!(job.id = %id, "the lease was lost; the job was stopped and nothing is written");
            return Ok(Disposition::Executed);
        }
        let end = async {
            let kept = self.close(&job, &output, deadline).await;
            let again = if kept { Again::WhereAllowed } else { Again::Never };
            self.conclude(&job, lease, unless_lost(verdict(ended, reason), kept), again)
                .await
        };
        tokio::select! {
            concluded = end => concluded,
            never = supervision.keep_lease() => match never {},
        }
    }

    /// Writes the rest of the output and seals it; tells whether all of it is kept.
    async fn close(&self, job: &Job, output: &Output, deadline: Option<Instant>) -> bool {
        let closed = match deadline {
            Some(deadline) => tokio::time::timeout_at((deadline + CLOSE_LIMIT).into(), output.close(true)).await,
            None => Ok(output.close(true).await),
        };
        match closed {
            Ok(Ok(_)) => return true,
            Ok(Err(error)) => {
                tracing::error!(job.id = %job.id, error = %causes(&error), "the output could not be kept");
            }
            Err(_) => tracing::error!(job.id = %job.id, "the output could not be kept in time"),
        }
        false
    }

    async fn conclude(
        &self,
        job: &Job,
        lease: Lease,
        outcome: Outcome,
        again: Again,
    ) -> Result<Disposition, StoreError> {
        let mut pause = FINISH_PAUSE;
        for attempt in 1.. {
            match conclude(
                &*self.store,
                &*self.queue,
                &*self.clock,
                job,
                lease,
                outcome.clone(),
                again,
            )
            .await
            {
                Err(error) if error.is_retryable() && attempt < FINISH_TRIES => tokio::time::sleep(pause).await,
                Err(StoreError::Conflict) if attempt > 1 => {
                    tracing::warn!(job.id = %job.id, "an earlier try has written the end, or the lease was lost");
                    break;
                }
                Err(StoreError::Conflict) => {
                    tracing::warn!(job.id = %job.id, "the lease was lost before the end could be written");
                    break;
                }
                Err(error) => return Err(error),
                Ok(()) => break,
            }
            pause *= 2;
        }
        Ok(Disposition::Executed)
    }
}

/// Whether an attempt may be followed by another.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Again {
    /// If reason and request allow it.
    WhereAllowed,
    /// In no case: the playbook came to its end.
    Never,
}

/// Writes the end of an attempt: the job's end, or its return to the queue where its request allows that.
///
/// # Errors
/// `Conflict` if the lease is lost; others as the store has them.
pub(crate) async fn conclude(
    store: &dyn JobStore,
    queue: &dyn JobQueue,
    clock: &dyn Clock,
    job: &Job,
    lease: Lease,
    outcome: Outcome,
    again: Again,
) -> Result<(), StoreError> {
    let again = again == Again::WhereAllowed
        && outcome.reason.is_some_and(Reason::is_retryable)
        && job.state.cancel.is_none()
        && job.state.attempt < job.request.options.max_attempts();
    if !again {
        let reason = outcome.reason;
        let status = outcome.status;
        store.finish(job.id, lease.token, outcome, clock.now()).await?;
        tracing::info!(job.id = %job.id, job.status = %status, job.reason = reason.map(Reason::as_str), "job ended");
        return Ok(());
    }
    store.release(job.id, lease.token).await?;
    tracing::warn!(job.id = %job.id, job.attempt = job.state.attempt, job.reason = outcome.reason.map(Reason::as_str), "job goes back to the queue");
    if queue.send(job.id, RETRY_PAUSE * job.state.attempt).await.is_ok() {
        store.mark_dispatched(job.id).await?;
    }
    Ok(())
}
