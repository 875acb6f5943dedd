//! S3 takes an object whole or not at all. LocalStack begins to write at once: a call that is dropped on its way, as with a
//! worker that is killed, leaves the object that was there before without its content. So each call that writes goes on to its end.

use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use callboard_core::base::id::JobId;
use callboard_core::base::store_error::StoreError;
use callboard_core::output::{LogKey, LogStore, Manifest, Segment, SegmentHead};

/// A store whose writes go on although nobody waits for them.
pub(super) struct Unbroken<T>(pub(super) Arc<T>);

impl<T: LogStore + 'static> Unbroken<T> {
    async fn write<F>(&self, write: impl FnOnce(Arc<T>) -> F) -> Result<(), StoreError>
    where
        F: Future<Output = Result<(), StoreError>> + Send + 'static,
    {
        let written = tokio::spawn(write(self.0.clone())).await;
        written.map_err(|error| StoreError::Unavailable(error.into()))?
    }
}

#[async_trait]
impl<T: LogStore + 'static> LogStore for Unbroken<T> {
    async fn append(&self, job: JobId, attempt: u32, segment: &Segment) -> Result<(), StoreError> {
        let segment = segment.clone();
        self.write(|store| async move { store.append(job, attempt, &segment).await })
            .await
    }

    async fn segments(&self, job: JobId, attempt: u32) -> Result<Vec<SegmentHead>, StoreError> {
        self.0.segments(job, attempt).await
    }

    async fn read(&self, key: LogKey, range: Range<u64>) -> Result<Bytes, StoreError> {
        self.0.read(key, range).await
    }

    async fn size(&self, key: LogKey) -> Result<u64, StoreError> {
        self.0.size(key).await
    }

    async fn seal(&self, job: JobId, attempt: u32, manifest: &Manifest) -> Result<(), StoreError> {
        let manifest = manifest.clone();
        self.write(|store| async move { store.seal(job, attempt, &manifest).await })
            .await
    }

    async fn manifest(&self, job: JobId, attempt: u32) -> Result<Option<Manifest>, StoreError> {
        self.0.manifest(job, attempt).await
    }

    async fn remove(&self, job: JobId) -> Result<(), StoreError> {
        self.0.remove(job).await
    }
}
