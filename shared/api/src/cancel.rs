//! `DELETE /api/v1/jobs/{id}` and `POST /api/v1/jobs/{id}/cancel`.

use std::net::SocketAddr;

use axum::extract::{ConnectInfo, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use callboard_core::cancel::{CancelError, cancel as cancel_job};
use callboard_core::id::Tenant;
use callboard_core::job::JobStatus;

use crate::app::{App, Caller, PathId};
use crate::params::Params;
use crate::problem::Problem;
use crate::wire::Canceling;

/// Cancels a job: a pending one never starts, a running one is stopped.
#[utoipa::path(
    post,
    path = "/api/v1/jobs/{id}/cancel",
    tag = "jobs",
    params(("id" = String, Path, description = "The job's id.")),
    responses(
        (status = 200, description = "The job had not started and never will.", body = Canceling),
        (status = 202, description = "The job is being stopped; its record says when it is.", body = Canceling),
        (status = 404, description = "There is no such job.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The job has ended already.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn cancel(
    State(app): State<App>,
    PathId(id): PathId,
    params: Params,
    caller: Option<Extension<Caller>>,
    peer: Option<Extension<ConnectInfo<SocketAddr>>>,
) -> Result<Response, Problem> {
    params.finish()?;
    let by = match (caller, peer) {
        (Some(Extension(Caller(name))), _) => name,
        (None, Some(Extension(ConnectInfo(address)))) => format!("the API client at {}", address.ip()),
        (None, None) => "a client of the API".to_owned(),
    };
    match cancel_job(&*app.store, &*app.clock, &Tenant::default(), id, by).await {
        Ok(job) => {
            let answer = Canceling::from(job);
            let ended = answer.status == JobStatus::Canceled;
            let status = if ended { StatusCode::OK } else { StatusCode::ACCEPTED };
            Ok((status, Json(answer)).into_response())
        }
        Err(CancelError::Ended(job)) => {
            let detail = format!("The job has ended already; it is {}.", job.state.status);
            Err(Problem::new(StatusCode::CONFLICT, detail))
        }
        Err(CancelError::Store(error)) => Err(error.into()),
    }
}

/// Cancels a job; the same as `POST /api/v1/jobs/{id}/cancel`.
#[utoipa::path(
    delete,
    path = "/api/v1/jobs/{id}",
    tag = "jobs",
    params(("id" = String, Path, description = "The job's id.")),
    responses(
        (status = 200, description = "The job had not started and never will.", body = Canceling),
        (status = 202, description = "The job is being stopped; its record says when it is.", body = Canceling),
        (status = 404, description = "There is no such job.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The job has ended already.", body = Problem, content_type = "application/problem+json"),
    )
)]
#[expect(dead_code, reason = "documents the DELETE route, which `cancel` answers")]
pub(crate) fn delete() {}
