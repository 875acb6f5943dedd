//! A log store that fails when a test says so.

use std::ops::Range;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use callboard_core::id::JobId;
use callboard_core::ports::{Chunk, LogKey, LogStore, Manifest, StoreError};

use crate::faulty_store::unavailable;

/// How the writes of a log store fail.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Fault {
    /// They do not.
    None,
    /// Nothing is written.
    Down,
    /// It is written, but the answer is lost.
    Mute,
    /// It takes this long before it is written.
    Slow(Duration),
}

/// A log store with a fault in its writes: for so many of them, then it works.
pub(crate) struct FaultyLogs {
    inner: Arc<dyn LogStore>,
    fault: Mutex<(Fault, u32)>,
    faults: AtomicU32,
}

impl FaultyLogs {
    pub(crate) fn new(inner: Arc<dyn LogStore>, fault: Fault, times: u32) -> Self {
        Self {
            inner,
            fault: Mutex::new((fault, times)),
            faults: AtomicU32::new(0),
        }
    }

    /// Returns how many writes have failed or begun to be slow.
    pub(crate) fn faults(&self) -> u32 {
        self.faults.load(Ordering::SeqCst)
    }

    fn next_fault(&self) -> Fault {
        let mut fault = self.fault.lock().unwrap_or_else(PoisonError::into_inner);
        if fault.1 == 0 {
            return Fault::None;
        }
        fault.1 -= 1;
        self.faults.fetch_add(1, Ordering::SeqCst);
        fault.0
    }

    async fn write(&self, write: impl Future<Output = Result<(), StoreError>>) -> Result<(), StoreError> {
        match self.next_fault() {
            Fault::Down => return Err(unavailable()),
            Fault::Slow(span) => tokio::time::sleep(span).await,
            Fault::Mute => return write.await.and(Err(unavailable())),
            Fault::None => {}
        }
        write.await
    }
}

#[async_trait]
impl LogStore for FaultyLogs {
    async fn append(&self, job: JobId, attempt: u32, chunks: &[Chunk]) -> Result<(), StoreError> {
        self.write(self.inner.append(job, attempt, chunks)).await
    }

    async fn read(&self, key: LogKey, range: Range<u64>) -> Result<Bytes, StoreError> {
        self.inner.read(key, range).await
    }

    async fn size(&self, key: LogKey) -> Result<u64, StoreError> {
        self.inner.size(key).await
    }

    async fn seal(&self, job: JobId, attempt: u32, manifest: &Manifest) -> Result<(), StoreError> {
        self.write(self.inner.seal(job, attempt, manifest)).await
    }

    async fn manifest(&self, job: JobId, attempt: u32) -> Result<Option<Manifest>, StoreError> {
        self.inner.manifest(job, attempt).await
    }

    async fn remove(&self, job: JobId) -> Result<(), StoreError> {
        self.inner.remove(job).await
    }
}
