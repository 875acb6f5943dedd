//! What a job should be after each step, told without the domain's own code.

use std::time::Duration;

use callboard_core::id::LeaseToken;
use callboard_core::job::{Job, JobStatus, Lease};
use callboard_core::outcome::Reason;
use callboard_core::time::Timestamp;

const GRACE: Duration = Duration::from_secs(10);

/// What is compared with the store.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Facts {
    pub(crate) status: JobStatus,
    pub(crate) reason: Option<Reason>,
    pub(crate) attempt: u32,
    pub(crate) lease: Option<Lease>,
    pub(crate) canceled_by: Option<String>,
    pub(crate) ended: bool,
}

/// One job's model. Each step tells whether it is allowed.
#[derive(Debug)]
pub(crate) struct Model {
    pub(crate) facts: Facts,
    pub(crate) dispatched: bool,
    pub(crate) tokens: Vec<LeaseToken>,
    pub(crate) messages: usize,
    created_at: Timestamp,
    max_attempts: u32,
}

/// What a sweep should have done to a job.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Swept {
    pub(crate) lost: bool,
    pub(crate) dispatched: bool,
}

impl From<&Job> for Facts {
    fn from(job: &Job) -> Self {
        let state = &job.state;
        Self {
            status: state.status,
            reason: state.outcome.as_ref().and_then(|outcome| outcome.reason),
            attempt: state.attempt,
            lease: state.lease,
            canceled_by: state.cancel.as_ref().map(|cancel| cancel.by.clone()),
            ended: state.finished_at.is_some() && state.outcome.is_some(),
        }
    }
}

impl Model {
    pub(crate) fn new(job: &Job) -> Self {
        Self {
            facts: Facts::from(job),
            dispatched: false,
            tokens: Vec::new(),
            messages: 0,
            created_at: job.created_at,
            max_attempts: job.request.options.max_attempts.unwrap_or(1),
        }
    }

    pub(crate) fn claim(&mut self, lease: Lease) -> bool {
        let allowed = self.facts.status == JobStatus::Pending;
        if allowed {
            self.facts.status = JobStatus::Running;
            self.facts.attempt += 1;
            self.facts.lease = Some(lease);
            self.tokens.push(lease.token);
        }
        allowed
    }

    pub(crate) fn renew(&mut self, lease: Lease) -> bool {
        let allowed = self.holds(lease.token);
        if allowed {
            self.facts.lease = Some(lease);
        }
        allowed
    }

    pub(crate) fn finish(&mut self, token: LeaseToken, status: JobStatus, reason: Option<Reason>) -> bool {
        let allowed = self.holds(token);
        if allowed {
            self.end(status, reason);
        }
        allowed
    }

    pub(crate) fn release(&mut self, token: LeaseToken) -> bool {
        let allowed = self.holds(token);
        if allowed && self.facts.canceled_by.is_some() {
            self.end(JobStatus::Canceled, Some(Reason::CanceledByRequest));
        } else if allowed {
            self.facts.status = JobStatus::Pending;
            self.facts.lease = None;
            self.dispatched = false;
        }
        allowed
    }

    pub(crate) fn cancel(&mut self, by: &str) -> bool {
        let allowed = !self.facts.ended;
        if allowed && self.facts.canceled_by.is_none() {
            self.facts.canceled_by = Some(by.to_owned());
        }
        if self.facts.status == JobStatus::Pending {
            self.end(JobStatus::Canceled, Some(Reason::CanceledByRequest));
        }
        allowed
    }

    pub(crate) fn sweep(&mut self, now: Timestamp) -> Swept {
        let lost = self.facts.lease.filter(|lease| lease.until < now);
        if let Some(lease) = lost {
            self.lose(lease.token);
        }
        let dispatched = self.is_undispatched(now - GRACE);
        if dispatched {
            self.dispatch();
        }
        Swept {
            lost: lost.is_some(),
            dispatched,
        }
    }

    pub(crate) fn is_undispatched(&self, before: Timestamp) -> bool {
        self.facts.status == JobStatus::Pending && !self.dispatched && self.created_at < before
    }

    fn lose(&mut self, token: LeaseToken) {
        if self.facts.canceled_by.is_some() {
            self.end(JobStatus::Canceled, Some(Reason::CanceledByRequest));
        } else if self.facts.attempt < self.max_attempts {
            self.release(token);
            self.dispatch();
        } else {
            self.end(JobStatus::Failed, Some(Reason::Lost));
        }
    }

    fn dispatch(&mut self) {
        self.dispatched = true;
        self.messages += 1;
    }

    fn holds(&self, token: LeaseToken) -> bool {
        self.facts.lease.is_some_and(|lease| lease.token == token)
    }

    fn end(&mut self, status: JobStatus, reason: Option<Reason>) {
        self.facts.status = status;
        self.facts.reason = reason;
        self.facts.lease = None;
        self.facts.ended = true;
    }
}
