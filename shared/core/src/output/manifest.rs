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
