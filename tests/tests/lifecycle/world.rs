//! The real store and queue, and the models that they are compared with.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::ensure;
use callboard_core::base::id::{JobId, LeaseToken, Tenant};
use callboard_core::base::store_error::StoreError;
use callboard_core::base::time::{Clock, Timestamp};
use callboard_core::care::{Damage, Doubt, Seen, SweepSettings, Sweeper, Swept};
use callboard_core::job::{Attempt, CancelRequest, DeadLetter, DueJob, Job, JobStore, Lease, Outcome, Redrive};
use callboard_core::policy::Quotas;
use callboard_core::request::Lane;
use callboard_core::run::{Allowance, Dispatcher, Held};
use callboard_embedded::{Database, FileLogStore, SqliteCounterStore, SqliteJobStore, SqliteQueue, SqliteSlotStore};
use callboard_tests::contract::clock::FakeClock;
use callboard_tests::contract::samples::{HOUR, failure, given_up, request, success};

use crate::model::{Facts, MAX_WAIT, Model, SILENCE};
use crate::steps::{Act, Step, Token};

/// Longer than any case takes by its own clock.
pub(crate) const RETENTION: Duration = Duration::from_secs(30 * 24 * 3600);
const MANY: u32 = 1000;

pub(crate) struct World {
    store: Arc<dyn JobStore>,
    queue: SqliteQueue,
    sweeper: Sweeper,
    clock: FakeClock,
    jobs: Vec<(JobId, Model)>,
    cancels: u32,
}

impl World {
    /// Opens a world on SQLite; the job store may be another.
    pub(crate) async fn open(folder: &Path, store: Option<Arc<dyn JobStore>>) -> anyhow::Result<Self> {
        let database = Database::open(&folder.join("callboard.db"))?;
        let clock = FakeClock::default();
        let store = store.unwrap_or_else(|| Arc::new(SqliteJobStore::new(database.clone())));
        let queue = SqliteQueue::new(database.clone(), Arc::new(clock.clone()));
        let slots = Arc::new(SqliteSlotStore::new(database.clone()));
        let counters = Arc::new(SqliteCounterStore::new(database));
        let at = Arc::new(clock.clone());
        let sweeper = Sweeper {
            allowance: Allowance::new(store.clone(), counters, slots.clone(), Quotas::default(), at),
            store: store.clone(),
            dispatcher: Dispatcher {
                store: store.clone(),
                queue: Arc::new(queue.clone()),
                slots,
                quotas: Quotas::default(),
                clock: Arc::new(clock.clone()),
            },
            logs: Arc::new(FileLogStore::new(folder.join("logs"))),
            clock: Arc::new(clock.clone()),
            settings: SweepSettings {
                silence: SILENCE,
                max_wait: MAX_WAIT,
            },
            held: Held::default(),
            seen: Seen::default(),
            damage: Damage::default(),
            doubt: Doubt::default(),
        };
        let mut world = Self {
            store,
            queue,
            sweeper,
            clock,
            jobs: Vec::new(),
            cancels: 0,
        };
        world.create(2).await?;
        Ok(world)
    }

    pub(crate) async fn take(&mut self, step: &Step) -> anyhow::Result<()> {
        match step {
            Step::Create { max_attempts } => self.create(*max_attempts).await,
            Step::Job(number, act) => self.act(number % self.jobs.len(), act).await,
            Step::Sweep => self.sweep().await,
            Step::Advance { seconds } => {
                self.clock.advance(Duration::from_secs(*seconds));
                Ok(())
            }
        }
    }

    /// Compares every record, and what is left to dispatch, with the models.
    pub(crate) async fn check(&self) -> anyhow::Result<()> {
        let now = self.clock.now();
        for (id, model) in &self.jobs {
            let facts = Facts::from(&self.store.get(*id, now).await?);
            ensure!(
                facts == model.facts,
                "the store has {facts:?}, the model {:?}",
                model.facts
            );
        }
        let mut found = self.store.due(now, MANY).await?;
        found.sort_by_key(|job| job.id);
        let due = self.jobs.iter().filter(|(_, model)| model.is_due(now));
        let due = due.filter_map(|(id, model)| model.facts.due.map(|due| DueJob { id: *id, due }));
        let expected: Vec<DueJob> = due.collect();
        ensure!(found == expected, "due are {found:?}, not {expected:?}");
        Ok(())
    }

    /// Compares the messages that were sent with the models.
    pub(crate) async fn check_messages(&self) -> anyhow::Result<()> {
        self.clock.advance(HOUR);
        let mut received = Vec::new();
        while let Some(message) = self.queue.try_receive(Lane::Programs, HOUR).await? {
            received.push(message.ticket.id);
        }
        for (id, model) in &self.jobs {
            let count = received.iter().filter(|other| *other == id).count();
            ensure!(count == model.messages, "{count} messages for {model:?}");
        }
        Ok(())
    }

    async fn create(&mut self, max_attempts: u32) -> anyhow::Result<()> {
        let mut request = request();
        request.options.max_attempts = Some(max_attempts);
        let job = Job::new(Tenant::default(), request, self.clock.now(), RETENTION);
        self.store.create(&job).await?;
        self.jobs.push((job.id, Model::new(&job)));
        Ok(())
    }

