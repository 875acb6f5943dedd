//! Everything around a job, on a folder of its own.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{bail, ensure};
use callboard_aws::{DynamoDbIdempotencyStore, DynamoDbJobStore, JobStoreSettings, S3LogStore};
use callboard_core::base::id::{JobId, Tenant};
use callboard_core::base::store_error::StoreError;
use callboard_core::base::time::Clock;
use callboard_core::care::{Damage, Doubt, Seen, SweepSettings, Sweeper, Swept};
use callboard_core::credential::CredentialStore;
use callboard_core::job::{Job, JobQueue, JobState, JobStatus, JobStore};
use callboard_core::output::{LogKey, LogStore, Manifest, OutputLimits, Stream};
use callboard_core::request::{JobOptions, JobRequest};
use callboard_core::run::{Disposition, Held, Limits, Outage, Runner, Runners, Worker, WorkerSettings};
use callboard_core::submit::{IdempotencyStore, Submitter};
use callboard_embedded::{
    Database, FileLogStore, Message, SqliteCredentialStore, SqliteIdempotencyStore, SqliteJobStore, SqliteQueue,
};
use callboard_tests::aws::Resources;
use callboard_tests::contract::clock::FakeClock;
use callboard_tests::contract::samples::{HOUR, due, request};
use callboard_tests::faults::Faults;
use callboard_tests::kinds::kinds;
use tempfile::TempDir;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// How long a job goes on whose lease cannot be renewed, by the site's own clock.
pub(crate) const LEASE: Duration = Duration::from_secs(30);
/// How long a lease may stay as it is before its job counts as lost.
pub(crate) const SILENCE: Duration = Duration::from_secs(40);
const PATIENCE: Duration = Duration::from_secs(20);
const LOOK_EVERY: Duration = Duration::from_millis(2);

