//! Reads an answer: into the log as it arrives, and into the job's output as far as that may go.

use std::sync::Arc;
use std::time::Duration;

use callboard_core::base::json::is_media_type;
use callboard_core::base::store_error::StoreError;
use callboard_core::output::Output;
use callboard_core::redact::{Piece, Redactor, Stream};
use callboard_http::{Answer, FetchError};
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
}

/// Why an answer could not be read.
pub(crate) enum Unread {
    /// The service broke it off.
    Broken(FetchError),
    /// The log could not be written.
    Unkept(StoreError),
}

/// Reads an answer to its end. Secrets are gone from what is kept.
pub(crate) async fn read(
    mut answer: Answer,
    max_bytes: u64,
    output: &Output,
    redactor: &Arc<Redactor>,
) -> Result<Answered, Unread> {
    let (status, headers) = (answer.status().as_u16(), answer.headers());
    let text_of = |name| {
        headers
            .get(name)
            .and_then(|value: &http::HeaderValue| value.to_str().ok())
    };
    let is_json = text_of(CONTENT_TYPE).is_some_and(is_media_type);
    let retry_after = text_of(RETRY_AFTER).and_then(|text| text.trim().parse().ok());
    let location = text_of(LOCATION).map(str::to_owned);
    let mut kept = Kept {
        bytes: Vec::new(),
        max: usize::try_from(max_bytes).unwrap_or(usize::MAX),
        truncated: false,
    };
    let mut stream = Stream::<()>::new(Arc::clone(redactor));
    while let Some(chunk) = answer.chunk().await.map_err(Unread::Broken)? {
        let pieces = stream.push(Piece::Text(chunk.as_ref().into()));
        kept.take(pieces, output).await.map_err(Unread::Unkept)?;
    }
    kept.take(stream.finish(), output).await.map_err(Unread::Unkept)?;
    let parsed = if is_json && !kept.truncated {
        serde_json::from_slice(&kept.bytes).ok()
    } else {
        None
    };
    let parsed = parsed.map(|value| redacted(value, redactor));
    Ok(Answered {
        status,
        retry_after: retry_after.map(Duration::from_secs),
        output: parsed.unwrap_or_else(|| String::from_utf8_lossy(&kept.bytes).into_owned().into()),
        truncated: kept.truncated,
        location,
    })
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
