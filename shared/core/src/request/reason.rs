//! Why a job did not succeed, in one word.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Why a job failed or was canceled. Later releases may add more reasons.
//
// Each word is a constant, here or in a kind; a word from another release is kept unchanged.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[schema(value_type = String)]
#[serde(transparent)]
pub struct Reason(Cow<'static, str>);

impl Reason {
    /// What the job runs could not be obtained.
    pub const SOURCE_UNAVAILABLE: Self = Self::new("source_unavailable");
    /// A credential that the job names could not be obtained.
    pub const CREDENTIAL_UNAVAILABLE: Self = Self::new("credential_unavailable");
    /// The request cannot be carried out as it is.
    pub const REQUEST_INVALID: Self = Self::new("request_invalid");
    /// The job ran longer than its `timeout`.
    pub const TIMEOUT: Self = Self::new("timeout");
    /// The job printed nothing for longer than its `idle_timeout`.
    pub const IDLE_TIMEOUT: Self = Self::new("idle_timeout");
    /// The worker's own time ran out.
    pub const DEADLINE: Self = Self::new("deadline");
    /// The kernel ended the job because memory ran out.
    pub const OUT_OF_MEMORY: Self = Self::new("out_of_memory");
    /// The worker stopped reporting.
    pub const LOST: Self = Self::new("lost");
    /// The job waited so long that the queue may have forgotten it.
    pub const UNDELIVERABLE: Self = Self::new("undeliverable");
    /// The service was stopped while the job ran.
    pub const SHUTDOWN: Self = Self::new("shutdown");
    /// Something around the job broke.
    pub const RUNNER_ERROR: Self = Self::new("runner_error");
    /// Somebody asked for the job to be canceled.
    pub const CANCELED_BY_REQUEST: Self = Self::new("canceled_by_request");
    /// Another job had the job's concurrency key, and the request said not to wait for it.
    pub const SKIPPED: Self = Self::new("skipped");

    /// The reasons that jobs of every kind may have.
    pub const OF_EVERY_KIND: &'static [Self] = &[
        Self::SOURCE_UNAVAILABLE,
        Self::CREDENTIAL_UNAVAILABLE,
        Self::REQUEST_INVALID,
        Self::TIMEOUT,
        Self::IDLE_TIMEOUT,
        Self::DEADLINE,
        Self::OUT_OF_MEMORY,
        Self::LOST,
        Self::UNDELIVERABLE,
        Self::SHUTDOWN,
        Self::RUNNER_ERROR,
        Self::CANCELED_BY_REQUEST,
        Self::SKIPPED,
    ];

    /// Makes a reason that only jobs of one kind have.
    #[must_use]
    pub const fn new(word: &'static str) -> Self {
        Self(Cow::Borrowed(word))
    }

    /// Makes a reason from a stored word.
    #[must_use]
    pub fn of(word: &str) -> Self {
        Self(Cow::Owned(word.to_owned()))
    }

    /// Returns the word that denotes the reason everywhere.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns whether another attempt may end differently, because the system failed and not the job.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        [Self::LOST, Self::RUNNER_ERROR, Self::SHUTDOWN, Self::OUT_OF_MEMORY].contains(self)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
