//! The view of a list of jobs.

use std::collections::BTreeMap;

use callboard_core::base::id::JobId;
use callboard_core::base::time::Timestamp;
use callboard_core::job::{HistoryPage, HistoryQuery, JobStatus, JobSummary};
use callboard_core::request::{Kinds, Reason};
use serde::Serialize;
use utoipa::ToSchema;

use crate::wire::duration;

/// A job in a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct JobListItem {
    /// The id of the job.
    #[schema(format = "uuid")]
    job_id: String,
    /// The state of the job.
    status: JobStatus,
    /// The kind of the job.
    kind: String,
    /// The path of the playbook or the name of the role; null if the request contains the playbook itself, or the job is of another
    /// kind.
    playbook: Option<String>,
    /// The name of the service that the job calls; null if it is of another kind.
    service: Option<String>,
    /// The name of the operation that the job calls; null if it is of another kind.
    operation: Option<String>,
    /// The caller's own labels, from `options.labels` of the request.
    labels: BTreeMap<String, String>,
    /// Why the job did not succeed.
    reason: Option<Reason>,
    /// Why the job did not succeed: a sentence of at most 300 characters. The record has the full text.
    #[schema(max_length = 300)]
    error: Option<String>,
    /// When the job was submitted.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When the last attempt started; null until then.
    #[schema(value_type = Option<String>, format = DateTime)]
    started_at: Option<Timestamp>,
    /// When the job ended; null until then.
    #[schema(value_type = Option<String>, format = DateTime)]
    finished_at: Option<Timestamp>,
    /// How long the job took, in seconds, from the start of its last attempt to its end.
    duration_seconds: Option<f64>,
    /// How many times the job has been started.
    attempt: u32,
}

/// What a job runs, by its title.
pub(crate) struct Called {
    pub(crate) playbook: Option<String>,
    pub(crate) service: Option<String>,
    pub(crate) operation: Option<String>,
}

impl Called {
    /// Reads the title of a job of a kind, as it is stored. The titles of calls are `SERVICE/OPERATION`.
    pub(crate) fn of(kind: Option<&str>, title: Option<String>) -> Self {
        let (playbook, call) = match kind {
            None => (title, None),
            Some(_) => (None, title),
        };
        let (service, operation) = call.as_deref().and_then(|call| call.split_once('/')).unzip();
        Self {
            playbook,
            service: service.map(str::to_owned),
            operation: operation.map(str::to_owned),
        }
    }
}

impl JobListItem {
    /// Makes the entry of a job.
    #[must_use]
    pub fn new(job: JobSummary, kinds: &Kinds) -> Self {
        let Called {
            playbook,
            service,
            operation,
        } = Called::of(job.kind.as_deref(), job.title);
        Self {
            job_id: job.id.to_string(),
            status: job.status,
            kind: kinds.name_of(job.kind.as_deref()).to_owned(),
            playbook,
            service,
            operation,
            labels: job.labels,
            reason: job.reason,
            error: job.error,
            created_at: job.created_at,
            started_at: job.started_at,
            finished_at: job.finished_at,
            duration_seconds: duration(job.started_at, job.finished_at),
            attempt: job.attempt,
        }
    }
}

/// Whether a total is exact.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Relation {
    /// There are as many.
    Eq,
    /// There are at least as many.
    Gte,
}

/// A page of jobs, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct JobList {
    /// The jobs of this page.
    jobs: Vec<JobListItem>,
    /// The ids of jobs that are missing from this page because their records are damaged. Absent if there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(format = "uuid", required = false)]
    damaged: Vec<String>,
    /// The number of jobs that match, counted up to 1000.
    total: u32,
    /// Whether `total` is exact.
    total_relation: Relation,
    /// The largest number of items on a page, as requested or by default.
    limit: u32,
    /// How many jobs were skipped.
    offset: u32,
    /// The cursor of the next page; null on the last page.
    pub(crate) next_cursor: Option<String>,
}

impl JobList {
    /// Makes the view of a page of a list.
    pub(crate) fn new(page: HistoryPage, query: &HistoryQuery, kinds: &Kinds) -> Self {
        let next = page.next();
        let list = query.list();
        Self {
            next_cursor: next.map(|job| list.cursor(job.as_bytes())),
            damaged: page.damaged.iter().map(JobId::to_string).collect(),
            jobs: page.jobs.into_iter().map(|job| JobListItem::new(job, kinds)).collect(),
            total: page.total,
            total_relation: if page.total_is_exact {
                Relation::Eq
            } else {
                Relation::Gte
            },
            limit: query.limit,
            offset: query.offset,
        }
    }
}
