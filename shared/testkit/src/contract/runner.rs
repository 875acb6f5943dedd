//! The behaviour of every [`Runner`]. Time-outs, leases and retries are up to the worker, whatever the runner.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};
use callboard_core::base::id::Tenant;
use callboard_core::job::{Job, JobStatus};
use callboard_core::output::{LogKey, LogStore, Output, OutputLimits, Stream};
use callboard_core::request::{JobRequest, Reason};
use callboard_core::run::{Ended, Runner, Stop, StopReason};
use serde_json::json;
use tempfile::TempDir;
use tokio::sync::watch;

use super::samples::{HOUR, now};
use crate::processes::lives;
use crate::wait::until;

/// How long storing the output of a job that has ended may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// How many lines are enough to show that none is lost.
const LINES: usize = 2000;

/// A runner, with requests of its kind for the jobs that the suite needs.
pub trait TestRunner: Send + Sync {
    /// Returns the runner.
    fn runner(&self) -> Arc<dyn Runner>;

    /// Makes a store for the output of a job, in an empty folder.
    fn logs(&self, folder: &Path) -> Arc<dyn LogStore>;

    /// Makes a request for a job that prints these lines, among others, and succeeds.
    fn prints(&self, lines: &[String]) -> JobRequest;

    /// Makes a request for a job that fails by itself.
    fn fails(&self) -> JobRequest;

    /// Makes a request for a job that leaves a process in its own session behind, writes its id to a file, and succeeds.
    fn leaves(&self, pid_file: &Path) -> JobRequest;

    /// Makes a request for a job that starts a process, writes its id to a file, and works until it is stopped. A deaf
    /// process ignores SIGTERM.
    fn works(&self, pid_file: &Path, deaf: bool) -> JobRequest;

    /// Makes a request for a job that is given a secret and prints it; also returns the secret.
    fn tells(&self) -> (JobRequest, String);
}

/// Expands into one test per behaviour; `$make` returns a runner and whatever must outlive it.
#[macro_export]
macro_rules! runner_contract {
    ($make:path) => {
        $crate::contract_tests! { $make, runner, [
            a_job_that_does_its_work_is_successful_and_all_that_it_printed_is_kept,
            a_job_that_fails_says_why,
            nothing_of_a_job_that_has_ended_is_alive,
            a_job_that_is_stopped_ends_and_nothing_of_it_is_alive,
            a_job_that_is_deaf_is_stopped_all_the_same,
            a_job_that_is_to_be_stopped_before_it_begins_does_not_begin,
            a_secret_is_in_nothing_that_is_kept,
            two_jobs_at_once_do_not_see_each_other,
            what_a_job_used_and_how_far_it_came_is_told,
            a_request_of_a_release_that_knows_more_is_not_run,
        ] }
    };
}

/// One run of a job: its end, and what was stored of it.
struct Run {
    ended: Ended,
    stdout: String,
    events: String,
    reported: bool,
}

/// Runs a job until it has ended. The job is told to stop once `stop` says so.
async fn run<R: TestRunner>(
    subject: &R,
    request: JobRequest,
    stop: impl Future<Output = anyhow::Result<()>>,
) -> anyhow::Result<Run> {
    let folder = tempfile::tempdir()?;
    let logs = subject.logs(folder.path());
    let mut job = Job::new(Tenant::default(), request, now(), HOUR);
    job.state.attempt = 1;
    let work = std::mem::take(&mut job.request.work);
    let output = Output::new(logs.clone(), job.id, 1, OutputLimits::default());
    let (stopper, stopped) = watch::channel(None);
    let runner = subject.runner();
    let running = runner.run(&job, work, &output, Stop::new(stopped));
    let stopping = async {
        stop.await?;
        stopper.send_replace(Some(StopReason::Shutdown));
        std::future::pending::<anyhow::Result<()>>().await
    };
    let ended = tokio::select! {
        ended = running => ended,
        failed = stopping => return Err(failed.err().context("nothing stops the job")?),
    };
    let reported = output.take_progress().is_some() || ended.outcome.progress.is_some();
    output.close(true, PATIENCE).await?;
    let read = async |stream| {
        let key = LogKey {
            job: job.id,
            attempt: 1,
            stream,
        };
        logs.read(key, 0..u64::MAX).await
    };
    Ok(Run {
        stdout: String::from_utf8_lossy(&read(Stream::Stdout).await?).into_owned(),
        events: String::from_utf8_lossy(&read(Stream::Events).await?).into_owned(),
        ended,
        reported,
    })
}

async fn never() -> anyhow::Result<()> {
    std::future::pending().await
}

/// Every line is stored exactly once, in order.
pub async fn a_job_that_does_its_work_is_successful_and_all_that_it_printed_is_kept<R: TestRunner>(
    subject: &R,
) -> anyhow::Result<()> {
    let lines: Vec<String> = (0..LINES).map(|number| format!("line-{number:05}-of-it")).collect();
    let run = run(subject, subject.prints(&lines), never()).await?;
    ensure!(run.ended.outcome.status == JobStatus::Successful, "{:?}", run.ended);
    ensure!(
        !run.ended.stopped && run.ended.outcome.error.is_none(),
        "{:?}",
        run.ended
    );
    let mut rest = run.stdout.as_str();
    for line in &lines {
        let at = rest.find(line.as_str()).with_context(|| format!("{line} is missing"))?;
        rest = &rest[at + line.len()..];
        ensure!(!rest.contains(line.as_str()), "{line} is there twice");
    }
    Ok(())
}

