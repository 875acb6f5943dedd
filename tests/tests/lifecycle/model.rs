//! What a job should be after each step, told without the domain's own code.

use std::time::Duration;

use callboard_core::base::id::LeaseToken;
use callboard_core::base::time::Timestamp;
use callboard_core::care::Swept;
use callboard_core::job::{Job, JobStatus, Lease};
use callboard_core::request::Reason;

/// How long a submission may take before its job is given to the queue.
const GRACE: Duration = Duration::from_secs(10);
/// How long a lease may stay as it is.
pub(crate) const SILENCE: Duration = Duration::from_secs(25);
/// How long after a message a job that runs without a worker gets another.
const LOOK_AGAIN: Duration = Duration::from_secs(300);
/// How long a job may wait while the queue is empty.
const UNCLAIMED: Duration = Duration::from_secs(60);
/// How long a job may wait for a worker.
pub(crate) const MAX_WAIT: Duration = Duration::from_secs(150);

/// What is compared with the store.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Facts {
    pub(crate) status: JobStatus,
    pub(crate) reason: Option<Reason>,
    pub(crate) attempt: u32,
    pub(crate) lease: Option<Lease>,
    pub(crate) canceled_by: Option<String>,
    pub(crate) ended: bool,
    pub(crate) due: Option<Timestamp>,
    pub(crate) dead: bool,
    /// What executes its attempt in place of a worker.
    pub(crate) detached: Option<String>,
    /// The numbers of the attempts that were given up.
    pub(crate) given_up: Vec<u32>,
}

/// One job's model. Each step tells whether it is allowed.
#[derive(Debug)]
pub(crate) struct Model {
    pub(crate) facts: Facts,
    pub(crate) leases: Vec<Lease>,
    pub(crate) messages: usize,
    waits_since: Timestamp,
    max_attempts: u32,
    /// The lease that the last sweep saw, and since when sweeps have seen it so.
    seen: Option<(Lease, Timestamp)>,
    /// Since when sweeps have seen it wait while the queue was empty, and how often it was queued again.
    unclaimed: Option<(Timestamp, u32)>,
}

impl From<&Job> for Facts {
    fn from(job: &Job) -> Self {
        let state = &job.state;
        Self {
            status: state.status,
            reason: state.outcome.as_ref().and_then(|outcome| outcome.reason.clone()),
            attempt: state.attempt,
            lease: state.lease,
            canceled_by: state.cancel.as_ref().map(|cancel| cancel.by.clone()),
            ended: state.finished_at.is_some() && state.outcome.is_some(),
            due: state.due,
            dead: state.dead_letter.is_some(),
            detached: state.detached.clone(),
            given_up: state.given_up.iter().map(|attempt| attempt.attempt).collect(),
        }
    }
}

impl Model {
    pub(crate) fn new(job: &Job) -> Self {
        Self {
            facts: Facts::from(job),
            leases: Vec::new(),
            messages: 0,
            waits_since: job.created_at,
            max_attempts: job.request.options.max_attempts.unwrap_or(1),
            seen: None,
            unclaimed: None,
        }
    }

    pub(crate) fn claim(&mut self, lease: Lease) -> bool {
        if self.holds(lease.token) {
            return true;
        }
        let allowed = self.is_free();
        if allowed {
            self.facts.attempt += u32::from(self.is_pending());
            self.facts.status = JobStatus::Running;
            self.facts.lease = Some(lease);
            self.facts.due = None;
            self.facts.dead = false;
            self.leases.push(lease);
        }
        allowed
    }

    pub(crate) fn mark_dispatched(&mut self, due: Timestamp) {
        if self.facts.due == Some(due) {
            self.facts.due = self.runs_free().then_some(due + LOOK_AGAIN);
        }
    }

    pub(crate) fn bury(&mut self) -> bool {
        if self.is_pending() {
            self.facts.dead = true;
            self.facts.due = None;
        }
        self.is_pending()
    }

