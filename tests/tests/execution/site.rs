//! Everything around a job, on a folder of its own.

mod acts;
mod unbroken;

use std::sync::Arc;
use std::time::Duration;

use callboard_aws::{
    DynamoDbCounterStore, DynamoDbIdempotencyStore, DynamoDbJobStore, DynamoDbSlotStore, JobStoreSettings, S3LogStore,
};
use callboard_core::audit::AuditLog;
use callboard_core::base::id::JobId;
use callboard_core::care::{Damage, Doubt, Seen, SweepSettings, Sweeper};
use callboard_core::credential::CredentialStore;
use callboard_core::job::{CounterStore, JobQueue, JobStore, SlotStore};
use callboard_core::output::{LogKey, LogStore, OutputLimits, Stream};
use callboard_core::policy::Quotas;
use callboard_core::request::{JobOptions, Lane};
use callboard_core::run::{Allowance, Dispatcher, Held, Limits, Outage, Runner, Runners, Worker, WorkerSettings};
use callboard_core::submit::{IdempotencyStore, Submitter};
use callboard_embedded::{
    Database, FileLogStore, SqliteAuditLog, SqliteCounterStore, SqliteCredentialStore, SqliteIdempotencyStore,
    SqliteJobStore, SqliteQueue, SqliteSlotStore,
};
use callboard_tests::aws::Resources;
use callboard_tests::contract::clock::FakeClock;
use callboard_tests::contract::samples::HOUR;
use callboard_tests::faults::Faults;
use callboard_tests::kinds::kinds;
use tempfile::TempDir;
use tokio::sync::watch;

use self::unbroken::Unbroken;

/// How long a job goes on whose lease cannot be renewed, by the site's own clock.
pub(crate) const LEASE: Duration = Duration::from_secs(30);
/// How long a lease may stay as it is before its job counts as lost.
pub(crate) const SILENCE: Duration = Duration::from_secs(40);

/// The adapters. A test may put a faulty one in front of them.
#[derive(Clone)]
pub(crate) struct Site {
    pub(crate) store: Arc<dyn JobStore>,
    pub(crate) logs: Arc<dyn LogStore>,
    pub(crate) credentials: Arc<dyn CredentialStore>,
    pub(crate) queue: Arc<dyn JobQueue>,
    pub(crate) slots: Arc<dyn SlotStore>,
    pub(crate) counters: Arc<dyn CounterStore>,
    pub(crate) quotas: Quotas,
    audit: Arc<dyn AuditLog>,
    pub(crate) keys: Arc<dyn IdempotencyStore>,
    pub(crate) clock: FakeClock,
    messages: SqliteQueue,
    seen: Seen,
    shutdown: watch::Sender<bool>,
    _folder: Arc<TempDir>,
}

