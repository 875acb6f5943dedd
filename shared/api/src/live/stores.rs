//! What followers read.

use std::sync::Arc;
use std::time::Duration;

use callboard_core::base::id::JobId;
use callboard_core::base::object::Object;
use callboard_core::base::store_error::StoreError;
use callboard_core::base::time::Clock;
use callboard_core::job::{Job, JobStore};
use callboard_core::output::LogStore;

use super::state::State;

/// Where jobs and their output are, and how often to look at what does not tell that it has changed.
#[derive(Clone)]
pub(super) struct Stores {
    pub(super) store: Arc<dyn JobStore>,
    pub(super) logs: Arc<dyn LogStore>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) poll: Duration,
}

impl Stores {
    pub(super) async fn job(&self, id: JobId) -> Result<Job, StoreError> {
        self.store.get(id, self.clock.now()).await.map(without_work)
    }

    /// Returns what followers are told of a job that was just read.
    pub(super) fn state(&self, job: &Job) -> Arc<State> {
        Arc::new(State::of(job, self.clock.now()))
    }
}

/// Forgets the work of a job, which may be large, and which followers do not need.
pub(super) fn without_work(mut job: Job) -> Job {
    job.request.work = Object::default();
    job
}
