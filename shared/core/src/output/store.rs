//! The port to where what jobs print is kept.

use std::ops::Range;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use super::manifest::Manifest;
use super::segment::{Segment, SegmentHead};
use super::stream::{LogKey, Tail};
use crate::base::id::JobId;
use crate::base::store_error::StoreError;

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
