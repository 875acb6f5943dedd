//! Runs of jobs that call services.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow};
use callboard_core::base::id::Tenant;
use callboard_core::job::{Attempt, Job};
use callboard_core::output::{LogKey, LogStore, Output, OutputLimits, Stream};
use callboard_core::request::{JobRequest, Kinds};
use callboard_core::run::{Ended, Runner, Stop, StopReason};
use callboard_kind_service::in_force::InForce;
use callboard_kind_service::kind::Services;
use callboard_kind_service::registry::Registry;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::watch;

use crate::contract::samples::{HOUR, now};

/// How long storing the output of a job that has ended may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// A run of a job: its end, and what is kept of all its attempts.
pub struct Run {
    /// The end of the last attempt.
    pub ended: Ended,
    /// What the attempts printed.
    pub stdout: String,
    /// The events, as lines of JSON.
    pub events: String,
}

impl Run {
    /// Returns the outcome as JSON.
    ///
    /// # Errors
    /// It is none.
    pub fn result(&self) -> anyhow::Result<Value> {
        Ok(serde_json::to_value(&self.ended.outcome)?)
    }

    /// Returns the names of the events.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        let events = self
            .events
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok());
        events
            .filter_map(|event| event["event"].as_str().map(str::to_owned))
            .collect()
    }

    /// Returns all that is kept, in one text.
    #[must_use]
    pub fn kept(&self) -> String {
        let outcome = serde_json::to_string(&self.ended.outcome).unwrap_or_default();
        [self.stdout.as_str(), &self.events, &outcome].concat()
    }
}

/// Makes the request for the operation `x` of the service `a` of a registry, as the kind does.
///
/// # Errors
/// The registry or the request is refused.
pub fn job(registry: &str, input: &Value) -> anyhow::Result<JobRequest> {
    let parsed = Registry::parse(&[("services.yml".to_owned(), registry.to_owned())]);
    let parsed = parsed.map_err(|faults| anyhow!("{registry}\n{faults:?}"))?;
    let services = Services::new(Arc::new(InForce::new(parsed)), Arc::default());
    let kinds = Kinds::new(Arc::new(services), Vec::new());
    let read = kinds.read(&json!({"service": "a", "operation": "x", "input": input}));
    Ok(read.map_err(|faults| anyhow!("{faults:?}"))?.request)
}

/// Runs a job until it needs no other attempt, as a worker does; it is told to stop once `stop` says so. `logs` makes a store for
/// its output in an empty folder.
///
/// # Errors
/// Its output cannot be stored, or `stop` fails.
pub async fn run(
    runner: &dyn Runner,
    request: JobRequest,
    logs: impl FnOnce(&Path) -> Arc<dyn LogStore>,
    stop: impl Future<Output = anyhow::Result<()>>,
) -> anyhow::Result<Run> {
    let folder = TempDir::new()?;
    let logs = logs(folder.path());
    let job = Job::new(Tenant::default(), request, now(), HOUR);
    let (stopper, stopped) = watch::channel(None);
    let stopping = async {
        stop.await?;
        stopper.send_replace(Some(StopReason::Shutdown));
        std::future::pending::<anyhow::Result<()>>().await
    };
    tokio::select! {
        run = attempts(runner, job, &logs, Stop::new(stopped)) => run,
        failed = stopping => Err(failed.err().context("nothing stops the job")?),
    }
}

async fn attempts(runner: &dyn Runner, mut job: Job, logs: &Arc<dyn LogStore>, stop: Stop) -> anyhow::Result<Run> {
    let work = std::mem::take(&mut job.request.work);
    let (mut stdout, mut events) = (String::new(), String::new());
    loop {
        job.state.attempt += 1;
        let attempt = job.state.attempt;
        let output = Output::new(logs.clone(), job.id, attempt, OutputLimits::default());
        let ended = runner.run(&job, work.clone(), &output, stop.clone()).await;
        output.close(true, PATIENCE).await?;
        for (stream, kept) in [(Stream::Stdout, &mut stdout), (Stream::Events, &mut events)] {
            let key = LogKey {
                job: job.id,
                attempt,
                stream,
            };
            kept.push_str(&String::from_utf8_lossy(&logs.read(key, 0..u64::MAX).await?));
        }
        let Some(pause) = ended.again else {
            return Ok(Run { ended, stdout, events });
        };
        tokio::time::sleep(pause).await;
        job.state.given_up.push(Attempt {
            retried: true,
            ..Attempt::begun(attempt, None)
        });
    }
}

/// Does not happen.
///
/// # Errors
/// None.
pub async fn never() -> anyhow::Result<()> {
    std::future::pending().await
}
