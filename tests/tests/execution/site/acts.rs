//! What is done with a job, and what is read of it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{bail, ensure};
use callboard_core::base::id::{JobId, Tenant};
use callboard_core::base::store_error::StoreError;
use callboard_core::base::time::Clock;
use callboard_core::care::Swept;
use callboard_core::job::{Job, JobState, JobStatus};
use callboard_core::output::{LogKey, Manifest, Stream};
use callboard_core::request::{JobOptions, JobRequest, Lane};
use callboard_core::run::{Disposition, Runner};
use callboard_embedded::Message;
use callboard_tests::contract::samples::{HOUR, due, request, ticket};
use tokio::task::JoinHandle;

use super::{SILENCE, Site, stdout_key};

const PATIENCE: Duration = Duration::from_secs(20);
const LOOK_EVERY: Duration = Duration::from_millis(2);

impl Site {
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
        self.record(job.id).await
    }

    pub(crate) async fn execute(&self, id: JobId, runner: Arc<dyn Runner>) -> Result<Disposition, StoreError> {
        self.worker(runner).execute(&ticket(id), self.limits()).await
    }

    /// Begins to execute a job and waits until it runs.
    pub(crate) async fn start(
        &self,
        id: JobId,
        runner: impl Runner + 'static,
    ) -> anyhow::Result<JoinHandle<Result<Disposition, StoreError>>> {
        let (worker, limits) = (self.worker(Arc::new(runner)), self.limits());
        let running = tokio::spawn(async move { worker.execute(&ticket(id), limits).await });
        self.wait_for(id, |state| state.status == JobStatus::Running).await?;
        Ok(running)
    }

    /// Returns a job's record, without what it used, which no test foresees.
    pub(crate) async fn record(&self, id: JobId) -> anyhow::Result<Job> {
        Ok(without_usage(self.store.get(id, self.clock.now()).await?))
    }

    pub(crate) async fn state(&self, id: JobId) -> anyhow::Result<JobState> {
        Ok(self.record(id).await?.state)
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

    /// Sweeps, and again when a lease that stays as it is until then has been silent for too long.
    pub(crate) async fn sweep_after_silence(&self) -> anyhow::Result<Swept> {
        let first = self.sweep().await?;
        ensure!(first.lost == 0, "a job is lost at first sight: {first:?}");
        self.clock.advance(SILENCE);
        Ok(self.sweep().await?)
    }

    /// Takes the next message, if there is one now.
    pub(crate) async fn receive(&self) -> anyhow::Result<Option<JobId>> {
        let message = self.messages.try_receive(Lane::Programs, HOUR).await?;
        Ok(message.map(|message| message.ticket.id))
    }

    /// Takes the next message, which comes again unless it is acknowledged.
    pub(crate) async fn receive_message(&self) -> Result<Option<Message>, StoreError> {
        self.messages.try_receive(Lane::Programs, SILENCE / 3).await
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

fn without_usage(mut job: Job) -> Job {
    if let Some(outcome) = &mut job.state.outcome {
        outcome.usage = None;
    }
    job
}
