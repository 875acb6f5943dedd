//! Gives recorded jobs to the queue, those that need a slot when they have one.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use crate::base::causes::causes;
use crate::base::id::JobId;
use crate::base::store_error::StoreError;
use crate::base::time::{Clock, Timestamp};
use crate::job::{BlockedOn, Job, JobQueue, JobStatus, JobStore, Outcome, Slot, SlotInUse, SlotStore, Ticket};
use crate::policy::Quotas;
use crate::request::{ConcurrencyPolicy, Reason};

/// How many slots in use a sweep looks at.
const MAX_SLOTS: u32 = 10_000;

/// Gives jobs to the queue. A job that has a concurrency key, or whose tenant has a quota of running jobs, first takes a place in each of
/// those slots, and waits in the store until it has one: the queue has only jobs that may be started.
#[derive(Clone)]
pub struct Dispatcher {
    /// The job records.
    pub store: Arc<dyn JobStore>,
    /// The queue.
    pub queue: Arc<dyn JobQueue>,
    /// Who has the places of slots.
    pub slots: Arc<dyn SlotStore>,
    /// How many places each tenant has.
    pub quotas: Quotas,
    /// The clock.
    pub clock: Arc<dyn Clock>,
}

impl Dispatcher {
    /// Queues a job that is due, to be received after `delay` at the earliest, and records that the queue has it; or records what it waits for.
    /// If that fails, the job stays due, and the sweep queues it.
    ///
    /// # Errors
    /// The errors of the stores and the queue.
    pub async fn dispatch(&self, job: &mut Job, delay: Duration) -> Result<(), StoreError> {
        while let Some(due) = job.state.due {
            let Some(on) = self.lacking(job).await? else {
                self.send(job, due, delay).await?;
                job.state.mark_dispatched(due);
                return Ok(());
            };
            if on.concurrency_key.is_some() && job.request.options.concurrency_policy() == ConcurrencyPolicy::Skip {
                return self.skip(job, &on).await;
            }
            match self.store.block(job.id, due, on.clone()).await {
                Ok(()) => {
                    tracing::info!(job.id = %job.id, on.job_id = %on.job_id, on.kind = ?on.r#type, "the job waits for another one");
                }
                // somebody else has dispatched or ended it
                Err(StoreError::Conflict) => return Ok(()),
                Err(error) => return Err(error),
            }
            job.state.due = None;
            job.state.blocked_on = Some(on);
            // a place that became free before the store knew that the job waits for it was not given to anybody
            if self.lacking(job).await?.is_some() {
                return Ok(());
            }
            match self.store.unblock(job.id, self.clock.now()).await {
                Ok(unblocked) => *job = unblocked,
                Err(StoreError::Conflict) => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Queues a job that is due at `due` and has its slots, and records that the queue has it.
    pub(super) async fn send(&self, job: &Job, due: Timestamp, delay: Duration) -> Result<(), StoreError> {
        self.queue.send(&Ticket::of(job), delay).await?;
        self.store.mark_dispatched(job.id, due).await
    }

    /// Queues a due job at once, or leaves that to the sweep; returns the job as it is then.
    pub(crate) async fn dispatched(&self, mut job: Job) -> Job {
        if let Err(error) = self.dispatch(&mut job, Duration::ZERO).await {
            let error = causes(&error);
            tracing::warn!(job.id = %job.id, %error, "the job could not be queued; a later sweep queues it");
        }
        job
    }

    /// Gives the places of a job that has ended to those that wait. What fails, a later sweep does.
    pub(crate) async fn ended(&self, job: &Job) {
        for slot in self.slots_of(job) {
            let freed = async {
                self.slots.give_back(&slot, job.id).await?;
                self.promote(&slot).await
            };
            if let Err(error) = freed.await {
                tracing::warn!(job.id = %job.id, error = %causes(&error), "the job's slot could not be passed on; a later sweep does that");
            }
        }
    }

    /// Makes good what was not done because somebody died: takes places from jobs that have ended, and gives free ones to jobs that wait.
    /// `alive` are jobs that are known to run.
    pub(crate) async fn mend(&self, alive: &HashSet<JobId>) -> Result<(), StoreError> {
        for used in self.slots.in_use(MAX_SLOTS).await? {
            if let Err(error) = self.mend_one(&used, alive).await {
                tracing::warn!(slot = ?used.slot, error = %causes(&error), "a slot could not be looked at; a later sweep does that");
            }
        }
        Ok(())
    }

    async fn mend_one(&self, used: &SlotInUse, alive: &HashSet<JobId>) -> Result<(), StoreError> {
        let mut left = used.holders.len();
        for id in used.holders.iter().filter(|id| !alive.contains(id)) {
            left -= usize::from(self.check_holder(&used.slot, *id).await?);
        }
        if left < self.places(&used.slot) as usize {
            self.promote(&used.slot).await?;
        }
        Ok(())
    }

    /// Returns up to `limit` jobs with the concurrency key of a job, those that have it and those that wait, as far as they are older.
    pub(crate) async fn rivals(&self, job: &Job, limit: u32) -> Result<Vec<JobId>, StoreError> {
        let Some(slot) = slot_of_key(job) else {
            return Ok(Vec::new());
        };
        let mut jobs = self.slots.jobs(&slot, limit).await?;
        jobs.retain(|id| *id < job.id);
        Ok(jobs)
    }

    /// Returns whether a job may have to wait for a slot.
    pub(crate) fn may_block(&self, job: &Job) -> bool {
        self.slots_of(job).next().is_some()
    }

    /// Takes the places that a job needs, as far as they are free; returns what it lacks. What runs has what it needs.
    async fn lacking(&self, job: &Job) -> Result<Option<BlockedOn>, StoreError> {
        if job.state.status != JobStatus::Pending {
            return Ok(None);
        }
        for slot in self.slots_of(job) {
            if let Some(holder) = self.slots.take(&slot, self.places(&slot), job.id).await? {
                return Ok(Some(BlockedOn {
                    r#type: slot.kind(),
                    concurrency_key: slot.concurrency_key,
                    job_id: holder,
                    since: Some(self.clock.now()),
                }));
            }
        }
        Ok(None)
    }

    /// Ends a job that is not to wait for another one.
    async fn skip(&self, job: &mut Job, on: &BlockedOn) -> Result<(), StoreError> {
        let (holder, key) = (on.job_id, on.concurrency_key.as_deref().unwrap_or_default());
        let error = format!("The job was skipped: job {holder} has the concurrency key {key:?}.");
        let outcome = Outcome {
            status: JobStatus::Canceled,
            ..Outcome::failed(Reason::SKIPPED, error)
        };
        match self.store.abandon(job.id, outcome, self.clock.now()).await {
            Ok(()) => *job = self.store.get(job.id, self.clock.now()).await?,
            // it was ended, or it got its place meanwhile and is queued
            Err(StoreError::Conflict) => return Ok(()),
            Err(error) => return Err(error),
        }
        for slot in self.slots_of(job) {
            self.slots.give_back(&slot, job.id).await?;
        }
        Ok(())
    }

    /// Takes the place of a job that has ended, and returns whether it did; wakes one that does not know yet that it has a place. A job that
    /// the queue has given up keeps its place: another message of it may still come.
    async fn check_holder(&self, slot: &Slot, id: JobId) -> Result<bool, StoreError> {
        match self.unless_ended(id).await {
            Ok(None) => self.slots.give_back(slot, id).await.map(|()| true),
            Ok(Some(job)) if job.state.blocked_on.as_ref().is_some_and(|on| on.r#type == slot.kind()) => {
                self.wake(slot, id).await.map(|()| false)
            }
            Ok(Some(_)) | Err(StoreError::Corrupt(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Returns a job; `None` if it has ended, or is not kept any more.
    async fn unless_ended(&self, id: JobId) -> Result<Option<Job>, StoreError> {
        match self.store.get(id, self.clock.now()).await {
            Ok(job) => Ok(Some(job).filter(|job| !job.state.status.is_final())),
            Err(StoreError::NotFound) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Gives the free places of a slot to the jobs that wait for them.
    async fn promote(&self, slot: &Slot) -> Result<(), StoreError> {
        while let Some(id) = self.slots.promote(slot, self.places(slot)).await? {
            self.wake(slot, id).await?;
        }
        Ok(())
    }

    /// Lets a job go on that has a place now.
    async fn wake(&self, slot: &Slot, id: JobId) -> Result<(), StoreError> {
        match self.store.unblock(id, self.clock.now()).await {
            Ok(mut job) => self.dispatch(&mut job, Duration::ZERO).await,
            // it has ended, or whoever dispatches it has not recorded yet that it waits
            Err(StoreError::Conflict | StoreError::NotFound) => match self.unless_ended(id).await? {
                Some(_) => Ok(()),
                None => self.slots.give_back(slot, id).await,
            },
            Err(error) => Err(error),
        }
    }

    /// Returns the slots that a job needs, in the order in which it takes them: whoever has one of the tenant's places has all it needs.
    fn slots_of(&self, job: &Job) -> impl Iterator<Item = Slot> {
        let quota = self.quotas.of(&job.tenant).running;
        let quota = quota.map(|_| Slot::of_quota(job.tenant.clone()));
        slot_of_key(job).into_iter().chain(quota)
    }

    /// Returns how many places a slot has; without limit, where the operator has taken a quota back.
    fn places(&self, slot: &Slot) -> u32 {
        match slot.concurrency_key {
            Some(_) => 1,
            None => self.quotas.of(&slot.tenant).running.unwrap_or(u32::MAX),
        }
    }
}

fn slot_of_key(job: &Job) -> Option<Slot> {
    let key = job.request.options.concurrency_key.clone()?;
    Some(Slot {
        tenant: job.tenant.clone(),
        concurrency_key: Some(key),
    })
}
