//! Deletes expired data: jobs and their output after their retention, idempotency keys after a day, sessions at their end, entries of
//! the audit log after theirs.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use callboard_core::base::causes::causes;
use callboard_core::base::id::JobId;
use callboard_core::base::store_error::StoreError;
use callboard_core::base::time::Clock;
use callboard_core::care::Doubt;
use callboard_core::output::LogStore;

use crate::api_keys::SqliteKeyStore;
use crate::audit_log::SqliteAuditLog;
use crate::counter_store::SqliteCounterStore;
use crate::idempotency::SqliteIdempotencyStore;
use crate::job_store::SqliteJobStore;

/// How many jobs, idempotency keys, sessions and entries are deleted at a time.
const BATCH: u32 = 200;
/// How long to wait before another try to remove output that could not be removed.
const PAUSE: Duration = Duration::from_secs(3600);

/// Deletes expired data, while the clock is believed.
pub struct Forgetter {
    /// The job records.
    pub store: Arc<SqliteJobStore>,
    /// The output of jobs.
    pub logs: Arc<dyn LogStore>,
    /// The idempotency keys.
    pub keys: Arc<SqliteIdempotencyStore>,
    /// What is counted for quotas.
    pub counters: Arc<SqliteCounterStore>,
    /// The API keys, of which sessions expire.
    pub api_keys: Arc<SqliteKeyStore>,
    /// The audit log.
    pub audit: Arc<SqliteAuditLog>,
    /// How long entries of the audit log are kept.
    pub audit_retention: Duration,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Whether the clock is believed.
    pub doubt: Doubt,
    /// The jobs whose output could not be removed.
    pub stuck: Stuck,
}

/// Jobs whose output could not be removed, and when to try again, in the clock's elapsed time.
#[derive(Debug, Default)]
pub struct Stuck(Mutex<HashMap<JobId, Duration>>);

impl Forgetter {
    /// Compares the clock with the newest job, once, before anything is deleted.
    ///
    /// # Errors
    /// The database is unavailable.
    pub async fn begin(&self) -> Result<(), StoreError> {
        let newest = self.store.newest().await?;
        self.doubt.begin(&*self.clock, newest.map(|job| job.time()));
        Ok(())
    }

    /// Deletes up to 200 jobs, and as many idempotency keys, sessions and entries of the audit log. A job whose output cannot be removed is kept
    /// and does not block the others.
    ///
    /// # Errors
    /// The database is unavailable.
    pub async fn forget(&self) -> Result<(), StoreError> {
        if !self.doubt.believes(&*self.clock) {
            return Ok(());
        }
        let now = self.clock.now();
        let over = self.store.expired(now, BATCH + self.stuck.count()).await?;
        let mut gone = Vec::new();
        for id in self.stuck.without(over, self.clock.elapsed()) {
            match self.logs.remove(id).await {
                Ok(()) => gone.push(id),
                Err(error) => self.stuck.add(id, &error, self.clock.elapsed() + PAUSE),
            }
        }
        self.stuck.remove(&gone);
        if !gone.is_empty() {
            self.store.forget(gone).await?;
        }
        self.keys.delete_over(now, BATCH).await?;
        self.counters.forget(now, BATCH).await?;
        self.api_keys.delete_over(now, BATCH).await?;
        self.audit.forget(now - self.audit_retention, BATCH).await
    }
}

impl Stuck {
    fn count(&self) -> u32 {
        let stuck = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        u32::try_from(stuck.len()).unwrap_or(u32::MAX)
    }

    /// Leaves out jobs whose next try is not due, and jobs beyond one batch.
    fn without(&self, jobs: Vec<JobId>, now: Duration) -> Vec<JobId> {
        let stuck = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let due = |id: &JobId| stuck.get(id).is_none_or(|again| *again <= now);
        jobs.into_iter().filter(due).take(BATCH as usize).collect()
    }

    fn add(&self, id: JobId, error: &StoreError, again: Duration) {
        let mut stuck = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if stuck.insert(id, again).is_none() {
            let error = causes(error);
            tracing::error!(job.id = %id, %error, "the output of an expired job cannot be removed; it is tried again each hour");
        }
    }

    fn remove(&self, jobs: &[JobId]) {
        let mut stuck = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        stuck.retain(|id, _again| !jobs.contains(id));
    }
}
