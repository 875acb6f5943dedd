//! The settings of a worker, and the limits of one execution.

use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::job::Rate;
use crate::output::OutputLimits;

/// How long after a worker's deadline writing the rest of the output may take.
const CLOSE_LIMIT: Duration = Duration::from_secs(40);
/// How long writing the end may take once the service is shutting down.
const SHUTDOWN_PATIENCE: Duration = Duration::from_secs(10);

/// How long ending a job takes in addition to its grace: a worker looks at its lease with each look at the limits, and kills what is left.
const ENDING: Duration = Duration::from_secs(2);

/// Returns how long a sweeper must see a lease unchanged before it takes the job. By then, a worker that could not renew the
/// lease for the time `lease` has stopped the job, with that grace.
#[must_use]
pub const fn shortest_silence(lease: Duration, grace: Duration) -> Duration {
    lease.saturating_add(grace).saturating_add(ENDING)
}

/// The settings of a worker.
#[derive(Clone, Copy, Debug)]
pub struct WorkerSettings {
    /// How long a job whose lease cannot be renewed goes on, if another process may take it in the meantime.
    pub lease: Option<Duration>,
    /// How often the lease is renewed; a cancel is noticed within this time.
    pub heartbeat: Duration,
    /// How long output waits to be written with what comes after it.
    pub flush: Duration,
    /// How often the limits of a job are looked at.
    pub look: Duration,
    /// How much output is kept.
    pub output: OutputLimits,
    /// How long a job that has ended waits for an unavailable log store, if its worker has no deadline.
    pub patience: Duration,
    /// Whether a job goes back to the queue if it could not be started because the machine was short of something, or could not be
    /// claimed because the store did not answer. Otherwise it fails.
    pub puts_back: bool,
    /// Whether a job that is to be tried again is sent to the queue. Otherwise, whoever runs it starts it again, or the sweep queues it
    /// once that has not happened.
    pub requeues: bool,
    /// What AWS charges for the worker's time; `None` elsewhere.
    pub rate: Option<Rate>,
}

/// The limits of one execution that come from outside the job.
#[derive(Clone)]
pub struct Limits {
    /// When the worker's own time runs out.
    pub deadline: Option<Instant>,
    /// Becomes true when running jobs must stop.
    pub shutdown: watch::Receiver<bool>,
}

impl Limits {
    /// Returns how long something that comes after the job itself may take; `otherwise` if nothing limits it.
    pub(super) fn patience(&self, otherwise: Duration) -> Duration {
        match self.deadline {
            Some(deadline) => (deadline + CLOSE_LIMIT).saturating_duration_since(Instant::now()),
            None if *self.shutdown.borrow() => SHUTDOWN_PATIENCE,
            None => otherwise,
        }
    }
}
