//! Records that cannot be read: each is told of once, and keeps nothing else from being done.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use crate::base::causes::causes;
use crate::base::id::JobId;
use crate::base::store_error::StoreError;

/// How many jobs are remembered.
const MAX_TOLD: usize = 10_000;

/// Which damaged records were told of. Clones share that.
#[derive(Clone, Debug, Default)]
pub struct Damage(Arc<Mutex<HashSet<Option<JobId>>>>);

impl Damage {
    /// Takes what was read; of a record that cannot be read, it logs whose it is and why, once, and how many there are by then.
    pub fn sound<T>(&self, id: Option<JobId>, read: Result<T, StoreError>) -> Option<T> {
        read.map_err(|error| self.tell(id, &error)).ok()
    }

    /// Logs what is wrong with a job's record, unless that was done before.
    pub fn tell(&self, id: Option<JobId>, error: &StoreError) {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if told.len() >= MAX_TOLD || !told.insert(id) {
            return;
        }
        let (job, error) = (id.map(|id| id.to_string()), causes(error));
        tracing::error!(job.id = job, damaged = told.len(), %error, "the record of a job is damaged; it is left as it is");
    }
}
