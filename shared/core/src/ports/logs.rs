//! Output: where what jobs print is kept.

use std::ops::Range;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::StoreError;
use crate::id::JobId;
use crate::segment::{Segment, SegmentHead};

/// One of the byte streams that an attempt leaves.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Stream {
    /// What Ansible printed, byte for byte, with its ANSI sequences.
    Stdout,
    /// The events, one JSON object a line, ordered by counter.
    Events,
    /// Where each event ends in `Events`: 8 bytes each, little-endian.
    EventIndex,
}

impl Stream {
    /// Every stream.
    pub const ALL: [Self; 3] = [Self::Stdout, Self::Events, Self::EventIndex];
}

/// Names one stream of one attempt.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct LogKey {
    /// The job.
    pub job: JobId,
    /// Its attempt, from 1.
    pub attempt: u32,
    /// The stream.
    pub stream: Stream,
}

/// The end of a stream.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Tail {
    /// Its last bytes.
    pub bytes: Bytes,
    /// How many bytes the stream has in all.
    pub size: u64,
}

/// What a finished attempt left, so that a reader can tell whether it has all of it.
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
    /// SHA-256 of the segments' names, one a line, in hex.
    #[serde(default)]
    pub segments_sha256: String,
    /// Whether everything that was to be kept of what the job printed is there.
    pub complete: bool,
    /// Whether the job printed more than is kept of one.
    #[serde(default)]
    pub truncated: bool,
}

/// Keeps what jobs print. A stream grows at its end only, and can be read while it grows.
#[async_trait]
pub trait LogStore: Send + Sync {
    /// Writes a segment: the one after the last, or the last again, which changes nothing. `Conflict`, and nothing is
    /// written or what is written is never read, if it is another one or the attempt is sealed.
    async fn append(&self, job: JobId, attempt: u32, segment: &Segment) -> Result<(), StoreError>;

    /// Returns which segments there are, in the order of their numbers.
    async fn segments(&self, job: JobId, attempt: u32) -> Result<Vec<SegmentHead>, StoreError>;

    /// Reads what the stream has of a range; what lies beyond its end is left out.
    async fn read(&self, key: LogKey, range: Range<u64>) -> Result<Bytes, StoreError>;

    /// Returns the present size of a stream in bytes; 0 if nothing was written.
    async fn size(&self, key: LogKey) -> Result<u64, StoreError>;

    /// Reads the end of what a stream has: at most `max_bytes`.
    async fn tail(&self, key: LogKey, max_bytes: u64) -> Result<Tail, StoreError> {
        let size = self.size(key).await?;
        let bytes = self.read(key, size.saturating_sub(max_bytes)..size).await?;
        Ok(Tail { bytes, size })
    }

    /// Returns a URL that anybody may read a stream from for a while, where the store has one and the stream is so
    /// large that it is better read from there.
    async fn presign(&self, _key: LogKey, _valid_for: Duration) -> Result<Option<String>, StoreError> {
        Ok(None)
    }

    /// Ends an attempt's streams, unless that was done before: then the first manifest stands. What is sealed is as
    /// durable as the store can make it.
    async fn seal(&self, job: JobId, attempt: u32, manifest: &Manifest) -> Result<(), StoreError>;

    /// Returns the manifest of a sealed attempt.
    async fn manifest(&self, job: JobId, attempt: u32) -> Result<Option<Manifest>, StoreError>;

    /// Forgets everything of a job.
    async fn remove(&self, job: JobId) -> Result<(), StoreError>;
}
