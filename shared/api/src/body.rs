//! Reads a JSON body: checks its type and size, then parses it strictly.

use std::time::Duration;

use axum::body::{Body, HttpBody};
use axum::http::{HeaderMap, header};
use callboard_core::base::json::{self as strict, JsonError};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;

use crate::app::App;
use crate::bodies::{Bodies, SMALL_BYTES};
use crate::problem::{Kind, Problem};

/// How long a body may take to arrive.
const TIME: Duration = Duration::from_secs(60);
/// How long to keep reading a refused body, so that its sender gets to read the answer.
const DISCARD_TIME: Duration = Duration::from_secs(30);

/// A body that was read. The value made from it takes as much memory.
pub(crate) struct JsonBody {
    pub(crate) value: Value,
    /// The room it takes, unless it is small. Keep it until the body is checked and stored.
    pub(crate) room: Option<OwnedSemaphorePermit>,
    /// Its turn, unless it is small. Keep it until the body is checked and stored.
    pub(crate) turn: Option<OwnedSemaphorePermit>,
}

/// Reads a body of at most `max_body_bytes` bytes.
///
/// The type must be JSON's: a web page of another origin can send other types without a preflight request.
pub(crate) async fn read(app: &App, headers: &HeaderMap, mut body: Body) -> Result<JsonBody, Problem> {
    let limit = app.settings.max_body_bytes;
    let mut room = match admit(app, headers) {
        Ok(room) => room,
        Err(problem) => {
            discard(headers, body).await;
            return Err(problem);
        }
    };
    let length = length(headers).map_or(0, |length| length.min(limit));
    let collected = collect(&mut body, length, limit, &app.bodies, &mut room);
    let text = match timeout(TIME, collected).await {
        Ok(Ok(text)) => text,
        Ok(Err(problem)) => {
            discard(headers, body).await;
            return Err(problem);
        }
        Err(_) => return Err(too_slow()),
    };
    // the sender is done
    drop(body);
    let room = Bodies::keep(room, text.len());
    let (value, turn) = parse(&app.bodies, text).await?;
    Ok(JsonBody { value, room, turn })
}

/// Reads a body of which every field may be absent. That there is none says the same as `{}`, whatever its type is said to be.
pub(crate) async fn read_any(app: &App, headers: &HeaderMap, body: Body) -> Result<JsonBody, Problem> {
    if !body.is_end_stream() {
        return read(app, headers, body).await;
    }
    Ok(JsonBody {
        value: json!({}),
        room: None,
        turn: None,
    })
}

/// Checks the headers of a body and reserves room for it. A body without a length gets room when it is no longer small.
fn admit(app: &App, headers: &HeaderMap) -> Result<Option<OwnedSemaphorePermit>, Problem> {
    if !is_json(headers) {
        let detail = "Send the request as JSON, with the header `Content-Type: application/json`.";
        return Err(Problem::new(Kind::UnsupportedMediaType, detail));
    }
    let limit = app.settings.max_body_bytes;
    match length(headers) {
        Some(length) if length > limit => Err(too_large(limit)),
        Some(length) => app.bodies.admit(length),
        None => Ok(None),
    }
}

fn length(headers: &HeaderMap) -> Option<usize> {
    let length = headers.get(header::CONTENT_LENGTH)?.to_str().ok()?;
    Some(length.parse().unwrap_or(usize::MAX))
}

/// Reads a body. One whose length is not known gets room for the largest one when it is no longer small.
async fn collect(
    body: &mut Body,
    length: usize,
    limit: usize,
    bodies: &Bodies,
    room: &mut Option<OwnedSemaphorePermit>,
) -> Result<Vec<u8>, Problem> {
    let mut text = Vec::with_capacity(length);
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Problem::malformed("The body could not be read to its end."))?;
        let data = frame.into_data().unwrap_or_default();
        if text.len() + data.len() > limit {
            return Err(too_large(limit));
        }
        if room.is_none() && text.len() + data.len() > SMALL_BYTES {
            *room = bodies.admit(limit)?;
        }
        text.extend_from_slice(&data);
    }
    Ok(text)
}

/// Parses a text. A large one waits for its turn and is parsed outside the threads that answer requests.
async fn parse(bodies: &Bodies, text: Vec<u8>) -> Result<(Value, Option<OwnedSemaphorePermit>), Problem> {
    if text.is_empty() {
        let (pointer, message) = (String::new(), "it is empty".to_owned());
        return Err(Problem::not_json(JsonError { pointer, message }));
    }
    if text.len() <= SMALL_BYTES {
        return strict::parse(&text)
            .map(|value| (value, None))
            .map_err(Problem::not_json);
    }
    let turn = bodies.turn().await;
    let parsed = tokio::task::spawn_blocking(move || strict::parse(&text)).await;
    let value = parsed.map_err(|_| Problem::internal())?.map_err(Problem::not_json)?;
    Ok((value, turn))
}

/// Reads the rest of a body and discards it. A client that waits for `100 Continue` gets the answer right away instead.
async fn discard(headers: &HeaderMap, mut body: Body) {
    if !headers.contains_key(header::EXPECT) {
        let rest = async { while let Some(Ok(_)) = body.frame().await {} };
        drop(timeout(DISCARD_TIME, rest).await);
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    value.is_some_and(strict::is_media_type)
}

fn too_large(limit: usize) -> Problem {
    let detail = format!("The body is larger than {limit} bytes, the limit of this service.");
    Problem::new(Kind::PayloadTooLarge, detail)
}

fn too_slow() -> Problem {
    let detail = format!("The body did not arrive within {} s.", TIME.as_secs());
    Problem::new(Kind::BodyTimeout, detail)
}
