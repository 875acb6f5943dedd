//! The sweep: ends jobs whose worker is lost, queues jobs that the queue was never given or has delivered in vain, and gives up jobs
//! that have waited for too long.
//!
//! A worker is lost when its lease was seen unchanged for long enough by one and the same clock, that of whoever looks:
//! no two machines need to agree on the time.

use std::sync::Arc;
use std::time::Duration;

use tracing::Instrument;

use super::damage::Damage;
use super::doubt::Doubt;
use super::seen::{Leases, Unclaimed};
use crate::base::causes::causes;
use crate::base::id::JobId;
use crate::base::store_error::StoreError;
use crate::base::time::Clock;
use crate::job::{Job, JobQueue, JobStore, Lease, Outcome};
use crate::output::{LogStore, seal_lost};
use crate::request::Reason;
use crate::run::{Held, dispatch, end_attempt, span};

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
    /// Jobs that are watched: those that run, and those that wait although the queue has nothing left to deliver.
    pub watched: u32,
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
    /// What this sweeper saw before.
    pub seen: Seen,
    /// Records that are damaged.
    pub damage: Damage,
    /// Whether the clock is believed.
    pub doubt: Doubt,
}

/// What a sweeper remembers.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    leases: Leases,
    unclaimed: Unclaimed,
}

impl Sweeper {
    /// Sweeps once. A job that cannot be dealt with keeps no other from it.
    ///
    /// # Errors
    /// The store or the queue is unavailable; the next sweep goes on where this one stopped.
    pub async fn sweep(&self) -> Result<Swept, StoreError> {
        let mut swept = Swept::default();
        let lost = self.end_lost(&mut swept).await;
        let dispatched = self.dispatch(&mut swept).await;
        let again = self.dispatch_again(&mut swept).await;
        let abandoned = self.abandon(&mut swept).await;
        lost.and(dispatched).and(again).and(abandoned).map(|()| swept)
    }

    async fn end_lost(&self, swept: &mut Swept) -> Result<(), StoreError> {
        let before = self.clock.elapsed();
        let mut running = self.store.running(MAX_WATCHED).await?;
        swept.watched += u32::try_from(running.len()).unwrap_or(u32::MAX);
        running.retain(|(_, lease)| !self.held.has(lease.token));
        let leases = &self.seen.leases;
        let silent = leases.note(&running, before, self.clock.elapsed(), self.settings.silence);
        for (id, lease) in silent.into_iter().take(BATCH as usize) {
            match self.end(id, lease).instrument(span(id)).await {
                Ok(()) => swept.lost += 1,
                Err(StoreError::Conflict | StoreError::NotFound) => {}
                Err(error) if error.is_retryable() => {
                    // a store that took no writes took no renewals either
                    leases.clear();
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
            tracing::warn!(%error, "the output of a lost job could not be sealed");
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

    /// Queues jobs again that wait although the queue has delivered all it had: whoever received them died before the claim, and the queue
    /// hides their messages still. One that was received only now is claimed once, however often it is delivered.
    async fn dispatch_again(&self, swept: &mut Swept) -> Result<(), StoreError> {
        let unclaimed = &self.seen.unclaimed;
        let before = self.clock.elapsed();
        if self.queue.is_longer_than(0).await? {
            unclaimed.restart(before);
            return Ok(());
        }
        let waiting = self.store.queued(BATCH).await?;
        swept.watched += u32::try_from(waiting.len()).unwrap_or(u32::MAX);
        for id in unclaimed.note(&waiting, before, self.clock.elapsed()) {
            self.queue.send(id, Duration::ZERO).await?;
            swept.dispatched += 1;
            tracing::warn!(job.id = %id, "the job waits and the queue has nothing to deliver: it is queued again");
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
