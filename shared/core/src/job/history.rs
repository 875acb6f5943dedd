//! Lists of jobs, newest first: the query, and the page that it returns.

use std::collections::BTreeMap;

use super::cursor::List;
use super::filter::Filter;
use super::outcome::Outcome;
use super::state::JobState;
use super::status::JobStatus;
use crate::base::id::{JobId, Tenant};
use crate::base::time::Timestamp;
use crate::request::Reason;

/// How far `total` counts.
pub const MAX_COUNTED: u32 = 1000;
/// The largest `limit`.
pub const MAX_LIMIT: u32 = 100;
/// The `limit` of a query that does not name one.
pub const DEFAULT_LIMIT: u32 = 20;
/// The largest `offset`; deeper pages are reached by cursor.
pub const MAX_OFFSET: u32 = 1000;

/// Which jobs to list.
#[derive(Clone, Debug)]
pub struct HistoryQuery {
    /// The owner of the jobs.
    pub tenant: Tenant,
    /// What the list is restricted to.
    pub filter: Filter,
    /// The maximum number of jobs, from 1 to [`MAX_LIMIT`].
    pub limit: u32,
    /// The number of jobs to skip, up to [`MAX_OFFSET`].
    pub offset: u32,
    /// Only jobs older than this one.
    pub before: Option<JobId>,
}

impl HistoryQuery {
    /// Returns the list that the page is taken from.
    #[must_use]
    pub fn list(&self) -> List<'_> {
        List::Jobs(&self.tenant, &self.filter)
    }
}

/// A job as a list shows it.
#[derive(Clone, Debug, PartialEq)]
pub struct JobSummary {
    /// Its id.
    pub id: JobId,
    /// The name of its kind, as it is stored.
    pub kind: Option<String>,
    /// Its title: the name of what it runs, if there is one.
    pub title: Option<String>,
    /// The labels that the caller chose.
    pub labels: BTreeMap<String, String>,
    /// When it was accepted.
    pub created_at: Timestamp,
    /// Its state.
    pub status: JobStatus,
    /// How often it has been started.
    pub attempt: u32,
    /// Why it did not succeed.
    pub reason: Option<Reason>,
    /// The same in a sentence, shortened.
    pub error: Option<String>,
    /// When its last attempt started.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
}

impl JobSummary {
    /// Makes a summary from a job's state.
    #[must_use]
    pub fn new(
        id: JobId,
        kind: Option<String>,
        title: Option<String>,
        labels: BTreeMap<String, String>,
        created_at: Timestamp,
        state: &JobState,
    ) -> Self {
        let outcome = state.outcome.as_ref();
        Self {
            id,
            kind,
            title,
            labels,
            created_at,
            status: state.status,
            attempt: state.attempt,
            reason: outcome.and_then(|outcome| outcome.reason.clone()),
            error: outcome.and_then(Outcome::brief_error),
            started_at: state.started_at,
            finished_at: state.finished_at,
        }
    }
}

/// One page of a list.
#[derive(Clone, Debug, PartialEq)]
pub struct HistoryPage {
    /// The jobs, newest first.
    pub jobs: Vec<JobSummary>,
    /// Jobs that are left out of this page because their records cannot be read; newest first.
    pub damaged: Vec<JobId>,
    /// How many jobs there are in total, counted up to [`MAX_COUNTED`].
    pub total: u32,
    /// Whether `total` is exact.
    pub total_is_exact: bool,
    /// Whether older jobs follow, or may follow.
    pub has_more: bool,
    /// The oldest job that was looked at, if the store has stopped looking before the page was full: it looks at a limited number of
    /// jobs for each page.
    pub stopped_at: Option<JobId>,
}

impl HistoryPage {
    /// Returns the oldest job of the page, including damaged ones, or the oldest one that was looked at, if older ones follow. The
    /// next page holds the jobs before it.
    #[must_use]
    pub fn next(&self) -> Option<JobId> {
        if self.stopped_at.is_some() {
            return self.stopped_at;
        }
        let oldest = self.jobs.last().map(|job| job.id);
        let oldest = oldest.into_iter().chain(self.damaged.last().copied()).min();
        oldest.filter(|_| self.has_more)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_of_damaged_jobs_alone_leads_to_the_next() {
        let page = |has_more| HistoryPage {
            jobs: Vec::new(),
            damaged: vec![JobId::from_bytes([2; 16]), JobId::from_bytes([1; 16])],
            total: 3,
            total_is_exact: true,
            has_more,
            stopped_at: None,
        };
        assert_eq!(page(true).next(), Some(JobId::from_bytes([1; 16])));
        assert_eq!(page(false).next(), None);
    }
}
