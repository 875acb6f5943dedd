//! The bodies of the API's answers.

mod cancel;
mod output;

use callboard_core::base::id::JobId;
use callboard_core::base::object::Object;
use callboard_core::base::store_error::StoreError;
use callboard_core::base::time::{Timestamp, seconds};
use callboard_core::job::{Attempt, DeadLetter, Job, JobStatus, Progress, Redrive, Usage, Waiting};
use callboard_core::output::LogStore;
use callboard_core::request::{Kinds, Reason, Shown};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use self::cancel::CancelView;
use self::output::LogView;
use crate::links::record;
use crate::tail::Tail;

/// The record of a job.
#[derive(Debug, Serialize, ToSchema)]
pub struct JobView {
    /// The id of the job.
    #[schema(format = "uuid")]
    job_id: String,
    /// The state of the job.
    status: JobStatus,
    /// The work of the job, as its kind describes it.
    #[serde(flatten)]
    #[schema(ignore)]
    work: Object,
    /// When the job was submitted.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// Who submitted the job: `key:NAME` for an API key, `oidc:SUBJECT` for a token, an ARN of AWS, or `ip:ADDRESS`; null for jobs of
    /// releases that did not note it.
    submitted_by: Option<String>,
    /// The address that the request came from; null if it is not known.
    source_ip: Option<String>,
    /// The id of the request in the service's log; null if there was none.
    request_id: Option<String>,
    /// The id of the job that this one repeats; null if it repeats none.
    #[schema(value_type = Option<String>, format = "uuid")]
    relaunch_of: Option<JobId>,
    /// The ids of the jobs that repeat this one, the first 100 of them.
    #[schema(value_type = Vec<String>)]
    relaunched_as: Vec<JobId>,
    /// When the last attempt started; null until then.
    #[schema(value_type = Option<String>, format = DateTime)]
    started_at: Option<Timestamp>,
    /// When the job ended; null until then.
    #[schema(value_type = Option<String>, format = DateTime)]
    finished_at: Option<Timestamp>,
    /// How long the job took, in seconds, from the start of its last attempt to its end.
    duration_seconds: Option<f64>,
    /// How many times the job has been started.
    attempt: u32,
    /// The attempts of the job, oldest first, and how each ended.
    attempts: Vec<Attempt>,
    /// The progress of the job, or where it was when it ended.
    #[schema(value_type = Option<ProgressPart>)]
    progress: Option<Progress>,
    /// Who asked for the job to be stopped, when, and with what outcome.
    cancel: Option<CancelView>,
    /// What a pending job waits for; null for any other.
    blocked_on: Option<Waiting>,
    /// Set while the job is still waiting although the queue has given it up. Redrive the job to queue it again.
    dead_letter: Option<DeadLetter>,
    /// Who had the job queued again last, after the queue had given it up, and when.
    redrive: Option<Redrive>,
    /// Why the job did not succeed.
    reason: Option<Reason>,
    /// Why the job did not succeed, in a sentence.
    error: Option<String>,
    /// The resources that the last attempt used; null until the job has ended.
    usage: Option<Usage>,
    /// The result of the job; null until it has ended.
    result: Option<JobResult>,
}

/// The progress of a job, as its kind describes it.
#[derive(ToSchema)]
#[schema(as = Progress)]
#[expect(dead_code, reason = "stands for a schema of the job's kind")]
struct ProgressPart(String);

/// The result of a job.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct JobResult {
    /// The output of the job, with its ANSI sequences: all of it if it is at most 256 KiB, otherwise its end.
    stdout: String,
    /// Whether `stdout` is only the end of the output.
    stdout_truncated: bool,
    /// The size of the output, in bytes.
    stdout_bytes: u64,
    /// The URL of the complete output.
    stdout_url: String,
    /// The rest of the result, as the job's kind describes it.
    #[serde(flatten)]
    #[schema(ignore)]
    detail: Object,
    /// What was stored of the output, and whether it is complete.
    log: LogView,
}

