//! Records that cannot be read: each is reported once and does not block other work.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use crate::base::causes::causes;
use crate::base::id::JobId;
use crate::base::store_error::StoreError;

/// How many jobs are remembered.
const MAX_TOLD: usize = 10_000;

/// The damaged records that were already reported. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Damage(Arc<Mutex<HashSet<Option<JobId>>>>);

impl Damage {
    /// Returns what was read. If the record cannot be read, logs once which job it belongs to, why, and how many damaged records
    /// there are so far.
    pub fn sound<T>(&self, id: Option<JobId>, read: Result<T, StoreError>) -> Option<T> {
        read.map_err(|error| self.tell(id, &error)).ok()
    }

    /// Logs what is wrong with a job's record, unless it was logged before.
    pub fn tell(&self, id: Option<JobId>, error: &StoreError) {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if told.len() >= MAX_TOLD || !told.insert(id) {
            return;
        }
        let (job, error) = (id.map(|id| id.to_string()), causes(error));
        tracing::error!(job.id = job, damaged = told.len(), %error, "the record of a job is damaged; it is left as it is");
    }
}
