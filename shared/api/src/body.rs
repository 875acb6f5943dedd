//! Reading a JSON body: its type, its size, and then strictly.

use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, header};
use callboard_core::json::{self, JsonError};
use http_body_util::LengthLimitError;
use serde_json::Value;

use crate::problem::{Kind, Problem};

/// Reads a body of at most `limit` bytes.
///
/// The type must be JSON's: a web page of another origin can send other types without the browser asking first.
pub(crate) async fn read(headers: &HeaderMap, body: Body, limit: usize) -> Result<Value, Problem> {
    if !is_json(headers) {
        let detail = "Send the request as JSON, with the header `Content-Type: application/json`.";
        return Err(Problem::new(Kind::UnsupportedMediaType, detail));
    }
    let bytes = to_bytes(body, limit).await.map_err(|error| refuse(&error, limit))?;
    if bytes.is_empty() {
        let (pointer, message) = (String::new(), "it is empty".to_owned());
        return Err(Problem::not_json(JsonError { pointer, message }));
    }
    json::parse(&bytes).map_err(Problem::not_json)
}

fn is_json(headers: &HeaderMap) -> bool {
    let value = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let essence = value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"))
}

fn refuse(error: &axum::Error, limit: usize) -> Problem {
    let mut cause: Option<&dyn std::error::Error> = Some(error);
    while let Some(error) = cause {
        if error.is::<LengthLimitError>() {
            let detail = format!("The body is larger than {limit} bytes, the limit of this service.");
            return Problem::new(Kind::PayloadTooLarge, detail);
        }
        cause = error.source();
    }
    Problem::malformed("The body could not be read to its end.")
}
