//! `DELETE /api/v1/jobs/{job_id}` and `POST /api/v1/jobs/{job_id}/cancel`.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use callboard_core::access::Action;
use callboard_core::job::JobStatus;
use callboard_core::run::{CancelError, cancel as cancel_job};

use crate::access::Asking;
use crate::app::{App, PathId};
use crate::links::Links;
use crate::params::Params;
use crate::problem::{Kind, Problem};
use crate::wire::Canceling;

/// Cancels a job.
///
/// A waiting job never starts. A running job is stopped within ten seconds: SIGTERM to everything that it has started, a grace
/// period, then SIGKILL. If the job ends at the same moment, either the cancel or the end wins; `cancel.outcome` in the record
/// says which.
#[utoipa::path(
    post,
    path = "/api/v1/jobs/{job_id}/cancel",
    operation_id = "cancelJob",
    tag = "jobs",
    params(("job_id" = String, Path, description = "The id of the job.", format = "uuid")),
    responses(
        (status = 200, description = "The job had not started and never will start.", body = Canceling, headers(
            ("Link" = String, description = "Links (RFC 8288) to the job's record (`self`), output (`logs`) and events (`events`)."),
        )),
        (status = 202, description = "The job is being stopped. Its record shows when it has stopped.", body = Canceling, headers(
            ("Link" = String, description = "Links (RFC 8288) to the job's record (`self`), output (`logs`) and events (`events`)."),
        )),
    )
)]
pub(crate) async fn cancel(
    State(app): State<App>,
    Asking(by): Asking,
    PathId(id): PathId,
    params: Params,
) -> Result<Response, Problem> {
    params.finish()?;
    app.job(&by, Action::JobsCancel, id).await?;
    match cancel_job(&app.submitter.dispatcher, by.tenant(), id, by.caller.name.clone()).await {
        Ok(job) => {
            let answer = Canceling::from(job);
            let ended = answer.status == JobStatus::Canceled;
            let status = if ended { StatusCode::OK } else { StatusCode::ACCEPTED };
            Ok((status, Links::of_job(id), Json(answer)).into_response())
        }
        Err(CancelError::Ended(job)) => {
            let detail = format!("The job has ended already; it is {}.", job.state.status);
            Err(Problem::new(Kind::JobEnded, detail))
        }
        Err(CancelError::Store(error)) => Err(Problem::of_job(id, error)),
    }
}

/// Cancels a job, like `POST /api/v1/jobs/{job_id}/cancel`.
///
/// The record is kept until the retention period ends.
#[utoipa::path(
    delete,
    path = "/api/v1/jobs/{job_id}",
    operation_id = "deleteJob",
    tag = "jobs",
    params(("job_id" = String, Path, description = "The id of the job.", format = "uuid")),
    responses(
        (status = 200, description = "The job had not started and never will start.", body = Canceling, headers(
            ("Link" = String, description = "Links (RFC 8288) to the job's record (`self`), output (`logs`) and events (`events`)."),
        )),
        (status = 202, description = "The job is being stopped. Its record shows when it has stopped.", body = Canceling, headers(
            ("Link" = String, description = "Links (RFC 8288) to the job's record (`self`), output (`logs`) and events (`events`)."),
        )),
    )
)]
#[expect(dead_code, reason = "documents the DELETE route, which `cancel` answers")]
pub(crate) fn delete() {}
