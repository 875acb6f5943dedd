//! What statistics tell of each group of jobs.

use callboard_core::base::time::Timestamp;
use callboard_core::job::{JobStatus, Tally};
use callboard_core::request::Reason;
use serde::Serialize;
use utoipa::ToSchema;

/// Statistics of jobs.
#[derive(Serialize, ToSchema)]
pub(crate) struct Stats<T> {
    /// The jobs that are counted were submitted since then, and have ended.
    #[schema(value_type = String, format = DateTime)]
    pub(super) since: Timestamp,
    /// One entry for each group of jobs, the one with the most jobs first.
    pub(super) entries: Vec<T>,
}

/// How jobs ended, and how long they took.
#[derive(Serialize, ToSchema)]
pub(crate) struct Performance {
    #[serde(flatten)]
    of: Group,
    /// How many jobs there are.
    jobs: u64,
    /// How many of them were successful.
    successful: u64,
    /// How many of them failed.
    failed: u64,
    /// How many of them were canceled.
    canceled: u64,
    /// The part of the jobs that were not canceled which was successful, from 0 to 1; null if there are none.
    success_rate: Option<f64>,
    /// How often the jobs were started.
    attempts: u64,
    /// How long their last attempts took.
    duration_seconds: Durations,
}

/// How long jobs took, in seconds; null if none is known. Percentiles are within 1 %.
#[derive(Serialize, ToSchema)]
pub(crate) struct Durations {
    /// The mean.
    mean: Option<f64>,
    /// Half of the jobs took no longer.
    p50: Option<f64>,
    /// 95 % of the jobs took no longer.
    p95: Option<f64>,
    /// 99 % of the jobs took no longer.
    p99: Option<f64>,
    /// The longest.
    max: Option<f64>,
}

/// What jobs used: the sum, except where something else is said.
#[derive(Serialize, ToSchema)]
pub(crate) struct Resources {
    #[serde(flatten)]
    of: Group,
    /// How many jobs there are.
    jobs: u64,
    /// The duration of their last attempts, in seconds.
    duration_seconds: f64,
    /// Seconds of processor time on the workers, where it is known.
    cpu_seconds: f64,
    /// The largest peak memory of one job, in bytes, where it is known.
    peak_memory_bytes: u64,
    /// Bytes of output.
    output_bytes: u64,
    /// What they cost, estimated, in US dollars.
    cost_usd: f64,
}

/// The jobs that did not succeed for one reason.
#[derive(Serialize, ToSchema)]
pub(crate) struct FailurePattern {
    #[serde(flatten)]
    of: Group,
    /// Why they did not succeed.
    reason: Reason,
    /// How many jobs there are.
    pub(super) jobs: u64,
    /// Which part that is of all the group's jobs, from 0 to 1.
    share: f64,
    /// The last of them.
    #[schema(format = "uuid")]
    last_job_id: String,
    /// When that one ended.
    #[schema(value_type = Option<String>, format = DateTime)]
    last_finished_at: Option<Timestamp>,
    /// Why it did not succeed, in a sentence of at most 300 characters.
    last_error: Option<String>,
}

/// What a group of jobs has in common; null where it is not grouped by that.
#[derive(Clone, Eq, Ord, PartialEq, PartialOrd, Serialize, ToSchema)]
pub(crate) struct Group {
    /// The kind of the jobs.
    pub(super) kind: String,
    /// The path of the playbook or the name of the role.
    pub(super) playbook: Option<String>,
    /// The service that they call.
    pub(super) service: Option<String>,
    /// The operation that they call.
    pub(super) operation: Option<String>,
}

impl Performance {
    /// Reads a group's tally.
    pub(super) fn of(of: Group, tally: &Tally) -> Self {
        let ended = |status| tally.ended.get(&status).copied().unwrap_or_default();
        let (successful, failed) = (ended(JobStatus::Successful), ended(JobStatus::Failed));
        let decided = successful + failed;
        let durations = &tally.durations;
        Self {
            of,
            jobs: tally.jobs(),
            successful,
            failed,
            canceled: ended(JobStatus::Canceled),
            success_rate: (decided > 0).then(|| successful as f64 / decided as f64),
            attempts: tally.attempts,
            duration_seconds: Durations {
                mean: durations.mean(),
                p50: durations.quantile(0.5),
                p95: durations.quantile(0.95),
                p99: durations.quantile(0.99),
                max: (durations.count() > 0).then_some(durations.max),
            },
        }
    }
}

impl Resources {
    /// Reads a group's tally.
    pub(super) fn of(of: Group, tally: &Tally) -> Self {
        Self {
            of,
            jobs: tally.jobs(),
            duration_seconds: tally.durations.sum,
            cpu_seconds: tally.cpu_seconds,
            peak_memory_bytes: tally.peak_memory_bytes,
            output_bytes: tally.output_bytes,
            cost_usd: tally.cost_usd,
        }
    }
}

impl FailurePattern {
    /// Reads the reasons in a group's tally.
    pub(super) fn of((of, tally): (Group, Tally)) -> impl Iterator<Item = Self> {
        let all = tally.jobs();
        tally.failures.into_iter().map(move |(reason, failures)| Self {
            of: of.clone(),
            reason: Reason::of(&reason),
            jobs: failures.count,
            share: failures.count as f64 / all.max(1) as f64,
            last_job_id: failures.last.to_string(),
            last_finished_at: failures.last_at,
            last_error: failures.last_error,
        })
    }
}