    pub(crate) fn redrive(&mut self, now: Timestamp) -> bool {
        if self.is_pending() {
            self.facts.dead = false;
            self.facts.due = Some(now);
        }
        self.is_pending()
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

    pub(crate) fn release(&mut self, token: LeaseToken, due: Timestamp, now: Timestamp) -> bool {
        let allowed = self.holds(token);
        if allowed {
            self.waits_since = now;
            self.facts.given_up.push(self.facts.attempt);
        }
        if allowed && self.facts.canceled_by.is_some() {
            self.end(JobStatus::Canceled, Some(Reason::CANCELED_BY_REQUEST));
        } else if allowed {
            self.facts.status = JobStatus::Pending;
            self.facts.lease = None;
            self.facts.detached = None;
            self.facts.due = Some(due);
        }
        allowed
    }

    pub(crate) fn detach(&mut self, token: LeaseToken, by: String, due: Timestamp) -> bool {
        let allowed = self.holds(token);
        if allowed {
            self.facts.lease = None;
            self.facts.detached = Some(by);
            self.facts.due = Some(due);
        }
        allowed
    }

    pub(crate) fn cancel(&mut self, by: &str, now: Timestamp) -> bool {
        let allowed = !self.facts.ended;
        let is_first = allowed && self.facts.canceled_by.is_none();
        if is_first {
            self.facts.canceled_by = Some(by.to_owned());
        }
        if self.is_pending() {
            self.end(JobStatus::Canceled, Some(Reason::CANCELED_BY_REQUEST));
        } else if is_first && self.runs_free() {
            self.facts.due = Some(now);
        }
        allowed
    }

    /// Ends a lost job, or queues it, as a sweep does, and counts what was done in `swept`.
    pub(crate) fn sweep(&mut self, now: Timestamp, swept: &mut Swept) {
        self.seen = self.facts.lease.map(|lease| match self.seen {
            Some((as_before, since)) if as_before == lease => (lease, since),
            _ => (lease, now),
        });
        swept.watched += u32::from(self.facts.lease.is_some());
        if let Some((lease, since)) = self.seen
            && since + SILENCE <= now
        {
            swept.lost += u32::from(self.facts.detached.is_none());
            self.lose(lease.token, now);
        }
        if let Some(due) = self.facts.due.filter(|due| *due <= now) {
            self.mark_dispatched(due);
            self.messages += 1;
            swept.dispatched += 1;
        }
    }

    /// Looks at whether the job waits while the queue is empty, and queues it again after a while.
    pub(crate) fn look(&mut self, queue_is_empty: bool, now: Timestamp, swept: &mut Swept) {
        if !queue_is_empty {
            self.unclaimed = self.unclaimed.map(|(_, times)| (now, times));
            return;
        }
        if !self.is_pending() || self.facts.due.is_some() || self.facts.dead {
            self.unclaimed = None;
            return;
        }
        swept.watched += 1;
        let (since, times) = self.unclaimed.unwrap_or((now, 0));
        let again = since + UNCLAIMED * 2_u32.pow(times) <= now;
        self.messages += usize::from(again);
        swept.dispatched += u32::from(again);
        self.unclaimed = Some(if again { (now, times + 1) } else { (since, times) });
    }

    /// Gives up a job that waited for too long.
    pub(crate) fn abandon(&mut self, now: Timestamp, swept: &mut Swept) {
        if self.is_pending() && self.waits_since < now - MAX_WAIT {
            self.end(JobStatus::Failed, Some(Reason::UNDELIVERABLE));
            swept.abandoned += 1;
        }
    }

    pub(crate) fn is_due(&self, now: Timestamp) -> bool {
        self.facts.due.is_some_and(|due| due <= now)
    }

    fn lose(&mut self, token: LeaseToken, now: Timestamp) {
        if self.facts.detached.is_some() {
            self.facts.lease = None;
            self.facts.due = Some(now);
        } else if self.facts.canceled_by.is_some() {
            self.end(JobStatus::Canceled, Some(Reason::CANCELED_BY_REQUEST));
        } else if self.facts.attempt < self.max_attempts {
            self.release(token, now + GRACE, now);
            self.facts.due = None;
            self.messages += 1;
        } else {
            self.end(JobStatus::Failed, Some(Reason::LOST));
        }
    }

    fn is_pending(&self) -> bool {
        self.facts.status == JobStatus::Pending
    }

    /// Whether a worker may take it: it waits, or runs without one.
    fn is_free(&self) -> bool {
        !self.facts.ended && self.facts.lease.is_none()
    }

    /// Whether it runs without a worker.
    fn runs_free(&self) -> bool {
        self.is_free() && !self.is_pending()
    }

    fn holds(&self, token: LeaseToken) -> bool {
        self.facts.lease.is_some_and(|lease| lease.token == token)
    }

    fn end(&mut self, status: JobStatus, reason: Option<Reason>) {
        self.facts.status = status;
        self.facts.reason = reason;
        self.facts.lease = None;
        self.facts.due = None;
        self.facts.dead = false;
        self.facts.detached = None;
        self.facts.ended = true;
    }
}
