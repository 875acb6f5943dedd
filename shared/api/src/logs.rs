//! `GET /api/v1/jobs/{job_id}/logs`: what a job printed, byte for byte, or as plain text.

mod plain;
mod range;
mod streams;

use std::ops::Range;
use std::time::Duration;

use axum::extract::State;
use axum::http::header::{ACCEPT_RANGES, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, LOCATION, RANGE};
use axum::http::response::Builder;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use callboard_core::access::Action;
use callboard_core::job::Job;
use callboard_core::output::{LogKey, Stream};
use utoipa::ToSchema;

use self::range::Asked;
use self::streams::Following;
use crate::access::Asking;
use crate::app::{App, PathId};
use crate::live::Place;
use crate::params::Params;
use crate::problem::{Kind, Problem};
use crate::wanted::Wanted;

/// How long a client has to start reading from a URL that it was redirected to.
const URL_VALID_FOR: Duration = Duration::from_secs(300);
/// The last byte position of output that is still growing: the largest number that every client can read (RFC 8673).
const ENDLESS: u64 = (1 << 53) - 1;

/// The format of the output.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogFormat {
    /// Byte for byte.
    Raw,
    /// Without ANSI sequences.
    Text,
}

/// What a request wants to read.
struct Reading {
    wanted: Wanted,
    asked: Option<Asked>,
    /// Where to begin, for who follows.
    cursor: Option<Place>,
    format: LogFormat,
}

/// Returns the output of a job.
///
/// The output is what Ansible printed, byte for byte, with its ANSI sequences, or without them with `format=text`.
/// `follow=true` continues until the job has ended, through the current attempt and all later ones. Where the duration of
/// responses is limited, as on AWS Lambda, it continues for as long as a response may take. To resume, send `Range: bytes=N-`
/// and the `attempt` whose bytes you have counted; or send the `cursor` of what you have read of the job's stream.
#[utoipa::path(
    get,
    path = "/api/v1/jobs/{job_id}/logs",
    operation_id = "getJobLogs",
    tag = "output",
    params(
        ("job_id" = String, Path, description = "The id of the job.", format = "uuid"),
        ("follow" = Option<bool>, Query, description = "If true, continues until the job has ended."),
        ("attempt" = Option<u32>, Query, description = "Returns the output of this attempt. Default: the last attempt.", minimum = 1),
        ("format" = inline(Option<LogFormat>), Query, description = "`raw` (the default), or `text` without ANSI sequences. `text` cannot be combined with `Range`."),
        ("cursor" = Option<String>, Query, description = "With `follow`, begins at this place and goes on through all later attempts: the `id` of a message of the job's stream, or the `cursor` of a page of events. Cannot be combined with `Range`.", min_length = 1),
        ("Range" = Option<String>, Header, description = "A single range of bytes (RFC 9110). With `follow`, the position to start at.", example = "bytes=0-1023"),
    ),
    responses(
        (status = 200, description = "The complete output so far.", body = String, content_type = "text/plain", headers(
            ("Accept-Ranges" = String, description = "`bytes`, except with `format=text`."),
        )),
        (status = 206, description = "The requested range of the output.", body = String, content_type = "text/plain", headers(
            ("Content-Range" = String, description = "The returned range of bytes and the total size. With `follow`, the range has an open end: `bytes N-9007199254740991/*` (RFC 8673)."),
            ("Accept-Ranges" = String, description = "`bytes`."),
        )),
        (status = 307, description = "The output is too large for a response of an AWS Lambda function.", headers(
            ("Location" = String, description = "A URL of the complete output, valid for five minutes."),
        )),
    )
)]
pub(crate) async fn logs(
    State(app): State<App>,
    Asking(by): Asking,
    PathId(id): PathId,
    mut params: Params,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let follow = params.boolean("follow");
    let wanted = Wanted::take(&mut params, 1);
    if params.is_given("cursor") && !follow {
        params.refuse(
            "cursor",
            "needs `follow=true`; without it, ask for a part with the header Range",
        );
    }
    if params.is_given("cursor") && headers.contains_key(RANGE) {
        params.refuse(
            "cursor",
            "cannot be combined with the header Range, which says as well where to begin",
        );
    }
    let reading = Reading {
        cursor: Place::take(&mut params, id, wanted.0),
        wanted,
        format: LogFormat::take(&mut params, &headers),
        asked: Asked::read(&headers),
    };
    params.finish()?;
    let job = app.job(&by, Action::JobsRead, id).await?;
    reading.wanted.check(&job)?;
    if let Some(cursor) = reading.cursor {
        cursor.check_parameter(&job)?;
    }
    if follow && (reading.cursor.is_some() || !reading.wanted.is_over(&job)) {
        reading.follow(app, job).await
    } else {
        reading.answer(&app, &job).await
    }
}

impl LogFormat {
    /// Takes the parameter `format`. Plain text cannot be combined with a range: a range counts the bytes of the raw output, and
    /// plain text leaves some of them out.
    fn take(params: &mut Params, headers: &HeaderMap) -> Self {
        match params.text("format").as_deref() {
            None | Some("raw") => Self::Raw,
            Some("text") => {
                if headers.contains_key(RANGE) {
                    params.refuse(
                        "format",
                        "text cannot be combined with the header Range, which counts bytes of raw output",
                    );
                }
                Self::Text
            }
            Some(other) => {
                params.refuse("format", format!("must be raw or text, not {other:?}"));
                Self::Raw
            }
        }
    }
}

