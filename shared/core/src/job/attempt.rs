//! Attempts: the starts of a job, and how each one ended.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::outcome::Outcome;
use crate::base::object::Object;
use crate::base::time::Timestamp;
use crate::request::Reason;

/// One start of a job, and how it ended.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
pub struct Attempt {
    /// The number of the attempt, counted from 1.
    #[schema(minimum = 1, example = 1)]
    pub attempt: u32,
    /// When the attempt started.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub started_at: Option<Timestamp>,
    /// When the attempt ended; null while it runs.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub finished_at: Option<Timestamp>,
    /// Why the attempt did not succeed.
    pub reason: Option<Reason>,
    /// Why the attempt did not succeed, in a sentence of at most 300 characters.
    #[schema(max_length = 300)]
    pub error: Option<String>,
    /// True if the job was tried again because the failure may pass. Such an attempt does not count toward `max_attempts`.
    #[serde(default)]
    #[schema(required)]
    pub retried: bool,
    /// When the next attempt may begin, if the job is tried again after a pause. Absent otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime, nullable = false)]
    pub again_at: Option<Timestamp>,
    /// What the next attempt takes from this one: `limit`, the hosts that it is limited to. Absent if nothing.
    #[serde(default, skip_serializing_if = "Object::is_empty")]
    #[schema(value_type = Option<Object>, nullable = false)]
    pub left: Object,
}

impl Attempt {
    /// Makes a running attempt.
    #[must_use]
    pub fn begun(attempt: u32, started_at: Option<Timestamp>) -> Self {
        Self {
            attempt,
            started_at,
            finished_at: None,
            reason: None,
            error: None,
            retried: false,
            again_at: None,
            left: Object::default(),
        }
    }

    /// Returns the attempt with its end.
    #[must_use]
    pub fn ended(self, outcome: &Outcome, at: Option<Timestamp>) -> Self {
        Self {
            finished_at: at,
            reason: outcome.reason.clone(),
            error: outcome.brief_error(),
            ..self
        }
    }
}