impl JobView {
    /// Makes the view of a job as it is `now`; if it has ended, its output is included.
    ///
    /// # Errors
    /// The log store is unavailable.
    pub async fn read(kinds: &Kinds, logs: &dyn LogStore, job: Job, now: Timestamp) -> Result<Self, StoreError> {
        let output = match job.state.status.is_final() {
            true => Some(output::read(logs, &job).await?),
            false => None,
        };
        Ok(Self::new(kinds, job, output, now))
    }

    fn new(kinds: &Kinds, job: Job, output: Option<(Tail, LogView)>, now: Timestamp) -> Self {
        let (attempts, blocked_on) = (job.state.attempts(), job.waiting(now));
        let Shown { record: work, result } = show(kinds, &job);
        let end = job.state.outcome;
        let result = output.map(|(tail, log)| JobResult {
            stdout: tail.text,
            stdout_truncated: tail.truncated,
            stdout_bytes: tail.bytes,
            stdout_url: format!("{}/logs", record(job.id)),
            detail: result,
            log,
        });
        let (reason, error, progress, usage) = match end {
            Some(end) => (end.reason, end.error, end.progress, end.usage),
            None => (None, None, job.state.progress, None),
        };
        let origin = job.request.origin;
        let relaunch_of = origin.as_ref().and_then(|origin| origin.relaunch_of);
        let (submitted_by, source_ip, request_id) = match origin {
            Some(origin) => (Some(origin.by), origin.source_ip, origin.request_id),
            None => (None, None, None),
        };
        Self {
            job_id: job.id.to_string(),
            status: job.state.status,
            work,
            created_at: job.created_at,
            submitted_by,
            source_ip,
            request_id,
            relaunch_of,
            relaunched_as: job.state.relaunched_as,
            started_at: job.state.started_at,
            finished_at: job.state.finished_at,
            duration_seconds: duration(job.state.started_at, job.state.finished_at),
            attempt: job.state.attempt,
            attempts,
            progress,
            cancel: job.state.cancel.map(|cancel| CancelView::new(cancel, job.state.status)),
            blocked_on,
            dead_letter: job.state.dead_letter,
            redrive: job.state.redrive,
            reason,
            error,
            usage,
            result,
        }
    }
}

/// Returns the part of a job that its kind describes. A job whose kind this release does not know is shown as it was recorded.
fn show(kinds: &Kinds, job: &Job) -> Shown {
    let outcome = job.state.outcome.as_ref();
    let mut shown = match kinds.of(&job.request) {
        Some(kind) => kind.show(job.told()),
        None => Shown {
            record: job.request.work.clone(),
            result: outcome.map(|outcome| outcome.detail.clone()).unwrap_or_default(),
        },
    };
    let options = shown
        .record
        .0
        .entry("options")
        .or_insert_with(|| Value::Object(Map::new()));
    if let Value::Object(options) = options {
        options.extend(Object::of(&job.request.options).0);
    }
    let kind = kinds.name_of(job.request.kind.as_deref()).into();
    shown.record.0.shift_insert(0, "kind".to_owned(), kind);
    shown
}

/// Returns the seconds from start to end, if both are known.
pub(crate) fn duration(start: Option<Timestamp>, end: Option<Timestamp>) -> Option<f64> {
    Some(seconds(end?.since(start?)))
}

/// The response to a submission that does not wait for the job to end.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Accepted {
    /// The id of the job.
    #[schema(format = "uuid")]
    job_id: String,
    /// The state of the job.
    status: JobStatus,
    /// When the job was submitted.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
}

impl Accepted {
    /// Makes the answer for an accepted job. A job that was accepted earlier is described as it was then.
    pub(crate) fn new(job: &Job, replayed: bool) -> Self {
        Self {
            job_id: job.id.to_string(),
            status: if replayed { JobStatus::Pending } else { job.state.status },
            created_at: job.created_at,
        }
    }
}

/// The response to a cancel request.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Canceling {
    /// The id of the job.
    #[schema(format = "uuid")]
    job_id: String,
    /// `canceled` if the job had not started; `running` until everything that it started has ended.
    pub(crate) status: JobStatus,
    /// Who asked for the job to be stopped, when, and with what outcome.
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
