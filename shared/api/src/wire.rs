//! What the API answers with.

use callboard_core::access::Access;
use callboard_core::attempt::Attempt;
use callboard_core::causes::causes;
use callboard_core::inventory::Inventory;
use callboard_core::job::{CancelRequest, DeadLetter, Job, JobStatus};
use callboard_core::options::Options;
use callboard_core::outcome::{HostFailure, HostStats, InventorySummary, Reason, Stats};
use callboard_core::ports::{LogStore, Manifest, StoreError};
use callboard_core::progress::Progress;
use callboard_core::source::{Source, TypedSource};
use callboard_core::time::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::links::record;
use crate::tail::Tail;

/// The record of a job.
#[derive(Debug, Serialize, ToSchema)]
pub struct JobView {
    /// The job's id.
    #[schema(format = "uuid")]
    job_id: String,
    /// Where it stands.
    status: JobStatus,
    /// The playbook's path or the role's name; null where `source` holds the playbook itself.
    playbook: Option<String>,
    /// What it runs, where that is not a playbook of the playbooks folder.
    source: Option<TypedSource>,
    /// The commit that runs, where the source is a Git repository.
    commit: Option<String>,
    #[schema(value_type = callboard_core::request::Variables)]
    extra_vars: Map<String, Value>,
    inventory: Inventory,
    /// References to credentials; never their values.
    credentials: Access,
    options: Options,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[schema(value_type = Option<String>, format = DateTime)]
    started_at: Option<Timestamp>,
    #[schema(value_type = Option<String>, format = DateTime)]
    finished_at: Option<Timestamp>,
    /// How long it took, in seconds: from the start of its last attempt to its end.
    duration_seconds: Option<f64>,
    /// How often it has been started.
    attempt: u32,
    /// Each of its starts, oldest first, and how it ended.
    attempts: Vec<Attempt>,
    /// How far it has come, or had come when it ended.
    progress: Option<Progress>,
    /// Who asked for it to be stopped, and when, and what came of that.
    cancel: Option<CancelView>,
    /// Set while it waits although the queue has given it up; redrive it.
    dead_letter: Option<DeadLetter>,
    /// Why it did not succeed.
    reason: Option<Reason>,
    /// Why it did not succeed, in a sentence.
    error: Option<String>,
    /// What came of it, once it has ended.
    result: Option<JobResult>,
}

/// What came of a job.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct JobResult {
    /// The exit code of `ansible-playbook`; 128 and the number of the signal that ended it, as a shell has it.
    rc: Option<i32>,
    /// What Ansible printed, with its ANSI sequences: all of it up to 256 KiB, else its end.
    stdout: String,
    /// Whether `stdout` is only the end.
    stdout_truncated: bool,
    /// How many bytes Ansible printed.
    stdout_bytes: u64,
    /// Where all of it is.
    stdout_url: String,
    /// Counts per host: ok, changed, failures, dark, skipped, rescued, ignored, processed.
    #[schema(value_type = Option<BTreeMap<String, HostStats>>)]
    stats: Option<Stats>,
    /// What Ansible made of the inventory.
    inventory: Option<InventorySummary>,
    /// What went wrong, by host, in the order in which it happened; at most 100.
    failures: Vec<HostFailure>,
    /// Whether all of the output is there.
    log: LogView,
}

/// What is known of a finished job's output.
#[derive(Debug, Default, Serialize, ToSchema)]
pub(crate) struct LogView {
    /// True when everything that was to be kept is there; false when the worker was lost, or could not write it all.
    complete: bool,
    /// Whether the job printed more than is kept of one.
    truncated: bool,
    /// Number of segments.
    segments: u64,
    /// Number of events.
    events: u64,
    /// SHA-256 of what Ansible printed, in hex; absent if the worker was lost.
    stdout_sha256: Option<String>,
    /// SHA-256 of the events, in hex; absent if the worker was lost.
    events_sha256: Option<String>,
    /// What of the output cannot be read, in a sentence; there only if something is damaged.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    damaged: Option<String>,
}

impl From<Manifest> for LogView {
    fn from(manifest: Manifest) -> Self {
        Self {
            complete: manifest.complete,
            truncated: manifest.truncated,
            segments: manifest.segments,
            events: manifest.events,
            stdout_sha256: manifest.stdout_sha256,
            events_sha256: manifest.events_sha256,
            damaged: None,
        }
    }
}

/// Who asked for a job to be stopped.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CancelView {
    /// Who: `ip:` and a client's address, the ARN of an identity of AWS, `signal:` and a signal's name, or `unknown`.
    by: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// What came of it.
    outcome: CancelOutcome,
}

/// What came of a request to stop a job.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum CancelOutcome {
    /// The job is being stopped.
    Pending,
    /// The job was stopped.
    Stopped,
    /// The job had ended before it could be stopped.
    TooLate,
}

impl CancelView {
    fn new(cancel: CancelRequest, status: JobStatus) -> Self {
        let outcome = match status {
            JobStatus::Pending | JobStatus::Running => CancelOutcome::Pending,
            JobStatus::Canceled => CancelOutcome::Stopped,
            JobStatus::Successful | JobStatus::Failed => CancelOutcome::TooLate,
        };
        Self {
            by: cancel.by,
            at: cancel.at,
            outcome,
        }
    }
}

