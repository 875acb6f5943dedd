//! `POST /api/v1/jobs/{job_id}/relaunch`.

use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use callboard_core::access::Action;
use callboard_core::base::id::JobId;
use callboard_core::base::time::Timestamp;
use callboard_core::job::JobStatus;
use callboard_core::request::Variables;
use callboard_core::submit::Once;
use serde::Serialize;
use utoipa::ToSchema;

use crate::access::Asking;
use crate::app::{App, PathId};
use crate::body;
use crate::links::{Links, record};
use crate::params::Params;
use crate::problem::Problem;
use crate::submit::{key, refuse_draining, told};

/// What a job does otherwise than the one that it repeats. A job that calls a service is repeated as it was.
#[derive(ToSchema)]
#[schema(as = RelaunchRequest, example = json!({"hosts": "all", "extra_vars": {"greeting": "Once more"}}))]
#[expect(dead_code, reason = "describes what the kinds read")]
pub(crate) struct RelaunchRequest {
    /// On which hosts. Default: `all`.
    hosts: Option<RelaunchHosts>,
    /// Variables that are added to those of the job, or replace them.
    #[schema(value_type = Option<Variables>)]
    extra_vars: Option<Variables>,
    /// Limits the hosts to those that match a pattern, in place of the job's own `limit`. Cannot be combined with `hosts: failed`.
    #[schema(min_length = 1, max_length = 262_144)]
    limit: Option<String>,
    /// Whether to predict changes without making them, in place of the job's own `check`.
    check: Option<bool>,
}

/// The hosts on which a job is repeated.
#[derive(ToSchema)]
#[serde(rename_all = "lowercase")]
#[expect(dead_code, reason = "describes what the kinds read")]
pub(crate) enum RelaunchHosts {
    /// All that the job was for.
    All,
    /// Those where it failed, that were unreachable, or that it did not reach.
    Failed,
}

/// The job that repeats another one.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RelaunchedJob {
    /// The id of the new job.
    #[schema(value_type = String, format = "uuid")]
    job_id: JobId,
    /// The state of the new job.
    status: JobStatus,
    /// When the new job was submitted.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// The id of the job that it repeats.
    #[schema(value_type = String, format = "uuid")]
    relaunch_of: JobId,
    /// Why something is not as it was asked for, in a sentence; otherwise null.
    note: Option<String>,
}

/// Submits the request of a job anew.
///
/// The new job does what the request of the other one says, with the changes of this one; a Git source is fetched anew, and what the operator
/// allows and the credentials hold by now is what counts. The caller needs to be allowed to submit it. The records of both jobs name each other,
/// as `relaunch_of` and `relaunched_as`.
///
/// `hosts: failed` repeats a playbook where it failed, on hosts that were unreachable, and on those that it did not reach, as the `stats` of its
/// result say. If it has none, it is repeated on all, and `note` says so.
#[utoipa::path(
    post,
    path = "/api/v1/jobs/{job_id}/relaunch",
    operation_id = "relaunchJob",
    tag = "jobs",
    params(
        ("job_id" = String, Path, description = "The id of the job to repeat.", format = "uuid"),
        ("Idempotency-Key" = Option<String>, Header, description = "As for `POST /api/v1/jobs`.", min_length = 1, max_length = 255, pattern = r"^[!-~]+$"),
    ),
    request_body = Option<RelaunchRequest>,
    responses(
        (status = 202, description = "The new job is stored and will be run.", body = RelaunchedJob, headers(
            ("Location" = String, description = "The URL of the new job's record."),
            ("Link" = String, description = "Links (RFC 8288) to the new job's record (`self`), output (`logs`) and events (`events`)."),
            ("Idempotency-Replayed" = bool, description = "`true` if the job was accepted earlier, under the same `Idempotency-Key`."),
            ("RateLimit" = String, description = "How many submissions are left to the tenant (`r`), and in how many seconds its minute ends (`t`), if they are limited."),
            ("RateLimit-Policy" = String, description = "How many jobs the tenant may submit (`q`) in a window of so many seconds (`w`), if that is limited."),
        )),
    )
)]
pub(crate) async fn relaunch(
    State(app): State<App>,
    Asking(by): Asking,
    PathId(id): PathId,
    params: Params,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    params.finish()?;
    refuse_draining(&app)?;
    let wait = Duration::ZERO;
    let once = key(&headers)?.map(|key| Once { key, wait });
    let changes = body::read_any(&app, &headers, body).await?;
    // whoever repeats a job learns what its request says
    let original = app.job(&by, Action::JobsRead, id).await?;
    let relaunched = app
        .submitter
        .relaunch(&by, &original, changes.value, once.as_ref())
        .await?;
    let job = &relaunched.submitted.job;
    let body = RelaunchedJob {
        job_id: job.id,
        status: JobStatus::Pending,
        created_at: job.created_at,
        relaunch_of: original.id,
        note: relaunched.note,
    };
    let location = [(header::LOCATION, record(job.id))];
    let answer = (StatusCode::ACCEPTED, location, Links::of_job(job.id), Json(body));
    Ok(told(&relaunched.submitted, answer.into_response()))
}
