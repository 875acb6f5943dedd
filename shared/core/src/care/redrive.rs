//! Redriving: jobs that wait although the queue has given them up are given to it again.

use crate::base::id::{JobId, Tenant};
use crate::base::store_error::StoreError;
use crate::base::time::Clock;
use crate::job::{HistoryQuery, Job, JobQueue, JobStore};
use crate::run::dispatched;

/// Redrives jobs.
#[derive(Clone, Copy)]
pub struct Redriver<'a> {
    /// Records.
    pub store: &'a dyn JobStore,
    /// Where jobs go.
    pub queue: &'a dyn JobQueue,
    /// Time.
    pub clock: &'a dyn Clock,
}

/// Which of the jobs that the queue has given up are to be redriven.
#[derive(Clone, Debug)]
pub struct DeadLetters {
    /// Whose jobs.
    pub tenant: Tenant,
    /// Only those of this title.
    pub title: Option<String>,
    /// Looks at this many at most, from 1 to [`MAX_LIMIT`](crate::job::MAX_LIMIT).
    pub limit: u32,
    /// Only jobs older than this one.
    pub before: Option<JobId>,
}

/// What one call has redriven.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Redriven {
    /// The jobs, newest first.
    pub jobs: Vec<JobId>,
    /// The last job that was looked at, where older ones follow.
    pub next: Option<JobId>,
}

impl DeadLetters {
    /// Returns the list that they are in.
    #[must_use]
    pub fn query(&self) -> HistoryQuery {
        HistoryQuery {
            tenant: self.tenant.clone(),
            status: None,
            dead_letter: true,
            limit: self.limit,
            offset: 0,
            before: self.before,
        }
    }
}

impl Redriver<'_> {
    /// Has a job that waits given to the queue again.
    ///
    /// # Errors
    /// `Conflict` if the job does not wait; others as the store has them.
    pub async fn job(&self, tenant: &Tenant, id: JobId) -> Result<Job, StoreError> {
        if self.store.get(id, self.clock.now()).await?.tenant != *tenant {
            return Err(StoreError::NotFound);
        }
        self.redrive(id).await
    }

    /// Has jobs that the queue has given up given to it again. One that somebody else was faster with is passed over.
    ///
    /// # Errors
    /// The store is unavailable. Those that were redriven by then are no dead letters any more, so the same call goes on.
    pub async fn dead_letters(&self, wanted: &DeadLetters) -> Result<Redriven, StoreError> {
        let page = self.store.list(&wanted.query(), self.clock.now()).await?;
        let next = page.next();
        let mut jobs = Vec::new();
        for found in page.jobs {
            if wanted.title.is_some() && wanted.title != found.title {
                continue;
            }
            match self.redrive(found.id).await {
                Ok(job) => jobs.push(job.id),
                Err(StoreError::Conflict | StoreError::NotFound) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Redriven { jobs, next })
    }

    async fn redrive(&self, id: JobId) -> Result<Job, StoreError> {
        let job = self.store.redrive(id, self.clock.now()).await?;
        Ok(dispatched(self.store, self.queue, job).await)
    }
}
