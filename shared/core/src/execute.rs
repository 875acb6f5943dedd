//! Executing a job: claim it, run it under supervision, write how it ended, once.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::attempt::Attempt;
use crate::causes::causes;
use crate::dispatch::dispatch;
use crate::id::{JobId, LeaseToken};
use crate::job::{CancelRequest, DISPATCH_GRACE, Job, JobStatus, Lease};
use crate::outage::Outage;
use crate::outcome::{Outcome, Reason};
use crate::output::{Output, OutputLimits};
use crate::ports::{DueJob, JobQueue, JobStore, LogStore, Runner, StoreError};
use crate::supervise::Supervision;
use crate::time::Clock;
use crate::verdict::verdict;

/// How much of a worker's time after its deadline the rest of the output may take.
const CLOSE_LIMIT: Duration = Duration::from_secs(40);
/// How long the writing of the end may take where a worker has no deadline.
const FINISH_PATIENCE: Duration = Duration::from_secs(3600);
/// How long the writing of the end may take once the service is shutting down.
const SHUTDOWN_PATIENCE: Duration = Duration::from_secs(10);
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
const CLAIM_TRIES: u32 = 4;
/// How long a job waits before its second attempt, on the average one and a half times as long; twice as long before the
/// third, and so on.
const RETRY_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_RETRY_PAUSE: Duration = Duration::from_secs(300);
/// How long a job waits that the machine was too short of something to start; on the average one and a half times as long.
const SHORT_PAUSE: Duration = Duration::from_secs(4);

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
    /// How long a job goes on whose lease cannot be renewed, where another process may take it meanwhile.
    pub lease: Option<Duration>,
    /// How often it is renewed; a cancel is noticed this soon.
    pub heartbeat: Duration,
    /// How often output is written out.
    pub flush: Duration,
    /// How much output is kept.
    pub output: OutputLimits,
    /// How long a job that has ended waits for a log store that is unavailable, where its worker has no deadline.
    pub patience: Duration,
    /// Whether a job goes back to the queue that could not be started, because the machine was short of something, or claimed,
    /// because the store did not answer. Else it fails.
    pub puts_back: bool,
}

/// What bounds one execution from outside the job.
#[derive(Clone)]
pub struct Limits {
    /// When the worker's own time is over.
    pub deadline: Option<Instant>,
    /// Becomes true when running jobs are to be stopped.
    pub shutdown: watch::Receiver<bool>,
}

/// The leases that workers of this process hold. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Held(Arc<Mutex<HashSet<LeaseToken>>>);

impl Held {
    /// Tells whether a worker of this process holds the lease.
    #[must_use]
    pub fn has(&self, token: LeaseToken) -> bool {
        self.with(|held| held.contains(&token))
    }

    fn hold(&self, token: LeaseToken) -> Holding {
        self.with(|held| held.insert(token));
        Holding(self.clone(), token)
    }

    fn with<T>(&self, change: impl FnOnce(&mut HashSet<LeaseToken>) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Holds a lease until it is dropped, also by a panic.
struct Holding(Held, LeaseToken);

impl Drop for Holding {
    fn drop(&mut self) {
        self.0.with(|held| held.remove(&self.1));
    }
}

/// What became of a message that named a job.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Disposition {
    /// The job was run, and its state written.
    Executed,
    /// The job is not there, has ended, or is somebody else's: there is nothing to do.
    Nothing,
    /// The store did not answer: the job's id was sent to the queue again, for later.
    PutOff,
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
    /// Where it notes which leases it holds.
    pub held: Held,
    /// Where it notes since when the store does not answer.
    pub outage: Outage,
}

impl Worker {
    /// Claims a job and runs it to its end. A job that cannot be claimed for want of an answer is sent to the queue anew, so
    /// that what the queue counts are faults of the job and not of the store.
    ///
    /// # Errors
    /// The store could not be asked, nor the queue; or it does not take the claim. The job is as it was, or its lease will run
    /// out.
    pub async fn execute(&self, id: JobId, limits: Limits) -> Result<Disposition, StoreError> {
        let lease = Lease::new();
        let _holding = self.held.hold(lease.token);
        let claimed_at = self.clock.elapsed();
        let claimed = self.claim(id, lease).await;
        if !claimed.as_ref().is_err_and(StoreError::is_retryable) {
            self.outage.end();
        }
        let job = match claimed {
            Ok(job) => job,
            Err(StoreError::Conflict | StoreError::NotFound) => return Ok(Disposition::Nothing),
            Err(error) if error.is_retryable() && self.settings.puts_back => return self.put_off(id, error).await,
            Err(error) => return Err(error),
        };
        tracing::info!(job.id = %id, job.attempt = job.state.attempt, "job started");
        let output = Output::new(self.logs.clone(), job.id, job.state.attempt, self.settings.output);
        let (stop, stopped) = watch::channel(None);
        let ending = limits.clone();
        let supervision = Supervision {
            worker: self,
            job: &job,
            lease: Mutex::new((lease, claimed_at)),
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
            if ended.short && self.settings.puts_back {
                return self.conclude(&job, lease, None, &ending).await;
            }
            self.close(&job, &output, &ending).await;
            let outcome = verdict(ended, reason);
            self.conclude(&job, lease, Some(outcome), &ending).await
        };
        tokio::select! {
            concluded = end => concluded,
            never = supervision.keep_lease() => match never {},
        }
    }

    /// Claims a job. A claim whose answer was lost is repeated, so that it does not count as that of a lost worker.
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

