//! A sweep that meets damaged records still handles all the others.
//!
//! The adapter supplies the forms of damage, because only it knows how its records are written.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::ensure;
use async_trait::async_trait;
use callboard_core::base::id::{JobId, Tenant};
use callboard_core::base::store_error::StoreError;
use callboard_core::base::time::Clock;
use callboard_core::care::{Damage, Doubt, Seen, SweepSettings, Sweeper, Swept};
use callboard_core::job::{CounterStore, Job, JobQueue, JobStatus, JobStore, SlotStore, Ticket};
use callboard_core::output::LogStore;
use callboard_core::policy::Quotas;
use callboard_core::request::Lane;
use callboard_core::run::{Allowance, Dispatcher, Held};

use super::clock::FakeClock;
use super::samples::{HOUR, due, lease, request, success};

/// How long a lease may stay unchanged.
const SILENCE: Duration = Duration::from_secs(40);
/// Creating more damaged records than a sweep takes at a time would be slow; this many show that each one is skipped.
const OF_EACH: usize = 2;

/// A queue that only records what is sent to it.
#[derive(Default)]
struct Sent(Mutex<Vec<JobId>>);

#[async_trait]
impl JobQueue for Sent {
    async fn send(&self, ticket: &Ticket, _delay: Duration) -> Result<(), StoreError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(ticket.id);
        Ok(())
    }

    async fn is_longer_than(&self, limit: u32, _lane: Option<Lane>) -> Result<bool, StoreError> {
        Ok(self.sent().len() > limit as usize)
    }
}

impl Sent {
    fn sent(&self) -> Vec<JobId> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The jobs of a test.
struct Jobs {
    store: Arc<dyn JobStore>,
    clock: FakeClock,
}

impl Jobs {
    async fn due(&self) -> anyhow::Result<Job> {
        let job = Job::new(Tenant::default(), request(), self.clock.now(), HOUR * 1000);
        self.store.create(&job).await?;
        Ok(job)
    }

    async fn waiting(&self) -> anyhow::Result<Job> {
        let job = self.due().await?;
        self.store.mark_dispatched(job.id, due(&job)).await?;
        Ok(job)
    }

    async fn running(&self) -> anyhow::Result<Job> {
        let job = self.waiting().await?;
        Ok(self.store.claim(job.id, lease(), self.clock.now()).await?)
    }

    async fn ended(&self) -> anyhow::Result<Job> {
        let (job, held) = (self.waiting().await?, lease());
        self.store.claim(job.id, held, self.clock.now()).await?;
        self.store
            .finish(job.id, held.token, success(), self.clock.now())
            .await?;
        Ok(job)
    }

    /// Makes a job in each state that a sweep examines, and one that has ended: due, waiting, running, ended.
    async fn one_of_each(&self) -> anyhow::Result<[Job; 4]> {
        Ok([
            self.due().await?,
            self.waiting().await?,
            self.running().await?,
            self.ended().await?,
        ])
    }

    async fn status(&self, job: &Job) -> anyhow::Result<JobStatus> {
        Ok(self.store.get(job.id, self.clock.now()).await?.state.status)
    }
}

/// Damages records in each state and form, both older and newer than sound ones, and sweeps. The first sweep handles the sound
/// jobs, no sweep fails, and no sweep sends a message for a damaged record.
///
/// # Errors
/// The store behaves differently.
pub async fn sweeps_do_the_rest(
    store: Arc<dyn JobStore>,
    slots: Arc<dyn SlotStore>,
    counters: Arc<dyn CounterStore>,
    logs: Arc<dyn LogStore>,
    forms: usize,
    damage: impl AsyncFn(JobId, usize) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let clock = FakeClock::default();
    let jobs = Jobs {
        store: store.clone(),
        clock: clock.clone(),
    };
    let mut sound = Vec::new();
    for form in 0..forms {
        for _ in 0..OF_EACH {
            for job in jobs.one_of_each().await? {
                damage(job.id, form).await?;
            }
            sound.push(jobs.one_of_each().await?);
        }
    }
    let queue = Arc::new(Sent::default());
    let at = Arc::new(clock.clone());
    let allowance = Allowance::new(store.clone(), counters, slots.clone(), Quotas::default(), at.clone());
    let dispatcher = Dispatcher {
        store: store.clone(),
        queue: queue.clone(),
        slots,
        quotas: Quotas::default(),
        clock: at,
    };
    let sweeper = Sweeper {
        store,
        dispatcher,
        allowance,
        logs,
        clock: Arc::new(clock.clone()),
        settings: SweepSettings::new(SILENCE, HOUR * 24),
        held: Held::default(),
        seen: Seen::default(),
        damage: Damage::default(),
        doubt: Doubt::default(),
    };
    let count = u32::try_from(sound.len())?;
    let done = |lost, dispatched, abandoned, watched| Swept {
        lost,
        dispatched,
        abandoned,
        watched,
    };
    assert_eq!(sweeper.sweep().await?, done(0, 0, 0, count * 2));
    clock.advance(SILENCE);
    assert_eq!(sweeper.sweep().await?, done(count, count, 0, count));
    for _ in 0..2 {
        clock.advance(SILENCE);
        assert_eq!(sweeper.sweep().await?, Swept::default());
    }
    clock.advance(HOUR * 24);
    assert_eq!(sweeper.sweep().await?, done(0, 0, count * 2, 0));
    assert_eq!(sweeper.sweep().await?, Swept::default());

    let (mut sent, mut dispatched) = (queue.sent(), sound.iter().map(|[due, ..]| due.id).collect::<Vec<_>>());
    sent.sort();
    dispatched.sort();
    assert_eq!(sent, dispatched);
    for [due, waiting, running, ended] in &sound {
        for job in [due, waiting, running] {
            ensure!(jobs.status(job).await? == JobStatus::Failed, "{job:?}");
        }
        ensure!(jobs.status(ended).await? == JobStatus::Successful, "{ended:?}");
    }
    Ok(())
}
