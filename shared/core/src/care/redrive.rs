//! Redriving: gives waiting jobs that the queue has given up back to the queue.

use super::damage::Damage;
use crate::base::id::{JobId, Tenant};
use crate::base::store_error::StoreError;
use crate::base::time::Clock;
use crate::job::{Filter, HistoryQuery, Job, JobStore, Redrive};
use crate::run::Dispatcher;

/// Redrives jobs.
#[derive(Clone, Copy)]
pub struct Redriver<'a> {
    /// The job records.
    pub store: &'a dyn JobStore,
    /// The clock.
    pub clock: &'a dyn Clock,
    /// Gives the jobs to the queue; without it, the sweep of the service does.
    pub dispatcher: Option<&'a Dispatcher>,
    /// Who asks for it.
    pub by: &'a str,
}

/// Selects the jobs to redrive among those that the queue has given up.
#[derive(Clone, Debug)]
pub struct DeadLetters {
    /// The owner of the jobs.
    pub tenant: Tenant,
    /// Only jobs of the first kind with this title.
    pub title: Option<String>,
    /// The maximum number of jobs to look at, from 1 to [`MAX_LIMIT`](crate::job::MAX_LIMIT).
    pub limit: u32,
    /// Only jobs older than this one.
    pub before: Option<JobId>,
}

/// The result of one call.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Redriven {
    /// The redriven jobs, newest first.
    pub jobs: Vec<JobId>,
    /// The last job that was looked at, if older ones follow.
    pub next: Option<JobId>,
}

impl DeadLetters {
    /// Returns the query that lists these jobs.
    #[must_use]
    pub fn query(&self) -> HistoryQuery {
        HistoryQuery {
            tenant: self.tenant.clone(),
            filter: Filter {
                dead_letter: true,
                ..Filter::default()
            },
            limit: self.limit,
            offset: 0,
            before: self.before,
        }
    }
}

impl Redriver<'_> {
    /// Gives a waiting job to the queue again.
    ///
    /// # Errors
    /// `Conflict` if the job is not waiting; otherwise the store's error.
    pub async fn job(&self, tenant: &Tenant, id: JobId) -> Result<Job, StoreError> {
        if self.store.get(id, self.clock.now()).await?.tenant != *tenant {
            return Err(StoreError::NotFound);
        }
        self.redrive(id).await
    }

    /// Gives jobs that the queue has given up to it again. Skips a job if another caller was faster, and one whose record is damaged,
    /// which is logged.
    ///
    /// # Errors
    /// The store is unavailable. Jobs redriven before that are no longer dead letters, so the same call continues where it stopped.
    pub async fn dead_letters(&self, wanted: &DeadLetters) -> Result<Redriven, StoreError> {
        let page = self.store.list(&wanted.query(), self.clock.now()).await?;
        let next = page.next();
        let (mut jobs, damage) = (Vec::new(), Damage::default());
        for found in page.jobs {
            if wanted.title.is_some() && (found.kind.is_some() || wanted.title != found.title) {
                continue;
            }
            match self.redrive(found.id).await {
                Ok(job) => jobs.push(job.id),
                Err(StoreError::Conflict | StoreError::NotFound) => {}
                Err(error @ StoreError::Corrupt(_)) => damage.tell(Some(found.id), &error),
                Err(error) => return Err(error),
            }
        }
        Ok(Redriven { jobs, next })
    }

    async fn redrive(&self, id: JobId) -> Result<Job, StoreError> {
        let redrive = Redrive {
            by: self.by.to_owned(),
            at: self.clock.now(),
        };
        let job = self.store.redrive(id, redrive).await?;
        match self.dispatcher {
            Some(dispatcher) => Ok(dispatcher.dispatched(job).await),
            None => Ok(job),
        }
    }
}