impl JobView {
    /// Shows a job; if it has ended, with what it printed.
    ///
    /// # Errors
    /// The log store is unavailable.
    pub async fn read(logs: &dyn LogStore, job: Job) -> Result<Self, StoreError> {
        let output = match job.state.status.is_final() {
            true if job.state.attempt > 0 => Some(output(logs, &job).await?),
            true => {
                let nothing = LogView {
                    complete: true,
                    ..LogView::default()
                };
                Some((Tail::default(), nothing))
            }
            false => None,
        };
        Ok(Self::new(job, output))
    }

    fn new(job: Job, output: Option<(Tail, LogView)>) -> Self {
        let attempts = job.state.attempts();
        let outcome = job.state.outcome;
        let (reason, error) = outcome
            .as_ref()
            .map_or((None, None), |end| (end.reason, end.error.clone()));
        let progress = match &outcome {
            Some(end) => end.progress.clone(),
            None => job.state.progress.clone(),
        };
        let commit = match (&outcome, &job.state.progress) {
            (Some(end), _) => end.commit.clone(),
            (None, progress) => progress.as_ref().and_then(|progress| progress.commit.clone()),
        };
        let result = outcome.zip(output).map(|(end, (tail, log))| JobResult {
            rc: end.rc,
            stdout: tail.text,
            stdout_truncated: tail.truncated,
            stdout_bytes: tail.bytes,
            stdout_url: format!("{}/logs", record(job.id)),
            stats: end.stats,
            inventory: end.inventory,
            failures: end.failures,
            log,
        });
        Self {
            job_id: job.id.to_string(),
            status: job.state.status,
            playbook: job.request.source.name(),
            source: match job.request.source {
                Source::Playbook(_) => None,
                Source::Typed(source) => Some(source),
            },
            commit,
            extra_vars: job.request.extra_vars,
            inventory: job.request.inventory,
            credentials: job.request.credentials,
            options: job.request.options,
            created_at: job.created_at,
            started_at: job.state.started_at,
            finished_at: job.state.finished_at,
            duration_seconds: duration(job.state.started_at, job.state.finished_at),
            attempt: job.state.attempt,
            attempts,
            progress,
            cancel: job.state.cancel.map(|cancel| CancelView::new(cancel, job.state.status)),
            dead_letter: job.state.dead_letter,
            reason,
            error,
            result,
        }
    }
}

/// Reads what a job that has ended printed. What is damaged is left out, and said to be so.
async fn output(logs: &dyn LogStore, job: &Job) -> Result<(Tail, LogView), StoreError> {
    let (manifest, no_manifest) = unless_damaged(logs.manifest(job.id, job.state.attempt).await, job)?;
    let (tail, no_tail) = unless_damaged(Tail::read(logs, job).await, job)?;
    let what = match (no_manifest, no_tail) {
        (false, false) => None,
        (true, false) => Some("The manifest of the output"),
        (_, true) => Some("The output"),
    };
    let log = LogView {
        damaged: what.map(|what| {
            format!(
                "{what} cannot be read; `callboard verify {}` says what is wrong with it.",
                job.id
            )
        }),
        ..manifest.map(LogView::from).unwrap_or_default()
    };
    Ok((tail, log))
}

/// Takes what is damaged for nothing; tells whether it is.
fn unless_damaged<T: Default>(read: Result<T, StoreError>, job: &Job) -> Result<(T, bool), StoreError> {
    match read {
        Err(error @ StoreError::Corrupt(_)) => {
            tracing::error!(job.id = %job.id, error = %causes(&error), "the output of a job is damaged");
            Ok((T::default(), true))
        }
        read => read.map(|read| (read, false)),
    }
}

/// Returns the seconds from a start to an end, if there are both.
pub(crate) fn duration(start: Option<Timestamp>, end: Option<Timestamp>) -> Option<f64> {
    Some(end?.since(start?).as_secs_f64())
}

/// The answer to a submission that does not wait for the job's end.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Accepted {
    #[schema(format = "uuid")]
    job_id: String,
    status: JobStatus,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
}

impl Accepted {
    /// Tells of a job that was accepted; one that was accepted before is told of as it was then.
    pub(crate) fn new(job: &Job, replayed: bool) -> Self {
        Self {
            job_id: job.id.to_string(),
            status: if replayed { JobStatus::Pending } else { job.state.status },
            created_at: job.created_at,
        }
    }
}

/// The answer to a cancel.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Canceling {
    #[schema(format = "uuid")]
    job_id: String,
    /// `canceled` if the job had not started; `running` until everything it started is gone.
    pub(crate) status: JobStatus,
    cancel: Option<CancelView>,
}

impl From<Job> for Canceling {
    fn from(job: Job) -> Self {
        let status = job.state.status;
        Self {
            job_id: job.id.to_string(),
            status,
            cancel: job.state.cancel.map(|cancel| CancelView::new(cancel, status)),
        }
    }
}
