//! The sweep: ends jobs whose worker is lost, queues jobs that the queue never received or delivered in vain, and gives up jobs that
//! have waited too long.
//!
//! A worker is lost when one sweeper, by its own clock, has seen its lease unchanged for long enough. No two machines need to
//! agree on the time.

use std::collections::HashSet;
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
use crate::job::{Job, JobStore, Lease, Outcome};
use crate::output::{LogStore, seal_lost};
use crate::request::{Lane, Reason};
use crate::run::{Allowance, Dispatcher, Held, end_attempt, span};

/// How many jobs each step of a sweep handles at most.
const BATCH: u32 = 100;
/// How many running jobs are watched at most.
const MAX_WATCHED: u32 = 10_000;
/// How long before a job is due it is watched.
const SOON: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 3600);

/// What one sweep did.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Swept {
    /// Jobs whose worker was lost.
    pub lost: u32,
    /// Jobs given to the queue.
    pub dispatched: u32,
    /// Jobs that had waited too long.
    pub abandoned: u32,
    /// What is watched: running jobs, jobs that wait although the queue has nothing left to deliver, and, where no job runs, one that is
    /// soon due.
    pub watched: u32,
}

impl Swept {
    /// Returns whether anything was done.
    #[must_use]
    pub fn did_something(&self) -> bool {
        self.lost + self.dispatched + self.abandoned > 0
    }
}

/// The time limits of a sweep.
#[derive(Clone, Copy, Debug)]
pub struct SweepSettings {
    /// How long a lease may stay unchanged: longer than a worker that cannot renew it takes to stop its job.
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

/// Sweeps jobs and remembers between sweeps what it saw. Clones share that memory.
#[derive(Clone)]
pub struct Sweeper {
    /// The job records.
    pub store: Arc<dyn JobStore>,
    /// Gives jobs to the queue.
    pub dispatcher: Dispatcher,
    /// Counts the output that jobs leave.
    pub allowance: Allowance,
    /// The output of jobs.
    pub logs: Arc<dyn LogStore>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// The time limits.
    pub settings: SweepSettings,
    /// The leases that this process holds. If no other process can take its jobs, they are not lost while this process lives.
    pub held: Held,
    /// What this sweeper saw before.
    pub seen: Seen,
    /// The damaged records.
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
    /// Sweeps once. A job that cannot be handled does not block the others.
    ///
    /// # Errors
    /// The store or the queue is unavailable; the next sweep continues where this one stopped.
    pub async fn sweep(&self) -> Result<Swept, StoreError> {
        let mut swept = Swept::default();
        let lost = self.end_lost(&mut swept).await;
        let dispatched = self.dispatch(&mut swept).await;
        let again = self.dispatch_again(&mut swept).await;
        let abandoned = self.abandon(&mut swept).await;
        // the last, since there may be many slots
        let mended = match &lost {
            Ok(alive) => self.dispatcher.mend(alive).await,
            Err(_) => Ok(()),
        };
        let done = lost.map(drop).and(dispatched).and(again).and(abandoned).and(mended);
        done.map(|()| swept)
    }

    /// Ends jobs whose worker is lost; returns those that were found running.
    async fn end_lost(&self, swept: &mut Swept) -> Result<HashSet<JobId>, StoreError> {
        let before = self.clock.elapsed();
        let mut running = self.store.running(MAX_WATCHED).await?;
        let mut alive: HashSet<JobId> = running.iter().map(|(id, _)| *id).collect();
        swept.watched += u32::try_from(running.len()).unwrap_or(u32::MAX);
        running.retain(|(_, lease)| !self.held.has(lease.token));
        let leases = &self.seen.leases;
        let silent = leases.note(&running, before, self.clock.elapsed(), self.settings.silence);
        for (id, lease) in silent.into_iter().take(BATCH as usize) {
            alive.remove(&id);
            match self.end(id, lease).instrument(span(id)).await {
                Ok(lost) => swept.lost += u32::from(lost),
                Err(StoreError::Conflict | StoreError::NotFound) => {}
                Err(error) if error.is_retryable() => {
                    // a store that accepted no writes accepted no renewals either
                    leases.clear();
                    return Err(error);
                }
                Err(error @ StoreError::Corrupt(_)) => self.damage.tell(Some(id), &error),
                Err(error) => tracing::error!(job.id = %id, error = %causes(&error), "a lost job cannot be ended"),
            }
        }
        Ok(alive)
    }

