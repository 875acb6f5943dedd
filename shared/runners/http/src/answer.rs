//! Reads an answer: into the log as it arrives, and into the job's output as far as that may go.

use std::sync::Arc;
use std::time::Duration;

use callboard_core::base::json::is_media_type;
use callboard_core::base::store_error::StoreError;
use callboard_core::output::Output;
use callboard_core::redact::Redactor;
use callboard_http::Answer;
use callboard_kind_service::output;
use http::header::{CONTENT_TYPE, LOCATION};
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
    let text_of = |name| answer.headers().get(name).and_then(|value| value.to_str().ok());
    let is_json = text_of(CONTENT_TYPE).is_some_and(is_media_type);
    let location = text_of(LOCATION).map(str::to_owned);
    let (status, retry_after) = (answer.status().as_u16(), answer.retry_after());
    let kept = answer.keep(max_bytes, output, redactor).await?;
    let parsed = (is_json && kept.is_whole()).then(|| output::parse(&kept.beginning.bytes, redactor).ok());
    let text = || String::from_utf8_lossy(&kept.beginning.bytes).into_owned().into();
    Ok(Answered {
        status,
        retry_after,
        output: parsed.flatten().unwrap_or_else(text),
        truncated: kept.beginning.truncated,
        location,
        broken: kept.broken,
    })
}
