//! Reads an answer: into the log as it arrives, and into the job's output as far as that may go.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use callboard_core::base::causes::causes;
use callboard_core::base::json::is_media_type;
use callboard_core::base::store_error::StoreError;
use callboard_core::output::Output;
use callboard_core::redact::{Piece, Redactor, Stream};
use callboard_http::Answer;
use callboard_kind_service::output::redacted;
use http::header::{CONTENT_TYPE, LOCATION, RETRY_AFTER};
use serde_json::Value;

/// An answer that has been read.
pub(crate) struct Answered {
    pub(crate) status: u16,
    /// What the server asks to wait before another try.
    pub(crate) retry_after: Option<Duration>,
    /// The body: JSON if the answer says so, else text.
    pub(crate) output: Value,
    pub(crate) truncated: bool,
    /// The header `Location`.
    pub(crate) location: Option<String>,
    /// Why the rest of the body is missing.
    pub(crate) broken: Option<String>,
}

/// Reads an answer to its end, or until the service breaks it off. Secrets are gone from what is kept.
///
/// # Errors
/// The log cannot be written.
pub(crate) async fn read(
    mut answer: Answer,
    max_bytes: u64,
    output: &Output,
    redactor: &Arc<Redactor>,
) -> Result<Answered, StoreError> {
    let (status, headers) = (answer.status().as_u16(), answer.headers());
    let text_of = |name| {
        headers
            .get(name)
            .and_then(|value: &http::HeaderValue| value.to_str().ok())
    };
    let is_json = text_of(CONTENT_TYPE).is_some_and(is_media_type);
    let retry_after = text_of(RETRY_AFTER).and_then(pause);
    let location = text_of(LOCATION).map(str::to_owned);
    let mut kept = Kept {
        bytes: Vec::new(),
        max: usize::try_from(max_bytes).unwrap_or(usize::MAX),
        truncated: false,
    };
    let mut stream = Stream::<()>::new(Arc::clone(redactor));
    let mut arrived = 0;
    let broken = loop {
        let chunk = match answer.chunk().await {
            Ok(Some(chunk)) => chunk,
            Ok(None) => break None,
            Err(error) => {
                break Some(format!(
                    "{}: the answer broke off after {arrived} bytes",
                    causes(&error)
                ));
            }
        };
        arrived += chunk.len();
        kept.take(stream.push(Piece::Text(chunk.as_ref().into())), output)
            .await?;
    };
    kept.take(stream.finish(), output).await?;
    let parsed = if is_json && !kept.truncated && broken.is_none() {
        serde_json::from_slice(&kept.bytes).ok()
    } else {
        None
    };
    let parsed = parsed.map(|value| redacted(value, redactor));
    Ok(Answered {
        status,
        retry_after,
        output: parsed.unwrap_or_else(|| String::from_utf8_lossy(&kept.bytes).into_owned().into()),
        truncated: kept.truncated,
        location,
        broken,
    })
}

/// Reads `Retry-After`: seconds, or the time of day.
fn pause(text: &str) -> Option<Duration> {
    let text = text.trim();
    let seconds = text.parse().map(Duration::from_secs);
    let until = || httpdate::parse_http_date(text).ok();
    seconds
        .ok()
        .or_else(|| Some(until()?.duration_since(SystemTime::now()).unwrap_or_default()))
}

/// The beginning of a body.
struct Kept {
    bytes: Vec<u8>,
    max: usize,
    truncated: bool,
}

impl Kept {
    async fn take(&mut self, pieces: Vec<Piece<'_, ()>>, output: &Output) -> Result<(), StoreError> {
        for piece in pieces {
            let Piece::Text(text) = piece else { continue };
            output.stdout(&text).await?;
            let room = self.max - self.bytes.len();
            self.truncated |= text.len() > room;
            self.bytes.extend_from_slice(&text[..text.len().min(room)]);
        }
        Ok(())
    }
}