    /// Takes a job from its lost worker and ends it, or schedules another attempt. A job that the worker only looked at is not lost:
    /// another one looks.
    async fn end(&self, id: JobId, silent: Lease) -> Result<bool, StoreError> {
        let lease = Lease::new();
        let mut job = self.store.seize(id, silent, lease).await?;
        if let Some(by) = job.state.detached.take() {
            tracing::warn!("the worker that looked at the job stopped renewing its lease; another one looks");
            self.store
                .detach(id, lease.token, by, self.clock.now())
                .await
                .map(drop)?;
            return Ok(false);
        }
        tracing::warn!(
            job.attempt = job.state.attempt,
            "the job is lost: its worker stopped renewing its lease"
        );
        let sealed = seal_lost(&*self.logs, id, job.state.attempt).await;
        let unsealed = |error: &StoreError| {
            let error = causes(error);
            tracing::warn!(%error, "the output of a lost job could not be sealed");
        };
        let sealed = sealed.inspect_err(unsealed).unwrap_or_default();
        let outcome = match &job.state.cancel {
            Some(cancel) => crate::job::canceled(cancel),
            None => Outcome {
                progress: job.state.progress.clone(),
                ..Outcome::failed(Reason::LOST, lost(&job))
            },
        };
        end_attempt(&self.dispatcher, true, &job, lease, outcome, None).await?;
        self.allowance.note_output(&job, sealed.stdout_bytes).await;
        Ok(true)
    }

    /// Queues jobs that the queue is not known to have.
    async fn dispatch(&self, swept: &mut Swept) -> Result<(), StoreError> {
        for job in self.store.due(self.clock.now(), BATCH).await? {
            match self.dispatch_one(job.id).await {
                Ok(()) | Err(StoreError::NotFound) => swept.dispatched += 1,
                Err(error @ StoreError::Corrupt(_)) => self.damage.tell(Some(job.id), &error),
                Err(error) => return Err(error),
            }
        }
        // whoever sweeps looks more often while something is watched, so one thing to watch is enough
        if swept.watched == 0 {
            let soon = self.store.due(self.clock.now() + SOON, 1).await?;
            swept.watched += u32::from(!soon.is_empty());
        }
        Ok(())
    }

    async fn dispatch_one(&self, id: JobId) -> Result<(), StoreError> {
        let mut job = self.store.get(id, self.clock.now()).await?;
        self.dispatcher.dispatch(&mut job, Duration::ZERO).await
    }

    /// Queues jobs again that wait although the queue has delivered everything it had: their receivers died before the claim, and the
    /// queue still hides their messages. A job that was received just now is claimed only once, however often it is delivered.
    async fn dispatch_again(&self, swept: &mut Swept) -> Result<(), StoreError> {
        let unclaimed = &self.seen.unclaimed;
        let before = self.clock.elapsed();
        let mut delivered = Vec::new();
        for lane in Lane::ALL {
            if !self.dispatcher.queue.is_longer_than(0, Some(lane)).await? {
                delivered.push(lane);
            }
        }
        if delivered.is_empty() {
            unclaimed.restart(before);
            return Ok(());
        }
        let mut waiting = Vec::new();
        for lane in &delivered {
            waiting.extend(self.store.queued(*lane, BATCH).await?);
        }
        swept.watched += u32::try_from(waiting.len()).unwrap_or(u32::MAX);
        for ticket in unclaimed.note(waiting, &delivered, before, self.clock.elapsed()) {
            self.dispatcher.queue.send(&ticket, Duration::ZERO).await?;
            swept.dispatched += 1;
            tracing::warn!(job.id = %ticket.id, "the job waits and the queue has nothing to deliver: it is queued again");
        }
        Ok(())
    }

    /// Ends jobs that no worker took, because the queue does not keep a message forever.
    async fn abandon(&self, swept: &mut Swept) -> Result<(), StoreError> {
        if !self.doubt.believes(&*self.clock) {
            return Ok(());
        }
        let now = self.clock.now();
        let limit = now - self.settings.max_wait;
        for id in self.store.pending_since(limit, BATCH).await? {
            let job = self.store.get(id, now).await;
            if job.as_ref().is_ok_and(|job| job.waits_since() >= limit) {
                continue;
            }
            let hours = self.settings.max_wait.as_secs() / 3600;
            let blocked = job.as_ref().is_ok_and(|job| job.state.blocked_on.is_some());
            let why = if blocked {
                "what it waits for did not become free"
            } else {
                "no worker took it"
            };
            let error = format!("The job waited for {hours} h, and {why}.");
            match self
                .store
                .abandon(id, Outcome::failed(Reason::UNDELIVERABLE, error), now)
                .await
            {
                Ok(()) => {
                    swept.abandoned += 1;
                    if let Ok(job) = &job {
                        self.dispatcher.ended(job).await;
                    }
                }
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
