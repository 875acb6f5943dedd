//! `POST /api/v1/jobs`.

use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use callboard_core::causes::causes;
use callboard_core::fields::FieldError;
use callboard_core::id::Tenant;
use callboard_core::job::Job;
use callboard_core::ports::{IdempotencyKey, NotAKey};
use callboard_core::submit::{KEY_FIELD, Once};
use serde_json::Value;
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
    params(
        ("sync" = Option<bool>, Query, description = "Waits for the job's end, for a bounded time."),
        ("Idempotency-Key" = Option<String>, Header, description = "1 to 255 visible ASCII characters: the same key and body within 24 hours is the same job, and gets the first answer."),
    ),
    request_body = callboard_core::request::JobRequest,
    responses(
        (status = 202, description = "The job is recorded and will be run; `Location` leads to its record.", body = Accepted),
        (status = 200, description = "With `sync=true`: the job has ended.", body = Completed),
        (status = 400, description = "The body is not JSON.", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is no such playbook.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The first request with the same `Idempotency-Key` is not answered yet.", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "The body is too large.", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "The body is not sent as JSON.", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "Fields are wrong, each is named; or the `Idempotency-Key` stands for another request.", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "Too many jobs wait; `Retry-After` says when to try again.", body = Problem, content_type = "application/problem+json"),
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
    let once = key(&headers)?.map(|key| Once {
        key,
        wait: if sync { app.settings.sync_wait } else { Duration::ZERO },
    });
    let body = body::read(&headers, body, app.settings.max_body_bytes).await?;
    refuse_key_in(&body)?;
    let waiting = if sync { Some(app.followers.admit()?) } else { None };
    let submitted = app.submitter.submit(Tenant::default(), &body, once.as_ref()).await?;
    // the job is accepted by now: whoever is told otherwise posts it again
    let job = if sync {
        wait(&app, submitted.job).await
    } else {
        submitted.job
    };
    drop(waiting);
    if let (true, false, Some(once)) = (sync, submitted.replayed, &once) {
        app.submitter.settle(&job, once).await;
    }
    let mut response = answer(&app, &job, sync, submitted.replayed).await;
    if submitted.replayed {
        let replayed = HeaderValue::from_static("true");
        response.headers_mut().insert("idempotency-replayed", replayed);
    }
    Ok(response)
}

async fn answer(app: &App, job: &Job, sync: bool, replayed: bool) -> Response {
    if sync && job.state.status.is_final() {
        match JobView::read(&*app.logs, job.clone()).await {
            Ok(view) => return Json(Completed::from(view)).into_response(),
            Err(error) => tracing::error!(job.id = %job.id, error = %causes(&error), "the result could not be read"),
        }
    }
    let location = [(header::LOCATION, format!("/api/v1/jobs/{}", job.id))];
    let accepted = Accepted::new(job, replayed && !sync);
    (StatusCode::ACCEPTED, location, Json(accepted)).into_response()
}

/// Reads the `Idempotency-Key` header; it may be in quotes, as the IETF's draft has it.
fn key(headers: &HeaderMap) -> Result<Option<IdempotencyKey>, Problem> {
    let mut values = headers.get_all("idempotency-key").iter();
    let Some(value) = values.next() else { return Ok(None) };
    let text = value.to_str().unwrap_or_default();
    let quoted = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
    let parsed = match values.next() {
        None => quoted
            .unwrap_or(text)
            .parse()
            .map_err(|error: NotAKey| error.to_string()),
        Some(_) => Err("is given twice".to_owned()),
    };
    let refuse = |error: String| Problem::new(StatusCode::BAD_REQUEST, format!("The header Idempotency-Key {error}."));
    parsed.map(Some).map_err(refuse)
}

fn refuse_key_in(body: &Value) -> Result<(), Problem> {
    if body.get(KEY_FIELD).is_none() {
        return Ok(());
    }
    let detail = "is for messages and schedules; over HTTP, send the header Idempotency-Key instead";
    Err(Problem::fields(vec![FieldError {
        pointer: format!("/{KEY_FIELD}"),
        detail: detail.to_owned(),
    }]))
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
