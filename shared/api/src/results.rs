//! `GET /api/v1/jobs/{job_id}/results`.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use callboard_core::access::Action;
use callboard_core::base::id::JobId;
use callboard_core::base::object::Object;
use callboard_core::base::store_error::StoreError;
use callboard_core::job::{Job, JobStatus};
use callboard_core::output::LogStore;
use callboard_core::request::{HostState, Kind, Kinds, Messages, OutputReader, Reason, Results};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::access::Asking;
use crate::app::{App, PathId};
use crate::attempt_log::AttemptLog;
use crate::links::Links;
use crate::params::Params;
use crate::problem::Problem;

/// How many of a job's last events are searched for its output: only what Ansible displays at its very end follows it.
const MAX_SEARCHED: u64 = 20;

/// The results of a job, in the same form for every kind.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct JobResults {
    /// The id of the job.
    #[schema(value_type = String, format = "uuid")]
    job_id: JobId,
    /// The state of the job.
    status: JobStatus,
    /// Why the job did not succeed.
    reason: Option<Reason>,
    /// Why the job did not succeed, in a sentence.
    error: Option<String>,
    /// What the job returned: what a playbook set with `set_stats` for the run, or what the operation of a service answered. Null if that is
    /// nothing, and until the job has ended.
    #[schema(value_type = Option<Object>)]
    output: Option<Value>,
    /// Whether `output` is only the beginning, or absent, because it is larger than 1 MiB.
    output_truncated: bool,
    /// How many hosts are in which state.
    hosts: StateCounts,
    /// The first failure of each host, in the order in which they happened; at most 100.
    #[schema(value_type = Vec<Failure>)]
    failures: Vec<Object>,
    /// The warnings that Ansible displayed.
    warnings: Messages,
    /// The deprecations that Ansible displayed.
    deprecations: Messages,
}

/// How many hosts are in each state, which is the worst that happened there.
#[derive(Debug, Default, Serialize, ToSchema)]
struct StateCounts {
    /// Hosts where a task failed, and nothing made good for it.
    failed: u32,
    /// Hosts that could not be reached.
    unreachable: u32,
    /// Hosts that the job did not come to.
    not_reached: u32,
    /// Hosts where something was changed.
    changed: u32,
    /// Hosts where all was well and nothing was changed.
    ok: u32,
}

/// What went wrong on a host, as the job's kind describes it.
#[derive(ToSchema)]
#[schema(as = HostFailure)]
#[expect(dead_code, reason = "stands for a schema of the job's kind")]
pub(crate) struct Failure(String);

/// Returns the results of a job.
///
/// One answer tells what the job returned, on how many hosts it ended in which way, what went wrong on which of them, and what was warned of.
/// Jobs of all kinds have the same fields; a call of a service has no hosts. An output that is too large for the job's record is here as a
/// whole, up to 1 MiB.
#[utoipa::path(
    get,
    path = "/api/v1/jobs/{job_id}/results",
    operation_id = "getJobResults",
    tag = "output",
    params(("job_id" = String, Path, description = "The id of the job.", format = "uuid")),
    responses(
        (status = 200, description = "The results of the job.", body = JobResults, headers(
            ("Link" = String, description = "Links (RFC 8288) to the job's record (`self`), output (`logs`) and events (`events`)."),
        )),
    )
)]
pub(crate) async fn get(
    State(app): State<App>,
    Asking(by): Asking,
    PathId(id): PathId,
    params: Params,
) -> Result<Response, Problem> {
    params.finish()?;
    let job = app.job(&by, Action::JobsRead, id).await?;
    let kinds = &app.submitter.kinds;
    let mut results = of(kinds, &job);
    if results.output_truncated
        && let Some(find) = kinds.of(&job.request).and_then(Kind::whole_output)
        && let Some(whole) = whole_output(find, &*app.logs, &job)
            .await
            .map_err(|error| Problem::of_job(id, error))?
    {
        (results.output, results.output_truncated) = (Some(whole), false);
    }
    Ok((Links::of_job(id), Json(JobResults::new(job, results))).into_response())
}

impl JobResults {
    fn new(job: Job, results: Results) -> Self {
        let (reason, error) = job.state.outcome.map(|end| (end.reason, end.error)).unwrap_or_default();
        let mut hosts = StateCounts::default();
        for host in results.hosts.values() {
            *hosts.of(host.state) += 1;
        }
        Self {
            job_id: job.id,
            status: job.state.status,
            reason,
            error,
            output: results.output,
            output_truncated: results.output_truncated,
            hosts,
            failures: results.failures,
            warnings: results.warnings,
            deprecations: results.deprecations,
        }
    }
}

impl StateCounts {
    fn of(&mut self, state: HostState) -> &mut u32 {
        match state {
            HostState::Failed => &mut self.failed,
            HostState::Unreachable => &mut self.unreachable,
            HostState::NotReached => &mut self.not_reached,
            HostState::Changed => &mut self.changed,
            HostState::Ok => &mut self.ok,
        }
    }
}

/// Returns what a job has brought about, as far as its record says. Of a job whose kind this release does not know, that is nothing.
pub(crate) fn of(kinds: &Kinds, job: &Job) -> Results {
    kinds
        .of(&job.request)
        .map(|kind| kind.results(job.told()))
        .unwrap_or_default()
}

/// Looks for the output among the last events of the job's last attempt.
async fn whole_output(find: OutputReader, logs: &dyn LogStore, job: &Job) -> Result<Option<Value>, StoreError> {
    let log = AttemptLog {
        logs,
        job: job.id,
        attempt: job.state.attempt,
    };
    let count = log.events().await?;
    for last in (count.saturating_sub(MAX_SEARCHED)..count).rev() {
        let line = log.read_events(last, last + 1, u64::MAX).await?;
        if let Some(whole) = line.first().and_then(|line| find(line)) {
            return Ok(Some(whole));
        }
    }
    Ok(None)
}
