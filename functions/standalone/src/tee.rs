//! A log store that also shows the job's output while it is kept.

use std::io::Write;
use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use callboard_core::id::JobId;
use callboard_core::ports::{LogKey, LogStore, Manifest, StoreError, Stream};
use callboard_core::segment::{Segment, SegmentHead};

/// Shows what is appended to `Stdout`, and passes everything on.
pub(crate) struct Tee {
    pub(crate) logs: Arc<dyn LogStore>,
    /// Whether to show it on standard error.
    pub(crate) to_stderr: bool,
}

#[async_trait]
impl LogStore for Tee {
    async fn append(&self, job: JobId, attempt: u32, segment: &Segment) -> Result<(), StoreError> {
        self.logs.append(job, attempt, segment).await?;
        let (bytes, to_stderr) = (segment.part(Stream::Stdout), self.to_stderr);
        if !bytes.is_empty() {
            drop(tokio::task::spawn_blocking(move || show(&bytes, to_stderr)).await);
        }
        Ok(())
    }

    async fn segments(&self, job: JobId, attempt: u32) -> Result<Vec<SegmentHead>, StoreError> {
        self.logs.segments(job, attempt).await
    }

    async fn read(&self, key: LogKey, range: Range<u64>) -> Result<Bytes, StoreError> {
        self.logs.read(key, range).await
    }

    async fn size(&self, key: LogKey) -> Result<u64, StoreError> {
        self.logs.size(key).await
    }

    async fn seal(&self, job: JobId, attempt: u32, manifest: &Manifest) -> Result<(), StoreError> {
        self.logs.seal(job, attempt, manifest).await
    }

    async fn manifest(&self, job: JobId, attempt: u32) -> Result<Option<Manifest>, StoreError> {
        self.logs.manifest(job, attempt).await
    }

    async fn remove(&self, job: JobId) -> Result<(), StoreError> {
        self.logs.remove(job).await
    }
}

/// Nobody may be listening any more; the job goes on, its output is kept.
fn show(bytes: &[u8], to_stderr: bool) {
    let write = |out: &mut dyn Write| out.write_all(bytes).and_then(|()| out.flush());
    drop(if to_stderr {
        write(&mut std::io::stderr().lock())
    } else {
        write(&mut std::io::stdout().lock())
    });
}
