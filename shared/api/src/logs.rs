//! `GET /api/v1/jobs/{id}/logs`: what a job printed, byte for byte.

use std::ops::Range;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::State;
use axum::http::header::{ACCEPT_RANGES, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, LOCATION, RANGE};
use axum::http::response::Builder;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use callboard_core::job::Job;
use callboard_core::ports::{LogKey, StoreError, Stream};
use futures_util::stream::try_unfold;
use tokio::sync::OwnedSemaphorePermit;

use crate::app::{App, PathId};
use crate::params::Params;
use crate::problem::Problem;

const CHUNK_BYTES: u64 = 256 * 1024;
/// How long a client may take to begin reading from a URL that it was led to.
const URL_VALID_FOR: Duration = Duration::from_secs(300);

/// Returns what the job has printed.
#[utoipa::path(
    get,
    path = "/api/v1/jobs/{id}/logs",
    tag = "output",
    params(
        ("id" = String, Path, description = "The job's id."),
        ("follow" = Option<bool>, Query, description = "Goes on until the job has ended; where answers are bounded, as by Lambda, for as long as they may take."),
        ("Range" = Option<String>, Header, description = "One range of bytes (RFC 9110); not with `follow`."),
    ),
    responses(
        (status = 200, description = "The output, with its ANSI sequences.", body = String, content_type = "text/plain"),
        (status = 206, description = "The range.", body = String, content_type = "text/plain"),
        (status = 307, description = "The output is too large for an answer; `Location` leads to it for five minutes."),
        (status = 404, description = "There is no such job.", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "The output is too large for an answer and still grows; ask for ranges.", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "Too many requests follow; `Retry-After` says when to try again.", body = Problem, content_type = "application/problem+json"),
        (status = 416, description = "The output has no such range yet.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn logs(
    State(app): State<App>,
    PathId(id): PathId,
    mut params: Params,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let follow = params.boolean("follow");
    params.finish()?;
    let job = app.job(id).await?;
    if follow {
        let waiting = app.followers.admit()?;
        return answer(builder(StatusCode::OK), follow_stream(app, job, waiting));
    }
    let key = stdout(&job);
    let max_bytes = app.settings.answers.map_or(u64::MAX, |limits| limits.max_bytes);
    let size = app.logs.size(key).await?;
    match asked(&headers, size) {
        Asked::Whole if size > max_bytes => elsewhere(&app, key, size, max_bytes).await,
        Asked::Whole => answer(
            builder(StatusCode::OK).header(CONTENT_LENGTH, size),
            range_stream(app, key, 0..size),
        ),
        Asked::Part(range) => {
            let range = range.start..range.end.min(range.start.saturating_add(max_bytes));
            let content_range = format!("bytes {}-{}/{size}", range.start, range.end - 1);
            let length = range.end - range.start;
            let builder = builder(StatusCode::PARTIAL_CONTENT).header(CONTENT_RANGE, content_range);
            answer(builder.header(CONTENT_LENGTH, length), range_stream(app, key, range))
        }
        Asked::Nothing => Ok(unsatisfiable(size)),
    }
}

fn stdout(job: &Job) -> LogKey {
    LogKey {
        job: job.id,
        attempt: job.state.attempt,
        stream: Stream::Stdout,
    }
}

fn builder(status: StatusCode) -> Builder {
    Response::builder()
        .status(status)
        .header(CONTENT_TYPE, "text/plain; charset=utf-8")
        .header("X-Content-Type-Options", "nosniff")
        .header(CACHE_CONTROL, "no-store")
        .header(ACCEPT_RANGES, "bytes")
}

/// Leads to where output is that is too large for an answer.
async fn elsewhere(app: &App, key: LogKey, size: u64, max_bytes: u64) -> Result<Response, Problem> {
    let Some(url) = app.logs.presign(key, URL_VALID_FOR).await? else {
        let detail = format!(
            "The output has {size} bytes so far, and an answer at most {max_bytes}: ask for parts with a `Range` header."
        );
        return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail));
    };
    Ok((StatusCode::TEMPORARY_REDIRECT, [(LOCATION, url)]).into_response())
}

fn answer(builder: Builder, body: Body) -> Result<Response, Problem> {
    builder.body(body).map_err(|_| Problem::internal())
}

