//! Forgetting what is over: jobs and their output after their retention, idempotency keys after a day.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use callboard_core::base::causes::causes;
use callboard_core::base::id::JobId;
use callboard_core::base::store_error::StoreError;
use callboard_core::base::time::Clock;
use callboard_core::care::Doubt;
use callboard_core::output::LogStore;

use crate::idempotency::SqliteIdempotencyStore;
use crate::job_store::SqliteJobStore;

/// How many jobs, and how many keys, are forgotten at a time.
const BATCH: u32 = 200;
/// How long output that could not be removed is left alone.
const PAUSE: Duration = Duration::from_secs(3600);

/// Forgets what is over, while the clock is believed.
pub struct Forgetter {
    /// Records.
    pub store: Arc<SqliteJobStore>,
    /// Output.
    pub logs: Arc<dyn LogStore>,
    /// Idempotency keys.
    pub keys: Arc<SqliteIdempotencyStore>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Whether it is believed.
    pub doubt: Doubt,
    /// Jobs whose output could not be removed.
    pub stuck: Stuck,
}

/// Jobs whose output could not be removed, and when it is tried again, in the clock's elapsed time.
#[derive(Debug, Default)]
pub struct Stuck(Mutex<HashMap<JobId, Duration>>);

impl Forgetter {
    /// Compares the clock with the newest job, once, before anything is forgotten.
    ///
    /// # Errors
    /// The database is unavailable.
    pub async fn begin(&self) -> Result<(), StoreError> {
        let newest = self.store.newest().await?;
        self.doubt.begin(&*self.clock, newest.map(|job| job.time()));
        Ok(())
    }

    /// Forgets up to 200 jobs, and as many keys. A job whose output cannot be removed is kept, and keeps no other from it.
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
        self.keys.delete_over(now, BATCH).await
    }
}

impl Stuck {
    fn count(&self) -> u32 {
        let stuck = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        u32::try_from(stuck.len()).unwrap_or(u32::MAX)
    }

    /// Leaves out those whose time has not come, and what is more than a batch.
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
