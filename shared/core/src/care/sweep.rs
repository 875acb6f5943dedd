//! The sweep: ends jobs whose worker is lost, queues jobs that the queue was never given, and gives up jobs that have
//! waited for too long.
//!
//! A worker is lost when its lease was seen unchanged for long enough by one and the same clock, that of whoever looks:
//! no two machines need to agree on the time.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::damage::Damage;
use super::doubt::Doubt;
use crate::base::causes::causes;
use crate::base::id::JobId;
use crate::base::store_error::StoreError;
use crate::base::time::Clock;
use crate::job::{Job, JobQueue, JobStore, Lease, Outcome};
use crate::output::{LogStore, seal_lost};
use crate::request::Reason;
use crate::run::{Held, dispatch, end_attempt};

/// How many jobs of each kind one sweep touches.
const BATCH: u32 = 100;
/// How many running jobs are watched.
const MAX_WATCHED: u32 = 10_000;
const DAY: Duration = Duration::from_secs(24 * 3600);

/// What one sweep did.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Swept {
    /// Jobs whose worker was lost.
    pub lost: u32,
    /// Jobs given to the queue.
    pub dispatched: u32,
    /// Jobs that had waited for too long.
    pub abandoned: u32,
    /// Jobs that run.
    pub running: u32,
}

impl Swept {
    /// Tells whether anything was done.
    #[must_use]
    pub fn did_something(&self) -> bool {
        self.lost + self.dispatched + self.abandoned > 0
    }
}

/// The times that a sweep keeps.
#[derive(Clone, Copy, Debug)]
pub struct SweepSettings {
    /// How long a lease may stay as it is: longer than a worker that cannot renew it takes to stop its job.
    pub silence: Duration,
    /// How long a job may wait for a worker.
    pub max_wait: Duration,
}

impl SweepSettings {
    /// Makes settings for jobs that are kept for `retention`.
    #[must_use]
    pub fn new(silence: Duration, retention: Duration) -> Self {
        let max_wait = retention.min(DAY * 14);
        Self { silence, max_wait }
    }
}

/// Sweeps, and remembers between sweeps what it saw. Clones share that.
#[derive(Clone)]
pub struct Sweeper {
    /// Records.
    pub store: Arc<dyn JobStore>,
    /// Where jobs go.
    pub queue: Arc<dyn JobQueue>,
    /// Output.
    pub logs: Arc<dyn LogStore>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Times.
    pub settings: SweepSettings,
    /// Leases of this very process: where no other can take its jobs, they are not lost while it lives.
    pub held: Held,
    /// Leases, and when each was first seen as it is.
    pub seen: Seen,
    /// Records that are damaged.
    pub damage: Damage,
    /// Whether the clock is believed.
    pub doubt: Doubt,
}

/// The leases that a sweeper remembers.
#[derive(Clone, Debug, Default)]
pub struct Seen(Arc<Mutex<HashMap<JobId, (Lease, Duration)>>>);

impl Sweeper {
    /// Sweeps once. A job that cannot be dealt with keeps no other from it.
    ///
    /// # Errors
    /// The store or the queue is unavailable; the next sweep goes on where this one stopped.
    pub async fn sweep(&self) -> Result<Swept, StoreError> {
        let mut swept = Swept::default();
        let lost = self.end_lost(&mut swept).await;
        let dispatched = self.dispatch(&mut swept).await;
        let abandoned = self.abandon(&mut swept).await;
        lost.and(dispatched).and(abandoned).map(|()| swept)
    }

    async fn end_lost(&self, swept: &mut Swept) -> Result<(), StoreError> {
        let before = self.clock.elapsed();
        let mut running = self.store.running(MAX_WATCHED).await?;
        swept.running = u32::try_from(running.len()).unwrap_or(u32::MAX);
        running.retain(|(_, lease)| !self.held.has(lease.token));
        let silent = self
            .seen
            .note(&running, before, self.clock.elapsed(), self.settings.silence);
        for (id, lease) in silent.into_iter().take(BATCH as usize) {
            match self.end(id, lease).await {
                Ok(()) => swept.lost += 1,
                Err(StoreError::Conflict | StoreError::NotFound) => {}
                Err(error) if error.is_retryable() => {
                    // a store that took no writes took no renewals either
                    self.seen.clear();
                    return Err(error);
                }
                Err(error @ StoreError::Corrupt(_)) => self.damage.tell(Some(id), &error),
                Err(error) => tracing::error!(job.id = %id, error = %causes(&error), "a lost job cannot be ended"),
            }
        }
        Ok(())
    }

    /// Takes a job from its lost worker and ends it, or has it tried again.
    async fn end(&self, id: JobId, silent: Lease) -> Result<(), StoreError> {
        let lease = Lease::new();
        let job = self.store.seize(id, silent, lease).await?;
        if let Err(error) = seal_lost(&*self.logs, id, job.state.attempt).await {
            let error = causes(&error);
            tracing::warn!(job.id = %id, %error, "the output of a lost job could not be sealed");
        }
        let outcome = match &job.state.cancel {
            Some(cancel) => crate::job::canceled(cancel),
            None => Outcome {
                progress: job.state.progress.clone(),
                ..Outcome::failed(Reason::LOST, lost(&job))
            },
        };
        end_attempt(&*self.store, &*self.queue, &*self.clock, &job, lease, outcome).await
    }

    /// Queues jobs that the queue is not known to have.
    async fn dispatch(&self, swept: &mut Swept) -> Result<(), StoreError> {
        for job in self.store.due(self.clock.now(), BATCH).await? {
            match dispatch(&*self.store, &*self.queue, job, Duration::ZERO).await {
                Ok(()) | Err(StoreError::NotFound) => swept.dispatched += 1,
                Err(error @ StoreError::Corrupt(_)) => self.damage.tell(Some(job.id), &error),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Ends jobs that no worker took: the queue keeps no message for ever.
    async fn abandon(&self, swept: &mut Swept) -> Result<(), StoreError> {
        if !self.doubt.believes(&*self.clock) {
            return Ok(());
        }
        let now = self.clock.now();
        for id in self.store.pending_since(now - self.settings.max_wait, BATCH).await? {
            let hours = self.settings.max_wait.as_secs() / 3600;
            let error = format!("The job waited for {hours} h, and no worker took it.");
            match self
                .store
                .abandon(id, Outcome::failed(Reason::UNDELIVERABLE, error), now)
                .await
            {
                Ok(()) => swept.abandoned += 1,
                Err(StoreError::Conflict | StoreError::NotFound) => {}
                Err(error @ StoreError::Corrupt(_)) => self.damage.tell(Some(id), &error),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

fn lost(job: &Job) -> String {
    let attempt = job.state.attempt;
    let again = job.request.options.max_attempts() > 1;
    let attempt = if again {
        format!("attempt {attempt} of ")
    } else {
        String::new()
    };
    format!("The worker that ran {attempt}the job stopped reporting; its output ends where it was last written.")
}

impl Seen {
    /// Notes the leases that a look found which began and ended at these times. Returns those that have been as they are
    /// for so long.
    fn note(
        &self,
        running: &[(JobId, Lease)],
        began: Duration,
        ended: Duration,
        silence: Duration,
    ) -> Vec<(JobId, Lease)> {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = std::mem::take(&mut *seen);
        let mut silent = Vec::new();
        for (id, lease) in running {
            let since = match known.get(id) {
                Some((as_before, since)) if as_before == lease => *since,
                _ => ended,
            };
            if began.saturating_sub(since) >= silence {
                silent.push((*id, *lease));
            }
            seen.insert(*id, (*lease, since));
        }
        silent
    }

    fn clear(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}
