//! How a job ended.

use serde::{Deserialize, Serialize};

use super::progress::Progress;
use super::status::JobStatus;
use super::usage::Usage;
use crate::base::brief::brief;
use crate::base::object::Object;
use crate::request::Reason;

/// How a job, or one attempt at it, ended.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Outcome {
    /// One of the three final states.
    pub status: JobStatus,
    /// Present unless successful.
    pub reason: Option<Reason>,
    /// A sentence for a person; present unless successful.
    pub error: Option<String>,
    /// How far the job got.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<Progress>,
    /// What it used, as far as known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
    /// Further results, in the terms of its kind.
    #[serde(flatten)]
    pub detail: Object,
}

impl Outcome {
    /// Makes the outcome of a job that succeeded.
    #[must_use]
    pub fn successful() -> Self {
        Self {
            status: JobStatus::Successful,
            reason: None,
            error: None,
            progress: None,
            usage: None,
            detail: Object::default(),
        }
    }

    /// Makes the outcome of a job that failed.
    #[must_use]
    pub fn failed(reason: Reason, error: impl Into<String>) -> Self {
        Self {
            status: JobStatus::Failed,
            reason: Some(reason),
            error: Some(error.into()),
            ..Self::successful()
        }
    }

    /// Returns the error's first 300 characters, for lists.
    #[must_use]
    pub fn brief_error(&self) -> Option<String> {
        self.error.as_deref().map(brief)
    }
}