/// The outcome has a reason, common or specific to the kind, and a sentence.
pub async fn a_job_that_fails_says_why<R: TestRunner>(subject: &R) -> anyhow::Result<()> {
    let outcome = run(subject, subject.fails(), never()).await?.ended.outcome;
    ensure!(outcome.status == JobStatus::Failed, "{outcome:?}");
    let reason = outcome.reason.context("a reason")?;
    ensure!(!reason.is_retryable(), "{reason}: the job failed, not the system");
    ensure!(outcome.error.is_some_and(|error| !error.is_empty()));
    Ok(())
}

/// A process that has left its session is also stopped before the job counts as ended.
pub async fn nothing_of_a_job_that_has_ended_is_alive<R: TestRunner>(subject: &R) -> anyhow::Result<()> {
    let (folder, file) = pid_file()?;
    let run = run(subject, subject.leaves(&file), never()).await?;
    ensure!(run.ended.outcome.status == JobStatus::Successful, "{:?}", run.ended);
    gone(&file)?;
    folder.close()?;
    Ok(())
}

/// The result says that the job was stopped.
pub async fn a_job_that_is_stopped_ends_and_nothing_of_it_is_alive<R: TestRunner>(subject: &R) -> anyhow::Result<()> {
    stopped(subject, false).await
}

/// The runner's grace period ends, and the process is killed.
pub async fn a_job_that_is_deaf_is_stopped_all_the_same<R: TestRunner>(subject: &R) -> anyhow::Result<()> {
    stopped(subject, true).await
}

async fn stopped<R: TestRunner>(subject: &R, deaf: bool) -> anyhow::Result<()> {
    let (folder, file) = pid_file()?;
    let begun = until("the job works", || {
        fs::read_to_string(&file).is_ok_and(|text| text.ends_with('\n'))
    });
    let run = run(subject, subject.works(&file, deaf), begun).await?;
    ensure!(run.ended.stopped, "{:?}", run.ended);
    gone(&file)?;
    folder.close()?;
    Ok(())
}

/// The result says that it was stopped, and no process of it is left.
pub async fn a_job_that_is_to_be_stopped_before_it_begins_does_not_begin<R: TestRunner>(
    subject: &R,
) -> anyhow::Result<()> {
    let (folder, file) = pid_file()?;
    let run = run(subject, subject.works(&file, false), async { Ok(()) }).await?;
    ensure!(run.ended.stopped, "{:?}", run.ended);
    if file.exists() {
        gone(&file)?;
    }
    folder.close()?;
    Ok(())
}

/// The secret is not in the output, the events or the outcome.
pub async fn a_secret_is_in_nothing_that_is_kept<R: TestRunner>(subject: &R) -> anyhow::Result<()> {
    let (request, secret) = subject.tells();
    let run = run(subject, request, never()).await?;
    ensure!(run.ended.outcome.status == JobStatus::Successful, "{:?}", run.ended);
    ensure!(run.stdout.contains("********"), "{}", run.stdout);
    let kept = [run.stdout, run.events, serde_json::to_string(&run.ended.outcome)?];
    ensure!(kept.iter().all(|text| !text.contains(&secret)), "the secret is told");
    Ok(())
}

/// Each job has its own output, however their lines interleave.
pub async fn two_jobs_at_once_do_not_see_each_other<R: TestRunner>(subject: &R) -> anyhow::Result<()> {
    let lines = |name: &str| (0..20).map(|number| format!("{name}-{number}")).collect::<Vec<_>>();
    let (one, other) = tokio::try_join!(
        run(subject, subject.prints(&lines("one")), never()),
        run(subject, subject.prints(&lines("other")), never()),
    )?;
    ensure!(
        one.stdout.contains("one-19") && !one.stdout.contains("other-"),
        "{}",
        one.stdout
    );
    ensure!(
        other.stdout.contains("other-19") && !other.stdout.contains("one-"),
        "{}",
        other.stdout
    );
    Ok(())
}

/// Processor time and memory of the job's processes, as far as the runner knows them.
pub async fn what_a_job_used_and_how_far_it_came_is_told<R: TestRunner>(subject: &R) -> anyhow::Result<()> {
    let run = run(subject, subject.prints(&["a line".to_owned()]), never()).await?;
    ensure!(run.reported, "no progress was told");
    let usage = run.ended.outcome.usage.context("no usage was told")?;
    ensure!(usage.cpu_seconds.is_none_or(|seconds| seconds > 0.0), "{usage:?}");
    ensure!(usage.peak_memory_bytes.is_none_or(|bytes| bytes > 0), "{usage:?}");
    Ok(())
}

/// The job fails instead of doing only a part of what was requested.
pub async fn a_request_of_a_release_that_knows_more_is_not_run<R: TestRunner>(subject: &R) -> anyhow::Result<()> {
    let (folder, file) = pid_file()?;
    let mut request = subject.works(&file, false);
    let options = json!({"an_option_of_a_later_release": true});
    request.work.0.insert("options".to_owned(), options);
    let outcome = run(subject, request, never()).await?.ended.outcome;
    ensure!(outcome.reason == Some(Reason::RUNNER_ERROR), "{outcome:?}");
    ensure!(!file.exists(), "it was run");
    ensure!(
        serde_json::to_value(&outcome)?["error"]
            .as_str()
            .is_some_and(|error| error.contains("newer release"))
    );
    folder.close()?;
    Ok(())
}

fn pid_file() -> anyhow::Result<(TempDir, PathBuf)> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("pid");
    Ok((folder, file))
}

/// Checks that the process whose id is in a file has ended.
fn gone(file: &Path) -> anyhow::Result<()> {
    let pid: u32 = fs::read_to_string(file)?.trim().parse()?;
    ensure!(!lives(pid), "process {pid} lives");
    Ok(())
}
