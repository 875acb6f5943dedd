//! The times that a worker keeps, and what bounds one execution.

use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::job::Rate;
use crate::output::OutputLimits;

/// How much of a worker's time after its deadline the rest of the output may take.
const CLOSE_LIMIT: Duration = Duration::from_secs(40);
/// How long the writing of the end may take once the service is shutting down.
const SHUTDOWN_PATIENCE: Duration = Duration::from_secs(10);

/// How long the end of a job takes beside its grace: a worker looks at its lease with every flush, and kills what is left.
const ENDING: Duration = Duration::from_secs(2);

/// Returns how long a sweeper must see a lease as it is before it takes the job: by then, a worker that could not renew it for
/// `lease` has stopped the job, with that grace.
#[must_use]
pub const fn shortest_silence(lease: Duration, grace: Duration) -> Duration {
    lease.saturating_add(grace).saturating_add(ENDING)
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
    /// What AWS charges for the worker's time; none elsewhere.
    pub rate: Option<Rate>,
}

/// What bounds one execution from outside the job.
#[derive(Clone)]
pub struct Limits {
    /// When the worker's own time is over.
    pub deadline: Option<Instant>,
    /// Becomes true when running jobs are to be stopped.
    pub shutdown: watch::Receiver<bool>,
}

impl Limits {
    /// Returns how long something may take that comes after the job itself; `otherwise` where nothing bounds it.
    pub(super) fn patience(&self, otherwise: Duration) -> Duration {
        match self.deadline {
            Some(deadline) => (deadline + CLOSE_LIMIT).saturating_duration_since(Instant::now()),
            None if *self.shutdown.borrow() => SHUTDOWN_PATIENCE,
            None => otherwise,
        }
    }
}
