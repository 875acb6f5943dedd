//! A job: one execution of a request.

use std::time::Duration;

use super::state::JobState;
use super::status::JobStatus;
use crate::base::id::{JobId, Tenant};
use crate::base::time::Timestamp;
use crate::request::{JobRequest, Told};

/// How long a submission may take before the sweep gives its job to the queue.
pub const DISPATCH_GRACE: Duration = Duration::from_secs(10);

/// One execution of a request.
#[derive(Clone, Debug, PartialEq)]
pub struct Job {
    /// Its id.
    pub id: JobId,
    /// Its owner.
    pub tenant: Tenant,
    /// Its request.
    pub request: JobRequest,
    /// When it was accepted.
    pub created_at: Timestamp,
    /// How long it is kept after its end.
    pub retention: Duration,
    /// Its current state.
    pub state: JobState,
}

impl Job {
    /// Returns since when the job waits, if it does: since it was accepted, or given back after its last attempt.
    #[must_use]
    pub fn waits_since(&self) -> Timestamp {
        let given_up = self.state.given_up.last().and_then(|attempt| attempt.finished_at);
        given_up.map_or(self.created_at, |given_up| given_up.max(self.created_at))
    }

    /// Makes a pending job that is kept for `retention` after its end.
    #[must_use]
    pub fn new(tenant: Tenant, request: JobRequest, now: Timestamp, retention: Duration) -> Self {
        Self::with_id(JobId::new(), tenant, request, now, retention)
    }

    /// Makes a pending job with an id that is known in advance.
    #[must_use]
    pub fn with_id(id: JobId, tenant: Tenant, request: JobRequest, now: Timestamp, retention: Duration) -> Self {
        let state = JobState {
            status: JobStatus::Pending,
            attempt: 0,
            started_at: None,
            finished_at: None,
            lease: None,
            cancel: None,
            progress: None,
            outcome: None,
            given_up: Vec::new(),
            due: Some(now + DISPATCH_GRACE),
            dead_letter: None,
            redrive: None,
            detached: None,
            blocked_on: None,
            relaunched_as: Vec::new(),
        };
        Self {
            id,
            tenant,
            request,
            created_at: now,
            retention,
            state,
        }
    }

    /// Returns what is known of the job, for its kind to show.
    #[must_use]
    pub fn told(&self) -> Told<'_> {
        let outcome = self.state.outcome.as_ref();
        Told {
            request: &self.request,
            progress: self.state.progress.as_ref(),
            detail: outcome.map(|outcome| &outcome.detail),
            left: self.state.given_up.last().map(|attempt| &attempt.left),
        }
    }

    /// Returns whether the job may be started again after its current attempt has ended.
    #[must_use]
    pub fn may_run_again(&self) -> bool {
        self.state.attempt.saturating_sub(self.retries()) < self.request.options.max_attempts()
    }

    /// Returns how often the job was tried again because a failure might pass.
    #[must_use]
    pub fn retries(&self) -> u32 {
        let retried = self.state.given_up.iter().filter(|attempt| attempt.retried);
        u32::try_from(retried.count()).unwrap_or(u32::MAX)
    }

    /// Returns when the job expires: never, until it has ended.
    #[must_use]
    pub fn expires_at(&self) -> Timestamp {
        match self.state.finished_at {
            Some(at) => at + self.retention,
            None => Timestamp::NEVER,
        }
    }
}
