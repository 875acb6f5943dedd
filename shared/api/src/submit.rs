//! `POST /api/v1/jobs`.

use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use callboard_core::causes::causes;
use callboard_core::id::Tenant;
use callboard_core::job::Job;
use tokio::time::{Instant, sleep};

use crate::app::App;
use crate::body;
use crate::params::Params;
use crate::problem::Problem;
use crate::wire::{Accepted, Completed, JobView};

const FIRST_LOOK: Duration = Duration::from_millis(5);
const LONGEST_PAUSE: Duration = Duration::from_millis(200);

/// Submits a job.
#[utoipa::path(
    post,
    path = "/api/v1/jobs",
    tag = "jobs",
    params(("sync" = Option<bool>, Query, description = "Waits for the job's end, for a bounded time.")),
    request_body = callboard_core::request::JobRequest,
    responses(
        (status = 202, description = "The job is recorded and will be run; `Location` leads to its record.", body = Accepted),
        (status = 200, description = "With `sync=true`: the job has ended.", body = Completed),
        (status = 400, description = "The body is not JSON.", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is no such playbook.", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "The body is too large.", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "The body is not sent as JSON.", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "Fields are wrong; each is named.", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Try again later.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn submit(
    State(app): State<App>,
    mut params: Params,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let sync = params.boolean("sync");
    params.finish()?;
    if app.health.is_draining() {
        return Err(Problem::draining());
    }
    let body = body::read(&headers, body, app.settings.max_body_bytes).await?;
    let job = app.submitter.submit(Tenant::default(), &body).await?;
    // the job is accepted by now: whoever is told otherwise posts it again
    let job = if sync { wait(&app, job).await } else { job };
    if sync && job.state.status.is_final() {
        match JobView::read(&*app.logs, job.clone()).await {
            Ok(view) => return Ok(Json(Completed::from(view)).into_response()),
            Err(error) => tracing::error!(job.id = %job.id, error = %causes(&error), "the result could not be read"),
        }
    }
    let location = [(header::LOCATION, format!("/api/v1/jobs/{}", job.id))];
    Ok((StatusCode::ACCEPTED, location, Json(Accepted::from(&job))).into_response())
}

/// Waits until the job has ended, or for as long as it may be waited; returns the job as it was seen last.
async fn wait(app: &App, mut job: Job) -> Job {
    let deadline = Instant::now() + app.settings.sync_wait;
    let mut pause = FIRST_LOOK;
    while Instant::now() < deadline && !job.state.status.is_final() {
        sleep(pause).await;
        match app.job(job.id).await {
            Ok(seen) => job = seen,
            Err(error) => tracing::error!(job.id = %job.id, error = %causes(&error), "the job could not be looked at"),
        }
        pause = LONGEST_PAUSE.min(pause * 5 / 4);
    }
    job
}
