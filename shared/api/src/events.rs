//! `GET /api/v1/jobs/{id}/events`: ansible-runner's events, in order, with long poll.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use bytes::Bytes;
use callboard_core::job::{Job, JobStatus};
use callboard_core::ports::{LogKey, LogStore, StoreError, Stream};
use serde::Serialize;
use serde_json::value::RawValue;
use tokio::time::{Instant, sleep};
use utoipa::ToSchema;

use crate::app::{App, PathId};
use crate::params::Params;
use crate::problem::Problem;

const DEFAULT_LIMIT: u64 = 100;
const MAX_LIMIT: u64 = 1000;
const MAX_WAIT_SECONDS: u64 = 25;
/// A page is cut when it would grow beyond this; a single event is always whole.
const MAX_PAGE_BYTES: u64 = 4 * 1024 * 1024;
const INDEX_BYTES: u64 = 8;

/// A page of events.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct EventPage {
    /// The events, ordered by counter, with the fields that ansible-runner gives them.
    #[schema(value_type = Vec<Object>)]
    events: Vec<Box<RawValue>>,
    /// The `after` of the next page.
    next_after: u64,
    /// Where the job stands.
    status: JobStatus,
    /// True when the job has ended and no event follows.
    complete: bool,
}

/// Returns the events after a counter; waits for one if there is none yet.
#[utoipa::path(
    get,
    path = "/api/v1/jobs/{id}/events",
    tag = "output",
    params(
        ("id" = String, Path, description = "The job's id."),
        ("after" = Option<u64>, Query, description = "Only events with a greater counter; 0 if absent."),
        ("limit" = Option<u64>, Query, description = "At most this many; 100 if absent.", minimum = 1, maximum = 1000),
        ("wait" = Option<u64>, Query, description = "Waits up to this many seconds for an event.", minimum = 0, maximum = 25),
    ),
    responses(
        (status = 200, description = "The events.", body = EventPage),
        (status = 404, description = "There is no such job.", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "Too many requests wait; `Retry-After` says when to try again.", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "A parameter is wrong.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn events(
    State(app): State<App>,
    PathId(id): PathId,
    mut params: Params,
) -> Result<Json<EventPage>, Problem> {
    let after = params.number("after", 0, u64::from(u32::MAX), 0);
    let limit = params.number("limit", 1, MAX_LIMIT, DEFAULT_LIMIT);
    let wait = params.number("wait", 0, MAX_WAIT_SECONDS, 0);
    params.finish()?;
    let deadline = Instant::now() + Duration::from_secs(wait);
    let _waiting = if wait > 0 { Some(app.followers.admit()?) } else { None };
    loop {
        let job = app.job(id).await?;
        let page = read(&*app.logs, &job, after, limit).await?;
        if !page.events.is_empty() || page.complete || Instant::now() >= deadline {
            return Ok(Json(page));
        }
        sleep(app.settings.poll).await;
    }
}

async fn read(logs: &dyn LogStore, job: &Job, after: u64, limit: u64) -> Result<EventPage, StoreError> {
    let key = |stream| LogKey {
        job: job.id,
        attempt: job.state.attempt,
        stream,
    };
    let count = logs.size(key(Stream::EventIndex)).await? / INDEX_BYTES;
    let ends = ends(logs, key(Stream::EventIndex), after, count.min(after + limit)).await?;
    let (start, ends) = ends.split_first().map_or((0, &[][..]), |(start, ends)| (*start, ends));
    let taken = ends
        .iter()
        .take_while(|end| **end - start <= MAX_PAGE_BYTES)
        .count()
        .max(1)
        .min(ends.len());
    let end = ends[..taken].last().copied().unwrap_or(start);
    let lines = logs.read(key(Stream::Events), start..end).await?;
    let next_after = after + taken as u64;
    let complete = job.state.status.is_final() && next_after >= count;
    Ok(EventPage {
        events: parse(&lines)?,
        next_after,
        status: job.state.status,
        complete,
    })
}

/// Returns where the events after `after` start, and where each of them up to `last` ends.
async fn ends(logs: &dyn LogStore, key: LogKey, after: u64, last: u64) -> Result<Vec<u64>, StoreError> {
    if last <= after {
        return Ok(Vec::new());
    }
    let first = after.saturating_sub(1);
    let index = logs.read(key, first * INDEX_BYTES..last * INDEX_BYTES).await?;
    let ends = index.as_chunks().0.iter().map(|bytes| u64::from_le_bytes(*bytes));
    Ok((after == 0).then_some(0).into_iter().chain(ends).collect())
}

fn parse(lines: &Bytes) -> Result<Vec<Box<RawValue>>, StoreError> {
    let lines = lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let events: Result<Vec<_>, _> = lines.map(serde_json::from_slice).collect();
    events.map_err(|error| StoreError::Corrupt(Box::new(error)))
}