impl Site {
    pub(crate) fn open() -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let database = Database::open(&folder.path().join("callboard.db"))?;
        let clock = FakeClock::default();
        let messages = SqliteQueue::new(database.clone(), Arc::new(clock.clone()));
        Ok(Self {
            store: Arc::new(SqliteJobStore::new(database.clone())),
            logs: Arc::new(FileLogStore::new(folder.path().join("logs"))),
            credentials: Arc::new(SqliteCredentialStore::new(
                database.clone(),
                folder.path().join("callboard.key"),
            )),
            queue: Arc::new(messages.clone()),
            slots: Arc::new(SqliteSlotStore::new(database.clone())),
            counters: Arc::new(SqliteCounterStore::new(database.clone())),
            quotas: Quotas::default(),
            audit: Arc::new(SqliteAuditLog::new(database.clone(), Arc::new(clock.clone()))),
            keys: Arc::new(SqliteIdempotencyStore::new(database)),
            clock,
            messages,
            seen: Seen::default(),
            shutdown: watch::Sender::new(false),
            _folder: Arc::new(folder),
        })
    }

    /// Opens a site whose records, keys and output are on AWS.
    pub(crate) fn open_on_aws(resources: &Resources) -> anyhow::Result<Self> {
        let settings = JobStoreSettings {
            table: resources.table.clone(),
            bucket: resources.bucket.clone(),
            retention: HOUR,
        };
        let config = &resources.config;
        Ok(Self {
            store: Arc::new(DynamoDbJobStore::new(config, settings)),
            logs: Arc::new(Unbroken(Arc::new(S3LogStore::new(config, resources.bucket.clone())))),
            keys: Arc::new(DynamoDbIdempotencyStore::new(config, resources.table.clone())),
            slots: Arc::new(DynamoDbSlotStore::new(config, resources.table.clone())),
            counters: Arc::new(DynamoDbCounterStore::new(config, resources.table.clone())),
            ..Self::open()?
        })
    }

    pub(crate) fn dispatcher(&self) -> Dispatcher {
        Dispatcher {
            store: self.store.clone(),
            queue: self.queue.clone(),
            slots: self.slots.clone(),
            quotas: self.quotas.clone(),
            clock: Arc::new(self.clock.clone()),
        }
    }

    fn allowance(&self) -> Allowance {
        let (store, counters, slots) = (self.store.clone(), self.counters.clone(), self.slots.clone());
        Allowance::new(
            store,
            counters,
            slots,
            self.quotas.clone(),
            Arc::new(self.clock.clone()),
        )
    }

    pub(crate) fn worker(&self, runner: Arc<dyn Runner>) -> Worker {
        Worker {
            store: self.store.clone(),
            lane: Lane::Programs,
            dispatcher: self.dispatcher(),
            allowance: self.allowance(),
            logs: self.logs.clone(),
            runners: Runners::new(vec![runner]),
            clock: Arc::new(self.clock.clone()),
            settings: WorkerSettings {
                lease: Some(LEASE),
                heartbeat: Duration::from_millis(10),
                flush: Duration::from_millis(10),
                look: Duration::from_millis(10),
                output: OutputLimits::default(),
                patience: Duration::from_millis(700),
                puts_back: true,
                requeues: true,
                rate: None,
            },
            held: Held::default(),
            outage: Outage::default(),
        }
    }

    pub(crate) fn limits(&self) -> Limits {
        Limits {
            deadline: None,
            shutdown: self.shutdown.subscribe(),
        }
    }

    pub(crate) fn shut_down(&self) {
        self.shutdown.send_replace(true);
    }

    /// Makes the sweeper of another process than the worker's; all that this makes remember what one of them saw.
    pub(crate) fn sweeper(&self) -> Sweeper {
        Sweeper {
            store: self.store.clone(),
            dispatcher: self.dispatcher(),
            allowance: self.allowance(),
            logs: self.logs.clone(),
            clock: Arc::new(self.clock.clone()),
            settings: SweepSettings::new(SILENCE, HOUR * 24),
            held: Held::default(),
            seen: self.seen.clone(),
            damage: Damage::default(),
            doubt: Doubt::default(),
        }
    }

    pub(crate) fn submitter(&self) -> Submitter {
        Submitter {
            store: self.store.clone(),
            dispatcher: self.dispatcher(),
            allowance: self.allowance(),
            kinds: kinds(),
            credentials: self.credentials.clone(),
            keys: self.keys.clone(),
            audit: self.audit.clone(),
            clock: Arc::new(self.clock.clone()),
            retention: HOUR,
            max_queued: 1000,
        }
    }

    /// Puts faults in front of every adapter.
    pub(crate) fn with(mut self, faults: &Faults) -> Self {
        self.store = faults.store(self.store);
        self.logs = faults.logs(self.logs);
        self.queue = faults.queue(self.queue);
        self.keys = faults.keys(self.keys);
        self.slots = faults.slots(self.slots);
        self
    }
}

/// The options of a job that may be started so many times.
pub(crate) fn attempts(max_attempts: u32) -> JobOptions {
    JobOptions {
        max_attempts: Some(max_attempts),
        ..JobOptions::default()
    }
}

pub(crate) fn stdout_key(job: JobId, attempt: u32) -> LogKey {
    LogKey {
        job,
        attempt,
        stream: Stream::Stdout,
    }
}