    /// Sends the id of a job that could not be claimed again. Whoever received it may delete the message then, and only then.
    async fn put_off(&self, id: JobId, error: StoreError) -> Result<Disposition, StoreError> {
        let pause = self.outage.pause(self.clock.elapsed(), id);
        let (told, pause_s) = (causes(&error).to_string(), pause.as_secs());
        match self.queue.send(id, pause).await {
            Ok(()) => {
                tracing::warn!(job.id = %id, error = told, pause_s, "the job could not be claimed and is put off");
                Ok(Disposition::PutOff)
            }
            Err(unsent) => {
                tracing::error!(job.id = %id, error = %causes(&unsent), "the job could not be put off");
                Err(error)
            }
        }
    }

    /// Writes the rest of the output and seals it. What is missing then, the log says itself: it has no manifest.
    async fn close(&self, job: &Job, output: &Output, limits: &Limits) {
        if let Err(error) = output.close(true, limits.patience(self.settings.patience)).await {
            tracing::error!(job.id = %job.id, error = %causes(&error), "the output could not be kept");
        }
    }

    /// Writes the end of the attempt, for as long as it takes: until then, the job is this worker's. Without an outcome, it
    /// is put back.
    async fn conclude(
        &self,
        job: &Job,
        lease: Lease,
        outcome: Option<Outcome>,
        limits: &Limits,
    ) -> Result<Disposition, StoreError> {
        let started = Instant::now();
        let mut pause = FIRST_PAUSE;
        loop {
            let (store, queue, clock) = (&*self.store, &*self.queue, &*self.clock);
            let written = match &outcome {
                Some(outcome) => conclude(store, queue, clock, job, lease, outcome.clone()).await,
                None => put_back(store, queue, clock, job, lease).await,
            };
            match written {
                Ok(()) => break,
                Err(StoreError::Conflict) => {
                    tracing::warn!(job.id = %job.id, "an earlier try has written the end, or the lease was lost");
                    break;
                }
                Err(error) if error.is_retryable() && started.elapsed() < limits.patience(FINISH_PATIENCE) => {
                    let error = causes(&error);
                    tracing::warn!(job.id = %job.id, %error, "the end could not be written yet");
                }
                Err(error) => return Err(error),
            }
            tokio::time::sleep(pause).await;
            pause = LONGEST_PAUSE.min(pause * 2);
        }
        Ok(Disposition::Executed)
    }
}

impl Limits {
    /// Returns how long something may take that comes after the job itself; `otherwise` where nothing bounds it.
    fn patience(&self, otherwise: Duration) -> Duration {
        match self.deadline {
            Some(deadline) => (deadline + CLOSE_LIMIT).saturating_duration_since(Instant::now()),
            None if *self.shutdown.borrow() => SHUTDOWN_PATIENCE,
            None => otherwise,
        }
    }
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
) -> Result<(), StoreError> {
    let again = outcome.reason.is_some_and(Reason::is_retryable)
        && job.state.cancel.is_none()
        && job.state.attempt < job.request.options.max_attempts();
    if !again {
        let reason = outcome.reason;
        let status = outcome.status;
        let cancel = store.finish(job.id, lease.token, outcome, clock.now()).await?;
        if let Some(cancel) = cancel.filter(|_| status != JobStatus::Canceled) {
            tracing::info!(job.id = %job.id, cancel.by = cancel.by, "the cancel came too late: the job had ended");
        }
        tracing::info!(job.id = %job.id, job.status = %status, job.reason = reason.map(Reason::as_str), "job ended");
        return Ok(());
    }
    let (delay, now) = (retry_delay(job), clock.now());
    let due = now + delay + DISPATCH_GRACE;
    let ended = Attempt::begun(job.state.attempt, job.state.started_at).ended(&outcome, Some(now));
    store.release(job.id, lease.token, ended, due).await?;
    tracing::warn!(job.id = %job.id, job.attempt = job.state.attempt, job.reason = outcome.reason.map(Reason::as_str), "job goes back to the queue");
    queue_again(store, queue, DueJob { id: job.id, due }, delay).await;
    Ok(())
}

/// Returns a job to the queue that could not be started.
async fn put_back(
    store: &dyn JobStore,
    queue: &dyn JobQueue,
    clock: &dyn Clock,
    job: &Job,
    lease: Lease,
) -> Result<(), StoreError> {
    let delay = SHORT_PAUSE.mul_f64(1.0 + job.id.spread());
    let due = clock.now() + delay + DISPATCH_GRACE;
    store.put_back(job.id, lease.token, due).await?;
    tracing::warn!(job.id = %job.id, "job goes back to the queue: it could not be started");
    queue_again(store, queue, DueJob { id: job.id, due }, delay).await;
    Ok(())
}

/// Queues a job that was given back; what fails here, the sweep makes up for.
async fn queue_again(store: &dyn JobStore, queue: &dyn JobQueue, job: DueJob, delay: Duration) {
    if let Err(error) = dispatch(store, queue, job, delay).await {
        tracing::warn!(job.id = %job.id, error = %causes(&error), "the job waits for the sweep to be queued");
    }
}

/// Returns how long a job waits before its next attempt. Jobs that were lost together do not come back together.
fn retry_delay(job: &Job) -> Duration {
    let doubled = 1_u32 << job.state.attempt.saturating_sub(1).min(16);
    let pause = (RETRY_PAUSE * doubled).min(LONGEST_RETRY_PAUSE);
    pause.mul_f64(1.0 + job.id.spread())
}
