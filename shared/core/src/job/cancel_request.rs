//! Requests to stop a job.

use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

use super::outcome::Outcome;
use super::status::JobStatus;
use crate::base::time::Timestamp;
use crate::request::Reason;

/// Who asked for a stop, if nothing is known about the requester.
pub const UNKNOWN: &str = "unknown";

/// Who asked for a job to be stopped, and when.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
pub struct CancelRequest {
    /// Who asked: `ip:` and the client's address, the ARN of an AWS identity, `signal:` and the name of a signal, or `unknown`.
    #[serde(deserialize_with = "identifier")]
    pub by: String,
    /// When the request was made.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
}

/// Reads who asked; earlier releases wrote clients and signals in words.
fn identifier<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    let text = String::deserialize(from)?;
    let client = text
        .strip_prefix("the API client at ")
        .map(|address| format!("ip:{address}"));
    let signal = text
        .strip_suffix(" to callboard run")
        .and_then(|text| text.split(' ').next());
    Ok(match (client, signal) {
        (Some(client), _) => client,
        (None, Some(signal)) => format!("signal:{signal}"),
        (None, None) if text == "a client of the API" => UNKNOWN.to_owned(),
        (None, None) => text,
    })
}

/// Makes the outcome of a job that somebody stopped.
#[must_use]
pub fn canceled(cancel: &CancelRequest) -> Outcome {
    let by = match cancel.by.split_once(':') {
        Some(("ip", address)) => format!("the client at {address}"),
        Some(("signal", name)) => name.to_owned(),
        _ => cancel.by.clone(),
    };
    let error = format!("The job was canceled by {by} at {}.", cancel.at);
    Outcome {
        status: JobStatus::Canceled,
        ..Outcome::failed(Reason::CANCELED_BY_REQUEST, error)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn who_asked_for_a_stop_is_an_identifier_also_where_an_earlier_release_wrote_words() -> Result<(), serde_json::Error>
    {
        for (written, read) in [
            ("the API client at 192.0.2.1", "ip:192.0.2.1"),
            ("a client of the API", "unknown"),
            ("SIGINT (Ctrl-C) to callboard run", "signal:SIGINT"),
            ("SIGTERM to callboard run", "signal:SIGTERM"),
            (
                "arn:aws:iam::123456789012:user/ann",
                "arn:aws:iam::123456789012:user/ann",
            ),
            ("ip:::1", "ip:::1"),
        ] {
            let cancel: CancelRequest =
                serde_json::from_value(json!({"by": written, "at": "2026-11-20T22:00:00.000Z"}))?;
            assert_eq!(cancel.by, read);
        }
        Ok(())
    }
}
