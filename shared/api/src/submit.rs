//! `POST /api/v1/jobs`.

use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use callboard_core::base::causes::causes;
use callboard_core::base::fields::FieldError;
use callboard_core::base::id::Tenant;
use callboard_core::job::Job;
use callboard_core::submit::{IdempotencyKey, KEY_FIELD, NotAKey, Once};
use serde_json::Value;
use tokio::time::{Instant, sleep};
use utoipa::ToSchema;

use crate::app::App;
use crate::body::{self, JsonBody};
use crate::links::{Links, record};
use crate::params::Params;
use crate::problem::{Kind, Problem};
use crate::record::Record;
use crate::wire::{Accepted, JobView};

const FIRST_LOOK: Duration = Duration::from_millis(5);
const LONGEST_PAUSE: Duration = Duration::from_millis(200);

/// Submits a job.
///
/// The job is on the disk when this is answered. It is run once, or up to `options.max_attempts` times where its worker is
/// lost. With `sync=true` the answer waits for the job's end, for a bounded time, and is the job's record. Under an
/// `Idempotency-Key`, a submission can be sent again: the first answer comes back, and the job runs once.
#[utoipa::path(
    post,
    path = "/api/v1/jobs",
    operation_id = "submitJob",
    tag = "jobs",
    params(
        ("sync" = Option<bool>, Query, description = "Waits for the job's end, for a bounded time."),
        ("Idempotency-Key" = Option<String>, Header, description = "The same key and body within 24 hours is the same job, and gets the first answer. Visible ASCII characters, such as a UUID.", min_length = 1, max_length = 255, pattern = r"^[!-~]+$"),
    ),
    request_body = AnyRequest,
    responses(
        (status = 200, description = "With `sync=true`: the job has ended, and this is its record.", body = JobView, headers(
            ("Link" = String, description = "The record (`self`), what the job printed (`logs`) and its events (`events`); RFC 8288."),
            ("ETag" = String, description = "Stands for the record of a job that has ended; for `If-None-Match`."),
            ("Idempotency-Replayed" = bool, description = "`true` where the job was accepted before, under the same `Idempotency-Key`."),
        )),
        (status = 202, description = "The job is recorded and will be run.", body = Accepted, headers(
            ("Location" = String, description = "The job's record."),
            ("Link" = String, description = "The record (`self`), what the job printed (`logs`) and its events (`events`); RFC 8288."),
            ("Idempotency-Replayed" = bool, description = "`true` where the job was accepted before, under the same `Idempotency-Key`."),
        )),
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
        let detail = "The service is shutting down and takes no more jobs.";
        return Err(Problem::new(Kind::Draining, detail));
    }
    let once = key(&headers)?.map(|key| Once {
        key,
        wait: if sync { app.settings.sync_wait } else { Duration::ZERO },
    });
    let JsonBody { value, room, turn } = body::read(&app, &headers, body).await?;
    refuse_key_in(&value)?;
    let waiting = if sync { Some(app.followers.admit()?) } else { None };
    let submitted = app.submitter.submit(Tenant::default(), value, once.as_ref()).await?;
    drop(turn);
    // the job is accepted now: a client that was told otherwise would post it again
    let job = if sync {
        wait(&app, submitted.job).await
    } else {
        submitted.job
    };
    drop((waiting, room));
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

/// A request of one of the kinds of jobs.
#[derive(ToSchema)]
#[schema(as = JobRequest)]
#[expect(dead_code, reason = "stands for the schemas of the kinds")]
struct AnyRequest(String);

async fn answer(app: &App, job: &Job, sync: bool, replayed: bool) -> Response {
    if sync && job.state.status.is_final() {
        match Record::read(&app.submitter.kinds, &*app.logs, job.clone()).await {
            Ok(record) => return record.into_response(),
            Err(error) => tracing::error!(job.id = %job.id, error = %causes(&error), "the record could not be read"),
        }
    }
    accepted(job, Accepted::new(job, replayed && !sync))
}

/// Answers that a job is waiting to run.
pub(crate) fn accepted(job: &Job, body: Accepted) -> Response {
    let location = [(header::LOCATION, record(job.id))];
    (StatusCode::ACCEPTED, location, Links::of_job(job.id), Json(body)).into_response()
}

/// Reads the `Idempotency-Key` header. The value may be in quotes, as in the IETF draft.
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
    parsed
        .map(Some)
        .map_err(|error| Problem::header("Idempotency-Key", error))
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

/// Waits until the job has ended or the time is up, and returns the job in its latest state.
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