impl Reading {
    /// Streams the output until it is complete; a range says where to begin.
    async fn follow(self, app: App, job: Job) -> Result<Response, Problem> {
        let waiting = app.followers.admit()?;
        let (start, builder) = match self.asked {
            Some(asked @ (Asked::From(_) | Asked::Last(_))) => {
                let start = asked.start(app.logs.size(self.key(&job)).await?);
                let content_range = format!("bytes {start}-{ENDLESS}/*");
                (
                    start,
                    builder(StatusCode::PARTIAL_CONTENT).header(CONTENT_RANGE, content_range),
                )
            }
            _ => (0, builder(StatusCode::OK)),
        };
        let begun = Place {
            byte: start,
            ..Place::start(self.wanted.number(&job))
        };
        let place = self.cursor.unwrap_or(begun);
        let following = Following::new(app, job, place, self.wanted, waiting).await?;
        let builder = self.head(builder);
        let body = streams::body(following.stream(), self.format);
        builder.body(body).map_err(|_| Problem::internal())
    }

    /// Answers with the output that is there now.
    async fn answer(self, app: &App, job: &Job) -> Result<Response, Problem> {
        let max_bytes = app.settings.answers.map_or(u64::MAX, |limits| limits.max_bytes);
        let size = app.logs.size(self.key(job)).await?;
        let Some(asked) = self.asked else {
            self.check_whole(app, job, size).await?;
            return match size > max_bytes {
                true => self.elsewhere(app, job, size, max_bytes).await,
                false => self.send(app, job, builder(StatusCode::OK), 0..size),
            };
        };
        let range = asked.of(size);
        if range.is_empty() {
            return Ok(unsatisfiable(size));
        }
        let range = range.start..range.end.min(range.start.saturating_add(max_bytes));
        let content_range = format!("bytes {}-{}/{size}", range.start, range.end - 1);
        let builder = builder(StatusCode::PARTIAL_CONTENT).header(CONTENT_RANGE, content_range);
        self.send(app, job, builder, range)
    }

    /// Refuses to show a part of the output as the whole. With a range, what is left can be read.
    async fn check_whole(&self, app: &App, job: &Job, size: u64) -> Result<(), Problem> {
        if !self.wanted.is_over(job) {
            return Ok(());
        }
        let key = self.key(job);
        let manifest = app.logs.sound_manifest(key.job, key.attempt).await?;
        let Some(missing) = manifest.and_then(|manifest| manifest.missing_of_stdout(size)) else {
            return Ok(());
        };
        let detail = format!(
            "Only {missing}, which a request with `Range: bytes=0-` returns. Run `callboard verify {}` on the service's machine to \
             see what is wrong.",
            job.id
        );
        Err(Problem::new(Kind::Damaged, detail))
    }

    fn send(&self, app: &App, job: &Job, builder: Builder, range: Range<u64>) -> Result<Response, Problem> {
        let builder = match self.format {
            LogFormat::Raw => builder.header(CONTENT_LENGTH, range.end - range.start),
            LogFormat::Text => builder,
        };
        let output = streams::range(app.clone(), self.key(job), range);
        let body = streams::body(output, self.format);
        self.head(builder).body(body).map_err(|_| Problem::internal())
    }

    fn head(&self, builder: Builder) -> Builder {
        match self.format {
            LogFormat::Raw => builder.header(ACCEPT_RANGES, "bytes"),
            LogFormat::Text => builder,
        }
    }

    /// Redirects to output that is too large for an answer. It is served there with its ANSI sequences.
    async fn elsewhere(&self, app: &App, job: &Job, size: u64, max_bytes: u64) -> Result<Response, Problem> {
        let url = match self.format {
            LogFormat::Raw => app.logs.presign(self.key(job), URL_VALID_FOR).await?,
            LogFormat::Text => None,
        };
        if let Some(url) = url {
            return Ok((StatusCode::TEMPORARY_REDIRECT, [(LOCATION, url)]).into_response());
        }
        let detail = format!(
            "The output has {size} bytes so far, but a response can have at most {max_bytes}: ask for parts with a `Range` header, \
             without `format`."
        );
        Err(Problem::new(Kind::OutputTooLarge, detail))
    }

    fn key(&self, job: &Job) -> LogKey {
        self.wanted.key(job, Stream::Stdout)
    }
}

fn builder(status: StatusCode) -> Builder {
    Response::builder()
        .status(status)
        .header(CONTENT_TYPE, "text/plain; charset=utf-8")
        .header("X-Content-Type-Options", "nosniff")
        .header(CACHE_CONTROL, "no-store")
}

fn unsatisfiable(size: u64) -> Response {
    let detail = format!("The output has {size} bytes so far; the range begins after the last one.");
    let content_range = [(CONTENT_RANGE, format!("bytes */{size}"))];
    (content_range, Problem::new(Kind::RangeNotSatisfiable, detail)).into_response()
}
