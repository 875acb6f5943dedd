//! `callboard show`: prints the record of a job.

use std::io::IsTerminal;
use std::process::ExitCode;

use callboard_api::JobView;
use callboard_core::base::time::{Clock, SystemClock, Timestamp};
use callboard_core::job::{Job, Waiting, WaitsFor};
use callboard_kind_ansible::detail::Detail;
use callboard_kind_ansible::failures::HostFailure;
use serde_json::{Map, Value};

use crate::cli::ShowArguments;
use crate::jobs::{Jobs, print};
use crate::{kinds, report};

/// The largest output that a summary shows, in bytes of JSON.
const MAX_SET_BYTES: usize = 1000;

/// Prints a summary, or the record as the API returns it.
pub(crate) async fn show(arguments: &ShowArguments) -> anyhow::Result<ExitCode> {
    let jobs = Jobs::open(&arguments.data)?;
    let job = jobs.find(&arguments.job).await?;
    let now = SystemClock.now();
    let text = if arguments.json || !std::io::stdout().is_terminal() {
        serde_json::to_string_pretty(&JobView::read(&kinds::shown(), &jobs.logs, job, now).await?)? + "\n"
    } else {
        summary(&job, now)
    };
    print(text.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

/// Summarizes a job, one line per fact. Text from a host must not control the terminal.
fn summary(job: &Job, now: Timestamp) -> String {
    let (state, outcome) = (&job.state, job.state.outcome.as_ref());
    let reason = outcome.and_then(|end| end.reason.as_ref());
    let status = reason.map_or(state.status.to_string(), |reason| {
        format!("{} ({})", state.status, reason.as_str())
    });
    let mut lines = vec![("job", job.id.to_string()), ("status", status)];
    lines.extend(job.waiting(now).map(|waiting| ("waits", waits(&waiting))));
    let title = job.request.title.clone();
    let what = if job.request.kind.is_some() { "call" } else { "playbook" };
    lines.push((what, title.unwrap_or_else(|| "(inline)".to_owned())));
    let repeated = job.request.origin.as_ref().and_then(|origin| origin.relaunch_of);
    lines.extend(repeated.map(|id| ("repeats", id.to_string())));
    lines.extend(state.relaunched_as.iter().map(|id| ("repeated", format!("as {id}"))));
    let labels = &job.request.options.labels;
    lines.extend(labels.iter().map(|(name, value)| ("label", format!("{name}: {value}"))));
    lines.extend(times(job));
    lines.extend((state.attempt > 1).then(|| ("attempt", state.attempt.to_string())));
    lines.extend(outcome.and_then(|end| end.error.clone()).map(|error| ("error", error)));
    let detail = outcome.map(Detail::of).unwrap_or_default();
    lines.extend(detail.failures.iter().map(|failure| ("failure", told(failure))));
    let hosts = detail.stats.iter().flatten();
    lines.extend(hosts.map(|(name, counts)| ("host", format!("{name}: {}", report::told(counts)))));
    lines.extend(detail.output.as_ref().and_then(set).map(|set| ("set", set)));
    let warned = detail.warnings.count + detail.deprecations.count;
    lines.extend((warned > 0).then(|| ("warnings", warned.to_string())));
    let isolation = outcome
        .and_then(|end| end.usage.as_ref())
        .map(|usage| usage.isolation.join(", "));
    lines.extend(isolation.filter(|by| !by.is_empty()).map(|by| ("isolated", by)));
    lines.push(("output", format!("callboard logs {}", job.id)));
    lines.iter().map(|(name, value)| line(name, value)).collect()
}

/// Returns what `set_stats` set, if that is short.
fn set(output: &Map<String, Value>) -> Option<String> {
    let text = serde_json::to_string(output).ok()?;
    (text.len() <= MAX_SET_BYTES).then_some(text)
}

/// Says what a job waits for.
fn waits(waiting: &Waiting) -> String {
    let key = waiting.concurrency_key.as_deref().unwrap_or_default();
    let holder = waiting
        .job_id
        .map(|id| format!(", as job {id} had it"))
        .unwrap_or_default();
    let due = waiting.due_at.map(|due| due.to_string()).unwrap_or_default();
    let what = match waiting.r#type {
        WaitsFor::Worker => "for a worker".to_owned(),
        WaitsFor::ConcurrencyKey => format!("for the concurrency key {key}{holder}"),
        WaitsFor::RunningQuota => "for other jobs of its tenant, whose quota of running jobs is used up".to_owned(),
        WaitsFor::DueAt => format!("for its next attempt, at {due}"),
        WaitsFor::DeadLetter => "for a redrive, since the queue has given it up".to_owned(),
    };
    format!("{what}, since {}", waiting.since)
}

fn told(failure: &HostFailure) -> String {
    let place = match (&failure.file, failure.line) {
        (Some(file), Some(line)) => format!(" ({file}:{line})"),
        (Some(file), None) => format!(" ({file})"),
        (None, _) => String::new(),
    };
    format!(
        "{} in task {:?}{place}: {}",
        failure.host, failure.task, failure.message
    )
}

fn times(job: &Job) -> Vec<(&'static str, String)> {
    let (start, end) = (job.state.started_at, job.state.finished_at);
    let took = |(start, end): (Timestamp, Timestamp)| format!(", after {:.1} s", end.since(start).as_secs_f64());
    let ended = |at: Timestamp| format!("{at}{}", start.zip(end).map(took).unwrap_or_default());
    let told = [
        ("created", Some(job.created_at.to_string())),
        ("started", start.map(|at| at.to_string())),
        ("ended", end.map(ended)),
    ];
    told.into_iter().filter_map(|(name, at)| Some((name, at?))).collect()
}

fn line(name: &str, value: &str) -> String {
    let value: String = value
        .chars()
        .filter(|char| !char.is_control() || *char == '\n')
        .collect();
    format!("{name:8}  {}\n", value.trim_end().replace('\n', "\n          "))
}
