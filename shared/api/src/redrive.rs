//! `POST /api/v1/jobs/{id}/redrive`.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use callboard_core::id::Tenant;
use callboard_core::ports::StoreError;

use crate::app::{App, PathId};
use crate::params::Params;
use crate::problem::Problem;
use crate::wire::Accepted;

/// Gives a job that waits to the queue again, as when the queue has given it up.
#[utoipa::path(
    post,
    path = "/api/v1/jobs/{id}/redrive",
    tag = "jobs",
    params(("id" = String, Path, description = "The job's id.")),
    responses(
        (status = 202, description = "The job is queued again.", body = Accepted),
        (status = 404, description = "There is no such job.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The job does not wait: it runs, or has ended.", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Try again later.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn redrive(
    State(app): State<App>,
    PathId(id): PathId,
    params: Params,
) -> Result<(StatusCode, Json<Accepted>), Problem> {
    params.finish()?;
    match app.submitter.redrive(&Tenant::default(), id).await {
        Ok(job) => Ok((StatusCode::ACCEPTED, Json(Accepted::new(&job, false)))),
        Err(StoreError::Conflict) => {
            let status = app.job(id).await?.state.status;
            let detail = format!("Only a job that waits can be redriven; this one is {status}.");
            Err(Problem::new(StatusCode::CONFLICT, detail))
        }
        Err(error) => Err(error.into()),
    }
}
