//! `POST /api/v1/jobs`.

use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use callboard_core::access::Requester;
use callboard_core::base::causes::causes;
use callboard_core::base::fields::FieldError;
use callboard_core::base::object::Object;
use callboard_core::job::Job;
use callboard_core::submit::{IdempotencyKey, KEY_FIELD, NotAKey, Once, Submitted};
use serde_json::Value;
use tokio::time::{Instant, sleep};
use utoipa::ToSchema;

use crate::access::Asking;
use crate::app::App;
use crate::audit::{Client, Made, Unchanged};
use crate::body::{self, JsonBody};
use crate::links::{Links, record};
use crate::params::Params;
use crate::problem::{Kind, Problem};
use crate::rate_limit;
use crate::record::Record;
use crate::wire::{Accepted, JobView};

const FIRST_LOOK: Duration = Duration::from_millis(5);
const LONGEST_PAUSE: Duration = Duration::from_millis(200);

/// Submits a job.
///
/// The job is stored durably before the response is sent. It runs once, or up to `options.max_attempts` times if its worker is
/// lost. With `sync=true`, the request waits for the job to end, for a limited time, and returns the job's record. With an
/// `Idempotency-Key`, a submission can be sent again: it gets the first response, and the job runs once.
#[utoipa::path(
    post,
    path = "/api/v1/jobs",
    operation_id = "submitJob",
    tag = "jobs",
    params(
        ("sync" = Option<bool>, Query, description = "If true, waits for the job to end, for a limited time."),
        ("Idempotency-Key" = Option<String>, Header, description = "A key that makes it safe to send the request again: within 24 hours, the same key and body refer to the same job and get the first response. Visible ASCII characters, such as a UUID.", min_length = 1, max_length = 255, pattern = r"^[!-~]+$"),
    ),
    request_body = AnyRequest,
    responses(
        (status = 200, description = "The record of the job, which has ended. Only with `sync=true`.", body = JobView, headers(
            ("Link" = String, description = "Links (RFC 8288) to the job's record (`self`), output (`logs`) and events (`events`)."),
            ("ETag" = String, description = "Identifies the record of a job that has ended. Send it in `If-None-Match`."),
            ("Idempotency-Replayed" = bool, description = "`true` if the job was accepted earlier, under the same `Idempotency-Key`."),
        )),
        (status = 202, description = "The job is stored and will be run.", body = Accepted, headers(
            ("Location" = String, description = "The URL of the job's record."),
            ("Link" = String, description = "Links (RFC 8288) to the job's record (`self`), output (`logs`) and events (`events`)."),
            ("Idempotency-Replayed" = bool, description = "`true` if the job was accepted earlier, under the same `Idempotency-Key`."),
            ("RateLimit" = String, description = "How many submissions are left to the tenant (`r`), and in how many seconds its minute ends (`t`), if they are limited."),
            ("RateLimit-Policy" = String, description = "How many jobs the tenant may submit (`q`) in a window of so many seconds (`w`), if that is limited."),
        )),
    )
)]
pub(crate) async fn submit(
    State(app): State<App>,
    Asking(by): Asking,
    client: Client,
    mut params: Params,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let sync = params.boolean("sync");
    params.finish()?;
    refuse_draining(&app)?;
    let once = key(&headers)?.map(|key| Once {
        key,
        wait: if sync { app.settings.sync_wait } else { Duration::ZERO },
    });
    let body = body::read(&app, &headers, body).await?;
    refuse_key_in(&body.value)?;
    let wait = sync.then_some(client);
    accept(&app, &by, body, wait, once.as_ref()).await
}

/// Refuses every job while the service shuts down.
pub(crate) fn refuse_draining(app: &App) -> Result<(), Problem> {
    if app.health.is_draining() {
        let detail = "The service is shutting down and takes no more jobs.";
        return Err(Problem::new(Kind::Draining, detail));
    }
    Ok(())
}

/// Submits a request that was read, and answers; when its job has ended, if `wait` is who waits for that.
pub(crate) async fn accept(
    app: &App,
    by: &Requester,
    body: JsonBody,
    wait: Option<Client>,
    once: Option<&Once>,
) -> Result<Response, Problem> {
    let JsonBody { value, room, turn } = body;
    let sync = wait.is_some();
    let waiting = if sync { Some(app.followers.admit()?) } else { None };
    let submitted = app.submitter.submit(by, value, once).await?;
    drop((turn, room));
    // the job is accepted now: a client that was told otherwise would post it again
    let job = match wait {
        Some(client) => end_of(app, submitted.job.clone(), client).await,
        None => submitted.job.clone(),
    };
    drop(waiting);
    if let (true, false, Some(once)) = (sync, submitted.replayed, once) {
        app.submitter.settle(by, &job, once).await;
    }
    let response = answer(app, &job, sync, submitted.replayed).await;
    Ok(told(&submitted, response))
}

/// Adds to a response what it tells of a submission besides the job.
pub(crate) fn told(submitted: &Submitted, mut response: Response) -> Response {
    response.extensions_mut().insert(Made::of(&submitted.job.id));
    if submitted.replayed {
        let replayed = HeaderValue::from_static("true");
        response.headers_mut().insert("idempotency-replayed", replayed);
        response.extensions_mut().insert(Unchanged);
    }
    if let Some(rate) = submitted.rate {
        rate_limit::tell(rate, response.headers_mut());
    }
    response
}

/// A job request of any kind.
#[derive(ToSchema)]
#[schema(as = JobRequest)]
#[expect(dead_code, reason = "stands for the schemas of the kinds")]
struct AnyRequest(String);

async fn answer(app: &App, job: &Job, sync: bool, replayed: bool) -> Response {
    if sync && job.state.status.is_final() {
        match Record::read(&app.submitter.kinds, &*app.logs, job.clone(), app.clock.now()).await {
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
pub(crate) fn key(headers: &HeaderMap) -> Result<Option<IdempotencyKey>, Problem> {
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

/// Waits until the job has ended, the time is up or nobody waits any more, and returns the job in its latest state.
async fn end_of(app: &App, mut job: Job, mut client: Client) -> Job {
    let deadline = Instant::now() + app.settings.sync_wait;
    let mut pause = FIRST_LOOK;
    while Instant::now() < deadline && !job.state.status.is_final() {
        // its work may be large, and is not needed until the job has ended
        job.request.work = Object::default();
        tokio::select! {
            () = sleep(pause) => {}
            () = app.store.ended(job.id) => {}
            () = client.gone() => return job,
        }
        match app.store.get(job.id, app.clock.now()).await {
            Ok(seen) => job = seen,
            Err(error) => tracing::error!(job.id = %job.id, error = %causes(&error), "the job could not be looked at"),
        }
        pause = LONGEST_PAUSE.min(pause * 5 / 4);
    }
    job
}
