//! A queue and a job store that fail when a test says so.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use callboard_core::history::{HistoryPage, HistoryQuery};
use callboard_core::id::{JobId, LeaseToken};
use callboard_core::job::{CancelRequest, Job, Lease};
use callboard_core::outcome::Outcome;
use callboard_core::ports::{JobQueue, JobStore, StoreError};
use callboard_core::progress::Progress;
use callboard_core::time::Timestamp;

/// A queue that takes nothing.
pub(crate) struct DeadQueue;

#[async_trait]
impl JobQueue for DeadQueue {
    async fn send(&self, _id: JobId, _delay: Duration) -> Result<(), StoreError> {
        Err(unavailable())
    }
}

/// A job store whose writes, while `down`, are refused before they happen. Reads work.
pub(crate) struct FaultyStore {
    inner: Arc<dyn JobStore>,
    down: AtomicBool,
    refusals: AtomicU32,
}

impl FaultyStore {
    pub(crate) fn new(inner: Arc<dyn JobStore>) -> Self {
        Self {
            inner,
            down: AtomicBool::new(false),
            refusals: AtomicU32::new(0),
        }
    }

    pub(crate) fn set_down(&self, down: bool) {
        self.down.store(down, Ordering::SeqCst);
    }

    /// Waits until so many more writes were refused.
    pub(crate) async fn wait_for_refusals(&self, count: u32) {
        let enough = self.refusals.load(Ordering::SeqCst) + count;
        while self.refusals.load(Ordering::SeqCst) < enough {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    fn up(&self) -> Result<&dyn JobStore, StoreError> {
        if self.down.load(Ordering::SeqCst) {
            self.refusals.fetch_add(1, Ordering::SeqCst);
            return Err(unavailable());
        }
        Ok(&*self.inner)
    }
}

#[async_trait]
impl JobStore for FaultyStore {
    async fn create(&self, job: &Job) -> Result<(), StoreError> {
        self.up()?.create(job).await
    }

    async fn get(&self, id: JobId, now: Timestamp) -> Result<Job, StoreError> {
        self.inner.get(id, now).await
    }

    async fn list(&self, query: &HistoryQuery, now: Timestamp) -> Result<HistoryPage, StoreError> {
        self.inner.list(query, now).await
    }

    async fn mark_dispatched(&self, id: JobId) -> Result<(), StoreError> {
        self.up()?.mark_dispatched(id).await
    }

    async fn claim(&self, id: JobId, lease: Lease, now: Timestamp) -> Result<Job, StoreError> {
        self.up()?.claim(id, lease, now).await
    }

    async fn renew(
        &self,
        id: JobId,
        lease: Lease,
        news: Option<Progress>,
    ) -> Result<Option<CancelRequest>, StoreError> {
        self.up()?.renew(id, lease, news).await
    }

    async fn seize(&self, id: JobId, expired: Lease, lease: Lease) -> Result<(), StoreError> {
        self.up()?.seize(id, expired, lease).await
    }

    async fn finish(&self, id: JobId, token: LeaseToken, outcome: Outcome, now: Timestamp) -> Result<(), StoreError> {
        self.up()?.finish(id, token, outcome, now).await
    }

    async fn release(&self, id: JobId, token: LeaseToken) -> Result<(), StoreError> {
        self.up()?.release(id, token).await
    }

    async fn request_cancel(&self, id: JobId, cancel: CancelRequest) -> Result<Job, StoreError> {
        self.up()?.request_cancel(id, cancel).await
    }

    async fn expired_leases(&self, now: Timestamp, limit: u32) -> Result<Vec<Job>, StoreError> {
        self.inner.expired_leases(now, limit).await
    }

    async fn undispatched(&self, before: Timestamp, limit: u32) -> Result<Vec<JobId>, StoreError> {
        self.inner.undispatched(before, limit).await
    }
}

/// Makes the error of an adapter that cannot be asked.
pub(crate) fn unavailable() -> StoreError {
    StoreError::Unavailable("a test made it so".into())
}
