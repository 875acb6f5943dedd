//! The events of calls.

use callboard_core::request::EventFacts;
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa::openapi::schema::{Object, ObjectBuilder, Type};

/// Their names.
pub(crate) const NAMES: [&str; 7] = [
    "call_started",
    "call_redirected",
    "call_polled",
    "call_answered",
    "call_failed",
    "call_retried",
    "call_replaced",
];

/// An event of a call. Which fields it has depends on its name.
#[derive(Deserialize, ToSchema)]
pub(crate) struct Event {
    /// The number of the event in its attempt: 1, 2, 3, without gaps.
    #[schema(value_type = u64)]
    #[serde(rename = "counter")]
    _counter: Option<u64>,
    #[schema(schema_with = name)]
    event: String,
    /// When the event happened.
    #[schema(value_type = String, format = DateTime)]
    #[serde(rename = "created")]
    _created: Option<String>,
    /// What is called: the request line, the arguments, the image or the function. Secrets are named, not shown.
    #[serde(rename = "called")]
    #[schema(nullable = false)]
    _called: Option<String>,
    /// The program that is called, and its arguments. Secrets are named, not shown.
    #[serde(rename = "argv")]
    #[schema(nullable = false)]
    _argv: Option<Vec<String>>,
    /// The status that an HTTP service answered with.
    #[serde(rename = "status_code")]
    #[schema(nullable = false)]
    _status_code: Option<u16>,
    /// The exit code of a program or a container.
    #[serde(rename = "exit_code")]
    #[schema(nullable = false)]
    _exit_code: Option<i32>,
    /// What a program was isolated by.
    #[serde(rename = "isolation")]
    #[schema(nullable = false)]
    _isolation: Option<Vec<String>>,
    /// Why the call failed, in a sentence.
    #[serde(rename = "error")]
    #[schema(nullable = false)]
    _error: Option<String>,
    /// Which retry follows: 1 is the first.
    #[serde(rename = "retry")]
    #[schema(nullable = false)]
    _retry: Option<u32>,
    /// Seconds until the job is tried again.
    #[serde(rename = "pause_seconds")]
    #[schema(nullable = false)]
    _pause_seconds: Option<f64>,
}

/// The names tell the events of calls from those of other kinds: without them, one schema would take both.
fn name() -> Object {
    let name = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(NAMES));
    name.description(Some("The kind of event.")).build()
}

/// Reads a stored event.
pub(crate) fn facts(line: &[u8]) -> Result<EventFacts, serde_json::Error> {
    let Event { event, .. } = serde_json::from_slice(line)?;
    Ok(EventFacts {
        failed: event == "call_failed",
        name: event,
        host: None,
    })
}
