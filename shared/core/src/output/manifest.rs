//! The manifest that seals an attempt's output.

use serde::{Deserialize, Serialize};

/// Describes what a finished attempt left, so that a reader can tell whether it has everything.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Manifest {
    /// Bytes of `Stdout`.
    pub stdout_bytes: u64,
    /// SHA-256 of `Stdout`, in hex; absent if the worker was lost.
    pub stdout_sha256: Option<String>,
    /// Bytes of `Events`.
    pub events_bytes: u64,
    /// SHA-256 of `Events`, in hex; absent if the worker was lost.
    pub events_sha256: Option<String>,
    /// Number of events.
    pub events: u64,
    /// Number of segments.
    #[serde(default)]
    pub segments: u64,
    /// SHA-256 of the segments' names, one per line, in hex.
    #[serde(default)]
    pub segments_sha256: String,
    /// Whether everything that was to be kept of the job's output is there.
    pub complete: bool,
    /// Whether the job's output exceeded the limits and was truncated.
    #[serde(default)]
    pub truncated: bool,
}

impl Manifest {
    /// Returns a clause that says how much is missing of the output, if it has fewer bytes than were sealed.
    #[must_use]
    pub fn missing_of_stdout(&self, bytes: u64) -> Option<String> {
        missing("bytes of output", self.stdout_bytes, bytes)
    }

    /// Returns a clause that says how many events are missing, if there are fewer than were sealed.
    #[must_use]
    pub fn missing_events(&self, events: u64) -> Option<String> {
        missing("events", self.events, events)
    }
}

fn missing(what: &str, sealed: u64, left: u64) -> Option<String> {
    (left < sealed).then(|| format!("{left} of {sealed} {what} are left"))
}
