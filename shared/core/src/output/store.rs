//! The port to the store for what jobs print.

use std::ops::Range;
use std::pin::Pin;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use super::manifest::Manifest;
use super::segment::{Segment, SegmentHead};
use super::stream::{LogKey, Tail};
use crate::base::id::JobId;
use crate::base::store_error::StoreError;

/// Stores what jobs print. A stream grows only at its end, and can be read while it grows.
#[async_trait]
pub trait LogStore: Send + Sync {
    /// Writes a segment: the one after the last, or the last one again, which changes nothing. `Conflict` if it is any other
    /// segment or the attempt is sealed; then nothing is written, or what is written is never read.
    async fn append(&self, job: JobId, attempt: u32, segment: &Segment) -> Result<(), StoreError>;

    /// Returns the segments that exist, in order of their numbers.
    async fn segments(&self, job: JobId, attempt: u32) -> Result<Vec<SegmentHead>, StoreError>;

    /// Reads a range of a stream; the part beyond the stream's end is left out.
    async fn read(&self, key: LogKey, range: Range<u64>) -> Result<Bytes, StoreError>;

    /// Returns the current size of a stream in bytes; 0 if nothing was written.
    async fn size(&self, key: LogKey) -> Result<u64, StoreError>;

    /// Reads the end of a stream: at most `max_bytes`.
    async fn tail(&self, key: LogKey, max_bytes: u64) -> Result<Tail, StoreError> {
        let size = self.size(key).await?;
        let bytes = self.read(key, size.saturating_sub(max_bytes)..size).await?;
        Ok(Tail { bytes, size })
    }

    /// Returns a URL from which anybody may read a stream for a while, if the store has one and the stream is large enough to be
    /// better read from there.
    async fn presign(&self, _key: LogKey, _valid_for: Duration) -> Result<Option<String>, StoreError> {
        Ok(None)
    }

    /// Ends an attempt's streams. If that was done before, the first manifest stands. Sealed output is as durable as the store
    /// can make it.
    async fn seal(&self, job: JobId, attempt: u32, manifest: &Manifest) -> Result<(), StoreError>;

    /// Returns the manifest of a sealed attempt.
    async fn manifest(&self, job: JobId, attempt: u32) -> Result<Option<Manifest>, StoreError>;

    /// Returns the manifest of a sealed attempt; one that is damaged, which a job's record says, is not there.
    async fn sound_manifest(&self, job: JobId, attempt: u32) -> Result<Option<Manifest>, StoreError> {
        match self.manifest(job, attempt).await {
            Err(StoreError::Corrupt(_)) => Ok(None),
            read => read,
        }
    }

    /// Waits until the store hears that a job's output has grown since this call. A store that hears only of what it is asked for waits
    /// forever, so whoever waits also looks from time to time.
    fn grown(&self, _job: JobId) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(std::future::pending())
    }

    /// Removes all output of a job.
    async fn remove(&self, job: JobId) -> Result<(), StoreError>;
}
