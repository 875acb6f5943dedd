//! `GET /api/v1/jobs/{job_id}/stream`: what a job leaves and how it goes on, as it happens, as server-sent events.

mod message;
mod session;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use callboard_core::access::Action;
use callboard_core::job::Job;

use self::message::{MessageType, Types};
use self::session::Session;
use crate::access::Asking;
use crate::app::{App, PathId};
use crate::live::{Follower, NOT_A_CURSOR, Place};
use crate::params::Params;
use crate::problem::Problem;
use crate::wanted::Wanted;

/// The header in which a browser that connects again names the last message that it got.
const LAST_EVENT_ID: &str = "last-event-id";
const NO_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// Where a stream begins.
enum Begin {
    At(Place),
    /// The client has seen everything.
    Nowhere,
}

/// Streams a job: its state, its progress, its output and its events, as they come.
///
/// The response is a stream of server-sent events (`text/event-stream`), which the `EventSource` of browsers reads. It begins with the job's
/// state, and then has everything that the job has left and will leave, through all its attempts, until the job has ended. The data of each
/// message is JSON:
///
/// - `status`: the state of the job, whenever it changes: `{"status", "attempt", "started_at", "finished_at", "reason", "error",
///   "cancel_requested", "blocked_on", "dead_letter"}`, as in the job's record.
/// - `progress`: `{"attempt", "progress"}`, where `progress` is that of the job's record.
/// - `log`: `{"attempt", "offset", "text"}`: output, and how many bytes of the attempt's output come before it. Bytes that are not UTF-8 are
///   replaced; `GET …/logs` has them.
/// - `event`: `{"attempt", "event"}`: an event, as `GET …/events` lists them.
/// - `gap`: `{"attempt", "missing"}`: something is missing here, such as output that was lost with its machine.
/// - `end`: `{"reason"}`: nothing follows. `ended`: the job has. `attempt_ended`: the one that was asked for has. `reconnect`: the response has
///   lasted as long as one may. `shutdown`: the service stops. After the last two, connect again.
///
/// The `id` of a message is a cursor: send the last one back, as `Last-Event-ID` or `cursor`, and the stream goes on after it, with nothing lost and
/// nothing twice. Whoever connects again after `end` with `ended` gets a 204 response, which tells an `EventSource` to stop. A comment every 15
/// seconds keeps the connection open.
///
/// Where answers are not streamed, as behind an HTTP API of Amazon API Gateway, the response ends soon after the first news.
#[utoipa::path(
    get,
    path = "/api/v1/jobs/{job_id}/stream",
    operation_id = "streamJob",
    tag = "output",
    params(
        ("job_id" = String, Path, description = "The id of the job.", format = "uuid"),
        ("cursor" = Option<String>, Query, description = "Begins after the message with this `id`, or after the page of events with this `cursor`. Default: at the beginning of the first attempt.", min_length = 1),
        ("types" = inline(Option<Vec<MessageType>>), Query, description = "The types of messages to send: `status`, `progress`, `log`, `event`. Repeat the parameter, or separate the types with commas. `gap` and `end` are always sent. Default: all."),
        ("attempt" = Option<u32>, Query, description = "Streams this attempt alone. Default: all attempts.", minimum = 1),
        ("Last-Event-ID" = Option<String>, Header, description = "As `cursor`, and before it: browsers send it when they connect again."),
    ),
    responses(
        (status = 200, description = "The stream of messages.", body = String, content_type = "text/event-stream"),
        (status = 204, description = "The job has ended, and the client has seen the end."),
    )
)]
pub(crate) async fn stream(
    State(app): State<App>,
    Asking(by): Asking,
    PathId(id): PathId,
    mut params: Params,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let cursor = params.name("cursor");
    let last = headers
        .get(LAST_EVENT_ID)
        .filter(|id| !id.is_empty())
        .map(HeaderValue::to_str);
    let types = Types::take(&mut params);
    let wanted = Wanted::take(&mut params, 1);
    let job = app.job(&by, Action::JobsRead, id).await?;
    let in_header = last.is_some();
    let begin = match last {
        Some(Ok(last)) => begin(&job, wanted, Some(last)),
        Some(Err(_)) => Err(NOT_A_CURSOR.to_owned()),
        None => begin(&job, wanted, cursor.as_deref()),
    };
    let begin = match begin {
        Err(why) if in_header => return Err(Problem::header("Last-Event-ID", why)),
        Err(why) => {
            params.refuse("cursor", why);
            None
        }
        Ok(begin) => Some(begin),
    };
    params.finish()?;
    wanted.check(&job)?;
    let Some(Begin::At(place)) = begin else {
        return Ok(StatusCode::NO_CONTENT.into_response());
    };
    let resumes = in_header || cursor.is_some();
    let waiting = app.followers.admit()?;
    let follower = Follower::new(&app.live, job, place, types.selection(wanted.0), waiting).await;
    let follower = follower.map_err(|error| Problem::of_job(id, error))?;
    let session = Session::new(&app, id, follower, types, resumes);
    let headers = [
        (CONTENT_TYPE, "text/event-stream"),
        (CACHE_CONTROL, "no-store"),
        // nginx and what is like it would keep messages back
        (NO_BUFFERING, "no"),
    ];
    Ok((headers, Body::from_stream(session.stream())).into_response())
}

/// Finds the place where a stream begins, or says what is wrong with the cursor.
fn begin(job: &Job, wanted: Wanted, cursor: Option<&str>) -> Result<Begin, String> {
    let Some(cursor) = cursor else {
        return Ok(Begin::At(Place::start(wanted.0.unwrap_or(1))));
    };
    let (place, ended) = Place::of_cursor(job.id, cursor).ok_or(NOT_A_CURSOR)?;
    place.check(job)?;
    match wanted.0 {
        Some(wanted) if wanted != place.attempt => Err(place.is_not_in(wanted)),
        _ if ended && (job.state.status.is_final() || wanted.0.is_some()) => Ok(Begin::Nowhere),
        _ => Ok(Begin::At(place)),
    }
}