fn unsatisfiable(size: u64) -> Response {
    let detail = format!("The output has {size} bytes so far; the range begins behind them.");
    let content_range = [(CONTENT_RANGE, format!("bytes */{size}"))];
    (content_range, Problem::new(StatusCode::RANGE_NOT_SATISFIABLE, detail)).into_response()
}

/// Streams a range that is known to be there.
fn range_stream(app: App, key: LogKey, range: Range<u64>) -> Body {
    Body::from_stream(try_unfold((app, range), move |(app, range)| async move {
        if range.is_empty() {
            return Ok::<_, StoreError>(None);
        }
        let bytes = app
            .logs
            .read(key, range.start..range.end.min(range.start + CHUNK_BYTES))
            .await?;
        let next = range.start + bytes.len() as u64..range.end;
        Ok(if bytes.is_empty() {
            None
        } else {
            Some((bytes, (app, next)))
        })
    }))
}

/// Streams what is there and what comes, until the job has ended and nothing is left, or the answer's limits are met.
fn follow_stream(app: App, job: Job, waiting: OwnedSemaphorePermit) -> Body {
    let (started, limits) = (Instant::now(), app.settings.answers);
    let left = move |sent: u64| match limits {
        Some(limits) if started.elapsed() >= limits.max_time => 0,
        Some(limits) => limits.max_bytes.saturating_sub(sent),
        None => u64::MAX,
    };
    let start = (app, job, 0, 0, waiting);
    Body::from_stream(try_unfold(
        start,
        move |(app, mut job, mut offset, sent, waiting)| async move {
            loop {
                let range = offset..offset + CHUNK_BYTES.min(left(sent));
                let bytes: Bytes = app.logs.read(stdout(&job), range).await?;
                if !bytes.is_empty() {
                    let length = bytes.len() as u64;
                    return Ok::<_, StoreError>(Some((bytes, (app, job, offset + length, sent + length, waiting))));
                }
                if job.state.status.is_final() || left(sent) == 0 {
                    return Ok(None);
                }
                tokio::time::sleep(app.settings.poll).await;
                let attempt = job.state.attempt;
                job = app.job(job.id).await?;
                if job.state.attempt > attempt.max(1) {
                    offset = 0;
                }
            }
        },
    ))
}

/// What a `Range` header asks for.
#[derive(Debug, Eq, PartialEq)]
enum Asked {
    Whole,
    Part(Range<u64>),
    Nothing,
}

/// Reads a `Range` header of one range (RFC 9110); one that cannot be read, or has several, is as if it were absent.
fn asked(headers: &HeaderMap, size: u64) -> Asked {
    let value = headers.get(RANGE).and_then(|value| value.to_str().ok());
    let Some((first, last)) = value.and_then(|text| text.strip_prefix("bytes=")?.split_once('-')) else {
        return Asked::Whole;
    };
    let range = match (first.trim().parse::<u64>(), last.trim()) {
        (Ok(first), "") => first..size,
        (Ok(first), last) => match last.parse::<u64>() {
            Ok(last) if last >= first => first..size.min(last.saturating_add(1)),
            _ => return Asked::Whole,
        },
        (Err(_), last) => match last.parse::<u64>() {
            Ok(length) if first.trim().is_empty() => size.saturating_sub(length)..size,
            _ => return Asked::Whole,
        },
    };
    if range.is_empty() {
        Asked::Nothing
    } else {
        Asked::Part(range)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_header_is_read_as_rfc_9110_has_it() {
        for (text, expected) in [
            ("bytes=0-9", Asked::Part(0..10)),
            ("bytes=90-", Asked::Part(90..100)),
            ("bytes=90-1000", Asked::Part(90..100)),
            ("bytes=-10", Asked::Part(90..100)),
            ("bytes=-1000", Asked::Part(0..100)),
            ("bytes=100-", Asked::Nothing),
            ("bytes=-0", Asked::Nothing),
            ("bytes=9-1", Asked::Whole),
            ("bytes=0-1,5-6", Asked::Whole),
            ("bytes=x-", Asked::Whole),
            ("lines=0-1", Asked::Whole),
        ] {
            let mut headers = HeaderMap::new();
            headers.extend(text.parse().ok().map(|value| (RANGE, value)));
            assert_eq!(asked(&headers, 100), expected, "{text}");
        }
    }
}