    async fn sweep(&mut self) -> anyhow::Result<()> {
        let mut expected = Swept::default();
        let now = self.clock.now();
        for (_, model) in &mut self.jobs {
            model.sweep(now, &mut expected);
        }
        if expected.watched == 0 {
            let soon = now + Duration::from_secs(60);
            expected.watched += u32::from(self.jobs.iter().any(|(_, model)| model.is_due(soon)));
        }
        let is_empty = self.jobs.iter().all(|(_, model)| model.messages == 0);
        for (_, model) in &mut self.jobs {
            model.look(is_empty, now, &mut expected);
            model.abandon(now, &mut expected);
        }
        let swept = self.sweeper.sweep().await?;
        ensure!(swept == expected, "the sweep did {swept:?}, not {expected:?}");
        Ok(())
    }

    async fn act(&mut self, index: usize, act: &Act) -> anyhow::Result<()> {
        let (store, now) = (&self.store, self.clock.now());
        let (id, model) = &mut self.jobs[index];
        let (done, allowed) = match act {
            Act::MarkDispatched { as_it_is } => {
                let due = model.facts.due.filter(|_| *as_it_is).unwrap_or(now - RETENTION);
                model.mark_dispatched(due);
                (store.mark_dispatched(*id, due).await, true)
            }
            Act::Claim => {
                let lease = Lease::new();
                (store.claim(*id, lease, now).await.map(drop), model.claim(lease))
            }
            Act::ClaimAgain => {
                let lease = Token::Last.of(model);
                (store.claim(*id, lease, now).await.map(drop), model.claim(lease))
            }
            Act::Renew { token } => {
                let lease = token.of(model).renewed();
                (renew(&**store, *id, lease, model).await?, model.renew(lease))
            }
            Act::Finish { token, well } => {
                let (token, outcome) = (token.of(model).token, if *well { success() } else { failure() });
                let allowed = model.finish(token, outcome.status, outcome.reason.clone());
                (finish(&**store, *id, (token, outcome), now, model).await?, allowed)
            }
            Act::Release { token, seconds } => {
                let (token, due) = (token.of(model).token, now + Duration::from_secs(*seconds));
                let ended = Attempt {
                    finished_at: Some(now),
                    ..given_up(model.facts.attempt)
                };
                (
                    store.release(*id, token, ended, due).await.map(drop),
                    model.release(token, due, now),
                )
            }
            Act::Detach { token, seconds } => {
                let (token, due) = (token.of(model).token, now + Duration::from_secs(*seconds));
                let by = format!("task {}", model.facts.attempt);
                let allowed = model.detach(token, by.clone(), due);
                (store.detach(*id, token, by, due).await.map(drop), allowed)
            }
            Act::Bury => {
                let error = "Nobody took it.".to_owned();
                let letter = DeadLetter {
                    at: now,
                    receives: 5,
                    error,
                };
                (store.bury(*id, letter).await, model.bury())
            }
            Act::Redrive => {
                let by = "client".to_owned();
                let redrive = Redrive { by, at: now };
                (store.redrive(*id, redrive).await.map(drop), model.redrive(now))
            }
            Act::Cancel => {
                self.cancels += 1;
                let by = format!("client {}", self.cancels);
                let allowed = model.cancel(&by, now);
                (
                    store.request_cancel(*id, CancelRequest { by, at: now }).await.map(drop),
                    allowed,
                )
            }
        };
        match done {
            Ok(()) => ensure!(allowed, "the store allowed what the model does not"),
            Err(StoreError::Conflict) => ensure!(!allowed, "the store refused what the model allows"),
            Err(other) => return Err(other.into()),
        }
        Ok(())
    }
}

impl Token {
    fn of(self, model: &Model) -> Lease {
        let lease = match self {
            Self::Last => model.leases.last(),
            Self::First => model.leases.first(),
            Self::Stranger => None,
        };
        lease.copied().unwrap_or_default()
    }
}

/// Renews, and checks that the answer carries the cancel request if there is one.
async fn renew(store: &dyn JobStore, id: JobId, lease: Lease, model: &Model) -> anyhow::Result<Result<(), StoreError>> {
    let renewed = store.renew(id, lease, None).await;
    if let Ok(cancel) = &renewed {
        let by = cancel.as_ref().map(|cancel| &cancel.by);
        ensure!(by == model.facts.canceled_by.as_ref(), "the renewal brings {cancel:?}");
    }
    Ok(renewed.map(drop))
}

/// Ends a job, and checks that the answer carries the cancel request if there is one.
async fn finish(
    store: &dyn JobStore,
    id: JobId,
    (token, outcome): (LeaseToken, Outcome),
    now: Timestamp,
    model: &Model,
) -> anyhow::Result<Result<(), StoreError>> {
    let finished = store.finish(id, token, outcome, now).await;
    if let Ok(cancel) = &finished {
        let by = cancel.as_ref().map(|cancel| &cancel.by);
        ensure!(by == model.facts.canceled_by.as_ref(), "the end brings {cancel:?}");
    }
    Ok(finished.map(drop))
}