/// The adapters. A test may put a faulty one in front of them.
#[derive(Clone)]
pub(crate) struct Site {
    pub(crate) store: Arc<dyn JobStore>,
    pub(crate) logs: Arc<dyn LogStore>,
    pub(crate) credentials: Arc<dyn CredentialStore>,
    pub(crate) queue: Arc<dyn JobQueue>,
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
            logs: Arc::new(S3LogStore::new(config, resources.bucket.clone())),
            keys: Arc::new(DynamoDbIdempotencyStore::new(config, resources.table.clone())),
            ..Self::open()?
        })
    }

    pub(crate) fn worker(&self, runner: Arc<dyn Runner>) -> Worker {
        Worker {
            store: self.store.clone(),
            queue: self.queue.clone(),
            logs: self.logs.clone(),
            runners: Runners::new(vec![runner]),
            clock: Arc::new(self.clock.clone()),
            settings: WorkerSettings {
                lease: Some(LEASE),
                heartbeat: Duration::from_millis(10),
                flush: Duration::from_millis(10),
                output: OutputLimits::default(),
                patience: Duration::from_millis(700),
                puts_back: true,
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

    /// Records a job with options, as if it had been sent to the queue.
    pub(crate) async fn job(&self, options: JobOptions) -> anyhow::Result<Job> {
        let request = JobRequest { options, ..request() };
        let job = Job::new(Tenant::default(), request, self.clock.now(), HOUR);
        self.store.create(&job).await?;
        self.store.mark_dispatched(job.id, due(&job)).await?;
        Ok(job)
    }

    /// Executes a new job with no options to its end.
    pub(crate) async fn run(&self, runner: impl Runner + 'static) -> anyhow::Result<Job> {
        let job = self.job(JobOptions::default()).await?;
        self.execute(job.id, Arc::new(runner)).await?;
        Ok(without_usage(self.store.get(job.id, self.clock.now()).await?))
    }

    pub(crate) async fn execute(&self, id: JobId, runner: Arc<dyn Runner>) -> Result<Disposition, StoreError> {
        self.worker(runner).execute(id, self.limits()).await
    }

    /// Begins to execute a job and waits until it runs.
    pub(crate) async fn start(
        &self,
        id: JobId,
        runner: impl Runner + 'static,
    ) -> anyhow::Result<JoinHandle<Result<Disposition, StoreError>>> {
        let (worker, limits) = (self.worker(Arc::new(runner)), self.limits());
        let running = tokio::spawn(async move { worker.execute(id, limits).await });
        self.wait_for(id, |state| state.status == JobStatus::Running).await?;
        Ok(running)
    }

    pub(crate) async fn state(&self, id: JobId) -> anyhow::Result<JobState> {
        Ok(without_usage(self.store.get(id, self.clock.now()).await?).state)
    }

    pub(crate) async fn wait_for(&self, id: JobId, reached: impl Fn(&JobState) -> bool) -> anyhow::Result<JobState> {
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            if let Ok(state) = self.state(id).await
                && reached(&state)
            {
                return Ok(state);
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        bail!("the job stays {:?}", self.state(id).await)
    }

    /// Waits until the worker has acted on all that a renewal may tell it by now.
    pub(crate) async fn wait_for_renewal(&self, id: JobId) -> anyhow::Result<()> {
        for _ in 0..2 {
            let beat = self.state(id).await?.lease.map(|lease| lease.beat);
            self.wait_for(id, |state| state.lease.map(|lease| lease.beat) > beat)
                .await?;
        }
        Ok(())
    }

    pub(crate) async fn wait_for_stdout(&self, id: JobId, bytes: u64) -> anyhow::Result<()> {
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            if self.logs.size(stdout_key(id, 1)).await? >= bytes {
                return Ok(());
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        bail!("the log does not grow to {bytes} bytes")
    }

    pub(crate) async fn sweep(&self) -> Result<Swept, StoreError> {
        self.sweeper().sweep().await
    }

    /// Makes the sweeper of another process than the worker's; all that this makes remember what one of them saw.
    pub(crate) fn sweeper(&self) -> Sweeper {
        Sweeper {
            store: self.store.clone(),
            queue: self.queue.clone(),
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
            queue: self.queue.clone(),
            kinds: kinds(),
            credentials: self.credentials.clone(),
            keys: self.keys.clone(),
            clock: Arc::new(self.clock.clone()),
            retention: HOUR,
            max_queued: 1000,
        }
    }

    /// Sweeps, and again when a lease that stays as it is until then has been silent for too long.
    pub(crate) async fn sweep_after_silence(&self) -> anyhow::Result<Swept> {
        let first = self.sweep().await?;
        ensure!(first.lost == 0, "a job is lost at first sight: {first:?}");
        self.clock.advance(SILENCE);
        Ok(self.sweep().await?)
    }

    /// Puts faults in front of every adapter.
    pub(crate) fn with(mut self, faults: &Faults) -> Self {
        self.store = faults.store(self.store);
        self.logs = faults.logs(self.logs);
        self.queue = faults.queue(self.queue);
        self.keys = faults.keys(self.keys);
        self
    }

    /// Takes the next message, if there is one now.
    pub(crate) async fn receive(&self) -> anyhow::Result<Option<JobId>> {
        let message = self.messages.try_receive(HOUR).await?;
        Ok(message.map(|message| message.job_id))
    }

    /// Takes the next message, which comes again unless it is acknowledged.
    pub(crate) async fn receive_message(&self) -> Result<Option<Message>, StoreError> {
        self.messages.try_receive(SILENCE / 3).await
    }

    pub(crate) async fn acknowledge(&self, message: Message) -> Result<(), StoreError> {
        self.messages.acknowledge(message).await
    }

    pub(crate) async fn read(&self, job: JobId, attempt: u32, stream: Stream) -> anyhow::Result<Vec<u8>> {
        let key = LogKey { job, attempt, stream };
        Ok(self.logs.read(key, 0..u64::MAX).await?.to_vec())
    }

    pub(crate) async fn stdout(&self, job: JobId) -> anyhow::Result<String> {
        Ok(String::from_utf8(self.read(job, 1, Stream::Stdout).await?)?)
    }

    pub(crate) async fn manifest(&self, job: JobId) -> anyhow::Result<Manifest> {
        let manifest = self.logs.manifest(job, 1).await?;
        manifest.ok_or_else(|| anyhow::anyhow!("the attempt is not sealed"))
    }
}

/// Leaves out what a job used, which no test foresees.
pub(crate) fn without_usage(mut job: Job) -> Job {
    if let Some(outcome) = &mut job.state.outcome {
        outcome.usage = None;
    }
    job
}

pub(crate) fn stdout_key(job: JobId, attempt: u32) -> LogKey {
    LogKey {
        job,
        attempt,
        stream: Stream::Stdout,
    }
}
