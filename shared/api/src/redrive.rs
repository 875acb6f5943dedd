//! `POST /api/v1/jobs/{job_id}/redrive`.

use axum::extract::State;
use axum::response::Response;
use callboard_core::id::Tenant;
use callboard_core::ports::StoreError;

use crate::app::{App, PathId};
use crate::params::Params;
use crate::problem::{Kind, Problem};
use crate::submit::accepted;
use crate::wire::Accepted;

/// Gives a job that waits to the queue again.
///
/// That is for a job whose message the queue has given up, which its record's `dead_letter` tells; it does no harm to another
/// one that waits.
#[utoipa::path(
    post,
    path = "/api/v1/jobs/{job_id}/redrive",
    operation_id = "redriveJob",
    tag = "jobs",
    params(("job_id" = String, Path, description = "The job's id.", format = "uuid")),
    responses(
        (status = 202, description = "The job is queued again.", body = Accepted, headers(
            ("Location" = String, description = "The job's record."),
            ("Link" = String, description = "The record (`self`), what the job printed (`logs`) and its events (`events`); RFC 8288."),
        )),
    )
)]
pub(crate) async fn redrive(State(app): State<App>, PathId(id): PathId, params: Params) -> Result<Response, Problem> {
    params.finish()?;
    match app.submitter.redrive(&Tenant::default(), id).await {
        Ok(job) => Ok(accepted(&job, Accepted::new(&job, false))),
        Err(StoreError::Conflict) => {
            let job = app.job(id).await.map_err(|error| Problem::of_job(id, error))?;
            let status = job.state.status;
            let detail = format!("Only a job that waits can be redriven; this one is {status}.");
            Err(Problem::new(Kind::JobNotWaiting, detail))
        }
        Err(error) => Err(Problem::of_job(id, error)),
    }
}
