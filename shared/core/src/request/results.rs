//! What a job has brought about, in a form that all kinds share.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::base::object::Object;

/// How deep an output may be: a record holds it two levels deeper, and must be read again.
pub const MAX_OUTPUT_DEPTH: usize = 64;

/// What a job has brought about.
#[derive(Clone, Debug, Default)]
pub struct Results {
    /// What the job returned.
    pub output: Option<Value>,
    /// Whether `output` is not all of it.
    pub output_truncated: bool,
    /// The hosts that the job was for, by name.
    pub hosts: BTreeMap<String, HostResult>,
    /// What went wrong on hosts, as the kind describes it, in the order in which it happened.
    pub failures: Vec<Object>,
    /// The warnings that were displayed.
    pub warnings: Messages,
    /// What was displayed of things that will be gone.
    pub deprecations: Messages,
}

/// How a job went on one host.
#[derive(Clone, Debug)]
pub struct HostResult {
    /// How it ended there.
    pub state: HostState,
    /// What was counted there, as the kind describes it.
    pub counts: Object,
    /// What went wrong there first, as the kind describes it, if that is known.
    pub failure: Option<Object>,
}

/// How a job ended on a host. The worst that happened counts: the first of these.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum HostState {
    /// A task failed, and nothing made good for it.
    Failed,
    /// The host could not be reached.
    Unreachable,
    /// The job did not come to the host.
    NotReached,
    /// Something was changed.
    Changed,
    /// All was well, and nothing was changed.
    Ok,
}

impl HostState {
    /// Every state, the worst first.
    pub const ALL: [Self; 5] = [
        Self::Failed,
        Self::Unreachable,
        Self::NotReached,
        Self::Changed,
        Self::Ok,
    ];

    /// Returns the name of the state.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Unreachable => "unreachable",
            Self::NotReached => "not_reached",
            Self::Changed => "changed",
            Self::Ok => "ok",
        }
    }
}

impl fmt::Display for HostState {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// A text that names no state of a host.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is none of failed, unreachable, not_reached, changed, ok")]
pub struct NotAHostState(String);

impl FromStr for HostState {
    type Err = NotAHostState;

    fn from_str(text: &str) -> Result<Self, NotAHostState> {
        let found = Self::ALL.into_iter().find(|state| state.as_str() == text);
        found.ok_or_else(|| NotAHostState(text.to_owned()))
    }
}

/// Messages of one sort.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(default)]
pub struct Messages {
    /// How many there were.
    #[schema(required)]
    pub count: u64,
    /// The first 100 of them.
    #[schema(required)]
    pub texts: Vec<String>,
}

impl Messages {
    /// How many are kept.
    const MAX_KEPT: usize = 100;

    /// Adds a message.
    pub fn add(&mut self, text: String) {
        self.count += 1;
        if self.texts.len() < Self::MAX_KEPT {
            self.texts.push(text);
        }
    }

    /// Returns whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }
}
