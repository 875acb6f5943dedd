//! What a pending job waits for.

use serde::Serialize;
use utoipa::ToSchema;

use super::blocked::SlotType;
use super::record::Job;
use super::status::JobStatus;
use crate::base::id::JobId;
use crate::base::time::Timestamp;

/// What a pending job waits for.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, ToSchema)]
#[schema(as = BlockedOn)]
pub struct Waiting {
    /// What it is.
    pub r#type: WaitsFor,
    /// Since when the job waits for it.
    #[schema(value_type = String, format = DateTime)]
    pub since: Timestamp,
    /// The job's concurrency key, if it waits for that; otherwise null.
    pub concurrency_key: Option<String>,
    /// A job that had what this one waits for when it began to wait; null unless other jobs have it.
    #[schema(value_type = Option<String>, format = "uuid")]
    pub job_id: Option<JobId>,
    /// When workers can take the job, if it waits for its time; otherwise null.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub due_at: Option<Timestamp>,
}

/// The things that jobs wait for.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum WaitsFor {
    /// A worker: all of them are busy, or none has come to the job yet.
    Worker,
    /// Its concurrency key, which another job has.
    ConcurrencyKey,
    /// A place among the jobs of its tenant that may run at a time.
    RunningQuota,
    /// Its time: the pause before its next attempt is not over.
    DueAt,
    /// Somebody to redrive it: the queue has given it up.
    DeadLetter,
}

impl Job {
    /// Returns what the job waits for, unless a worker has had it.
    #[must_use]
    pub fn waiting(&self, now: Timestamp) -> Option<Waiting> {
        let state = &self.state;
        if state.status != JobStatus::Pending {
            return None;
        }
        let waiting = Waiting {
            r#type: WaitsFor::Worker,
            since: self.waits_since(),
            concurrency_key: None,
            job_id: None,
            due_at: None,
        };
        if let Some(letter) = &state.dead_letter {
            return Some(Waiting {
                r#type: WaitsFor::DeadLetter,
                since: letter.at,
                ..waiting
            });
        }
        if let Some(on) = &state.blocked_on {
            return Some(Waiting {
                r#type: match on.r#type {
                    SlotType::ConcurrencyKey => WaitsFor::ConcurrencyKey,
                    SlotType::RunningQuota => WaitsFor::RunningQuota,
                },
                since: on.since.unwrap_or(waiting.since),
                concurrency_key: on.concurrency_key.clone(),
                job_id: Some(on.job_id),
                ..waiting
            });
        }
        let again_at = state.given_up.last().and_then(|attempt| attempt.again_at);
        Some(match again_at.filter(|at| *at > now) {
            Some(due) => Waiting {
                r#type: WaitsFor::DueAt,
                due_at: Some(due),
                ..waiting
            },
            None => waiting,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::id::Tenant;
    use crate::job::{Attempt, BlockedOn, DeadLetter};
    use crate::request::JobRequest;
    use std::time::Duration;

    #[test]
    fn a_pending_job_says_what_it_waits_for_and_since_when() {
        let (at, hour) = (Timestamp::from_millis(1_000_000), Duration::from_secs(3600));
        let mut job = Job::new(Tenant::default(), JobRequest::default(), at, hour);
        let now = at + Duration::from_secs(1);
        let waits = |job: &Job| {
            job.waiting(now)
                .map(|waiting| (waiting.r#type, waiting.since, waiting.due_at))
        };
        assert_eq!(waits(&job), Some((WaitsFor::Worker, at, None)));
        job.state.given_up.push(Attempt {
            again_at: Some(at + hour),
            ..Attempt::begun(1, Some(at))
        });
        assert_eq!(waits(&job), Some((WaitsFor::DueAt, at, Some(at + hour))));
        let other = JobId::new();
        job.state.blocked_on = Some(BlockedOn {
            r#type: SlotType::ConcurrencyKey,
            concurrency_key: Some("host:db1".to_owned()),
            job_id: other,
            since: Some(now),
        });
        assert_eq!(waits(&job), Some((WaitsFor::ConcurrencyKey, now, None)));
        assert_eq!(job.waiting(now).and_then(|waiting| waiting.job_id), Some(other));
        job.state.dead_letter = Some(DeadLetter {
            at: now,
            receives: 5,
            error: String::new(),
        });
        assert_eq!(waits(&job), Some((WaitsFor::DeadLetter, now, None)));
        job.state.status = JobStatus::Running;
        assert_eq!(waits(&job), None);
    }
}
