//! [`LogStore`] on S3: one prefix per attempt and one object per append, whose name describes its content.
//!
//! | key below `logs/JOB/ATTEMPT/` | |
//! |---|---|
//! | `00000007-4096.3-32.0-8.8-<SHA-256>` | a segment ([`SegmentHead`]): what one append wrote |
//! | `stdout`, `events.jsonl`, `events.index` | a stream in one piece, if it had many segments when the attempt was sealed |
//! | `manifest.json` | the manifest: the attempt is sealed |
//!
//! S3 shows every object to every reader as soon as it is written, and lists objects in the order of their names, which
//! is the order of the appends. So one list request tells a reader everything that exists. A sealed attempt has exactly
//! the segments that its manifest counts: anything written later by a worker that has lost its job is never read.

mod bucket;
mod key;
mod listing;
mod whole;

use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_s3::presigning::PresigningConfig;
use bytes::Bytes;
use callboard_core::base::causes::causes;
use callboard_core::base::id::JobId;
use callboard_core::base::store_error::StoreError;
use callboard_core::output::{LogKey, LogStore, Manifest, Segment, SegmentHead, Stream, Tail};

use self::bucket::Bucket;
use self::key::{Attempt, Object};
use self::listing::Listing;
use crate::config::s3_client;

/// As much as a function can pass on: 6 MB, of which base64 takes a third.
const LARGE_BYTES: u64 = 4 * 1024 * 1024;
/// A stream with more segments than this is copied once when it is sealed, so that no reader has to collect it.
const MANY_SEGMENTS: usize = 16;

/// Keeps output in a bucket.
#[derive(Debug)]
pub struct S3LogStore {
    bucket: Bucket,
    known: Known,
}

/// The listing of the attempt that was last written, or last read and sealed; it need not be listed again.
#[derive(Debug, Default)]
struct Known(Mutex<Option<(Attempt, Listing)>>);

impl S3LogStore {
    /// Uses a bucket.
    #[must_use]
    pub fn new(config: &SdkConfig, bucket: String) -> Self {
        let client = s3_client(config);
        Self {
            bucket: Bucket { client, name: bucket },
            known: Known::default(),
        }
    }

    async fn list(&self, attempt: Attempt) -> Result<Listing, StoreError> {
        if let Some(listing) = self.known.sealed(attempt) {
            return Ok(listing);
        }
        let mut listing = self.bucket.list(attempt).await?;
        if listing.is_sealed()
            && let Some(manifest) = self.manifest_of(attempt).await?
        {
            listing.cut(&manifest);
            self.known.set(attempt, listing.clone());
        }
        Ok(listing)
    }

    async fn manifest_of(&self, attempt: Attempt) -> Result<Option<Manifest>, StoreError> {
        let text = self.bucket.get(attempt, Object::Manifest).await?;
        text.map(|text| serde_json::from_slice(&text))
            .transpose()
            .map_err(|error| StoreError::Corrupt(Box::new(error)))
    }
}

#[async_trait]
impl LogStore for S3LogStore {
    async fn append(&self, job: JobId, attempt: u32, segment: &Segment) -> Result<(), StoreError> {
        let attempt = Attempt { job, number: attempt };
        let head = segment.head;
        let mut listing = self.known.take(attempt).unwrap_or_default();
        if !listing.is_next(&head) && !listing.has(&head) {
            listing = self.bucket.list(attempt).await?;
        }
        if listing.is_sealed() {
            return Err(StoreError::Conflict);
        }
        if !listing.has(&head) {
            if !listing.is_next(&head) {
                return Err(StoreError::Conflict);
            }
            let object = Object::Segment(head);
            self.bucket.put(attempt, object, segment.content.clone()).await?;
            listing.add(object, head.length());
        }
        self.known.set(attempt, listing);
        Ok(())
    }

    async fn segments(&self, job: JobId, attempt: u32) -> Result<Vec<SegmentHead>, StoreError> {
        let listing = self.list(Attempt { job, number: attempt }).await?;
        Ok(listing.heads().to_vec())
    }

    async fn read(&self, key: LogKey, range: Range<u64>) -> Result<Bytes, StoreError> {
        let attempt = key.into();
        let listing = self.list(attempt).await?;
        self.bucket.read(attempt, &listing, key.stream, &range).await
    }

    async fn size(&self, key: LogKey) -> Result<u64, StoreError> {
        Ok(self.list(key.into()).await?.size(key.stream))
    }

    async fn tail(&self, key: LogKey, max_bytes: u64) -> Result<Tail, StoreError> {
        let attempt = key.into();
        let listing = self.list(attempt).await?;
        let size = listing.size(key.stream);
        let range = size.saturating_sub(max_bytes)..size;
        let bytes = self.bucket.read(attempt, &listing, key.stream, &range).await?;
        Ok(Tail { bytes, size })
    }

    /// The URL expires with the credentials that signed it, if they expire first.
    async fn presign(&self, key: LogKey, valid_for: Duration) -> Result<Option<String>, StoreError> {
        let (attempt, object) = (key.into(), Object::Whole(key.stream));
        let size = self.bucket.size(attempt, object).await?;
        if size.is_none_or(|size| size <= LARGE_BYTES) {
            return Ok(None);
        }
        let validity = PresigningConfig::expires_in(valid_for).map_err(|error| StoreError::Rejected(error.into()))?;
        self.bucket.presign(attempt, object, validity).await.map(Some)
    }

    async fn seal(&self, job: JobId, attempt: u32, manifest: &Manifest) -> Result<(), StoreError> {
        let attempt = Attempt { job, number: attempt };
        let listing = match self.known.take(attempt) {
            Some(listing) if listing.is_all_of(manifest) => listing,
            _ => self.bucket.list(attempt).await?,
        };
        let text = serde_json::to_vec(manifest).map_err(|error| StoreError::Corrupt(Box::new(error)))?;
        self.bucket.put_once(attempt, Object::Manifest, text.into()).await?;
        let mut listing = listing;
        listing.cut(manifest);
        for stream in Stream::ALL {
            let is_costly = listing.segments(stream) > MANY_SEGMENTS || listing.size(stream) > LARGE_BYTES;
            if !is_costly || listing.has_whole(stream) {
                continue;
            }
            if let Err(error) = whole::write(&self.bucket, attempt, &listing, stream).await {
                tracing::warn!(error = %causes(&error), "a stream could not be joined into one object; its segments are complete");
            }
        }
        Ok(())
    }

    async fn manifest(&self, job: JobId, attempt: u32) -> Result<Option<Manifest>, StoreError> {
        self.manifest_of(Attempt { job, number: attempt }).await
    }

    async fn remove(&self, job: JobId) -> Result<(), StoreError> {
        self.known.clear();
        self.bucket.remove(job).await
    }
}

impl Known {
    /// Takes the listing of an attempt. It is unknown while a write is in progress, and stays unknown if the write fails.
    fn take(&self, attempt: Attempt) -> Option<Listing> {
        self.lock()
            .take_if(|(of, _)| *of == attempt)
            .map(|(_, listing)| listing)
    }

    fn sealed(&self, attempt: Attempt) -> Option<Listing> {
        let known = self.lock();
        let found = known.iter().find(|(of, listing)| *of == attempt && listing.is_sealed());
        found.map(|(_, listing)| listing.clone())
    }

    fn set(&self, attempt: Attempt, listing: Listing) {
        *self.lock() = Some((attempt, listing));
    }

    fn clear(&self) {
        *self.lock() = None;
    }

    fn lock(&self) -> MutexGuard<'_, Option<(Attempt, Listing)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
