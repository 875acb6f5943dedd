//! The changing part of a job, and the steps that may change it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::attempt::Attempt;
use super::blocked::BlockedOn;
use super::cancel_request::{CancelRequest, canceled};
use super::dead_letter::DeadLetter;
use super::lease::Lease;
use super::outcome::Outcome;
use super::progress::Progress;
use super::redrive::Redrive;
use super::status::JobStatus;
use crate::base::id::{JobId, LeaseToken};
use crate::base::time::Timestamp;
use crate::request::Reason;

/// How long after a detached job was queued it is queued again, unless a worker has looked at it.
pub const LOOK_AGAIN: Duration = Duration::from_secs(300);

/// How many of the jobs that repeat one its record names.
pub const MAX_RELAUNCHES: usize = 100;

/// The part of a job that changes; its request never changes.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct JobState {
    /// The job's status.
    pub status: JobStatus,
    /// How often it has been started.
    pub attempt: u32,
    /// When the last attempt started.
    pub started_at: Option<Timestamp>,
    /// When the job reached a final state.
    pub finished_at: Option<Timestamp>,
    /// The claim of the worker that has the job.
    pub lease: Option<Lease>,
    /// Set when somebody has asked for the job to stop.
    pub cancel: Option<CancelRequest>,
    /// How far the running attempt has got.
    pub progress: Option<Progress>,
    /// How the job ended.
    pub outcome: Option<Outcome>,
    /// The attempts that were given up, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub given_up: Vec<Attempt>,
    /// When the sweep gives the job to the queue; set while the job waits for a worker and the queue is not known to have it.
    #[serde(default)]
    pub due: Option<Timestamp>,
    /// Set while the job waits and the queue has given it up.
    #[serde(default)]
    pub dead_letter: Option<DeadLetter>,
    /// Who had it queued again last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redrive: Option<Redrive>,
    /// What executes the running attempt in place of a worker, such as the ARN of a task: a worker holds the job only to look at it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detached: Option<String>,
    /// What the job waits for before it is given to the queue; set while a pending job waits for that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blocked_on: Option<BlockedOn>,
    /// The jobs that repeat this one, the first ones of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub relaunched_as: Vec<JobId>,
}

/// The error for a step that the job's state does not allow, or that another caller took first.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Refused;

impl JobState {
    /// Ends a job that will never start, because its request cannot be carried out.
    pub(crate) fn refuse(&mut self, error: String, now: Timestamp) {
        self.end(Outcome::failed(Reason::REQUEST_INVALID, error), now);
    }

    /// Starts an attempt under a new lease, or takes up one that is detached. Repeating a claim whose answer was lost changes nothing.
    ///
    /// # Errors
    /// The job is neither detached, nor pending without being blocked.
    pub fn claim(&mut self, lease: Lease, now: Timestamp) -> Result<(), Refused> {
        if self.check(lease.token).is_ok() {
            return Ok(());
        }
        if !self.is_detached() {
            self.check_free()?;
            self.status = JobStatus::Running;
            self.attempt += 1;
            self.started_at = Some(now);
            self.progress = None;
        }
        self.lease = Some(lease);
        self.due = None;
        self.dead_letter = None;
        Ok(())
    }

    /// Records that the queue has the job, if the job is still due at `due`. A detached one stays due, in case nobody looks.
    pub fn mark_dispatched(&mut self, due: Timestamp) {
        if self.due == Some(due) {
            self.due = self.is_detached().then_some(due + LOOK_AGAIN);
        }
    }

    /// Renews the lease, and records progress if there is any.
    ///
    /// # Errors
    /// The job does not run under this lease.
    pub fn renew(&mut self, lease: Lease, progress: Option<Progress>) -> Result<(), Refused> {
        self.check(lease.token)?;
        self.lease = Some(lease);
        if progress.is_some() {
            self.progress = progress;
        }
        Ok(())
    }

    /// Takes the job from a worker that has not renewed its lease for a long time.
    ///
    /// # Errors
    /// The lease is no longer `silent`: it was renewed, given up or taken in the meantime.
    pub fn seize(&mut self, silent: Lease, lease: Lease) -> Result<(), Refused> {
        if self.status != JobStatus::Running || self.lease != Some(silent) {
            return Err(Refused);
        }
        self.lease = Some(lease);
        Ok(())
    }

    /// Ends the job.
    ///
    /// # Errors
    /// The job does not run under this lease.
    pub fn finish(&mut self, token: LeaseToken, outcome: Outcome, now: Timestamp) -> Result<(), Refused> {
        self.check(token)?;
        self.end(outcome, now);
        Ok(())
    }

    /// Returns the attempts so far, including the current one, oldest first.
    #[must_use]
    pub fn attempts(&self) -> Vec<Attempt> {
        let mut attempts = self.given_up.clone();
        if self.attempt > attempts.last().map_or(0, |last| last.attempt) {
            let present = Attempt::begun(self.attempt, self.started_at);
            attempts.push(match &self.outcome {
                Some(outcome) => present.ended(outcome, self.finished_at),
                None => present,
            });
        }
        attempts
    }

    /// Gives the job back for another attempt, after the one that has ended. The sweep queues it at `due` if it is not queued by
    /// then. A job that somebody asked to stop ends instead.
    ///
    /// # Errors
    /// The job does not run under this lease.
    pub fn release(&mut self, token: LeaseToken, ended: Attempt, due: Timestamp) -> Result<(), Refused> {
        self.check(token)?;
        self.given_up.push(ended);
        self.wait_again(due)
    }

    /// Gives the job back without counting the attempt. The sweep queues it at `due` if it is not queued by then. A job that
    /// somebody asked to stop ends instead.
    ///
    /// # Errors
    /// The job does not run under this lease.
    pub fn put_back(&mut self, token: LeaseToken, due: Timestamp) -> Result<(), Refused> {
        self.check(token)?;
        self.attempt = self.attempt.saturating_sub(1);
        self.started_at = None;
        self.wait_again(due)
    }

    /// Leaves the attempt to what executes it in place of a worker. The sweep queues the job at `due`, for another look.
    ///
    /// # Errors
    /// The job does not run under this lease.
    pub fn detach(&mut self, token: LeaseToken, detached: String, due: Timestamp) -> Result<(), Refused> {
        self.check(token)?;
        self.lease = None;
        self.detached = Some(detached);
        self.due = Some(due);
        Ok(())
    }

    /// Returns whether the job runs and no worker holds it.
    #[must_use]
    pub fn is_detached(&self) -> bool {
        self.status == JobStatus::Running && self.lease.is_none()
    }

    /// Makes a running job pending again; a job that somebody asked to stop ends instead.
    fn wait_again(&mut self, due: Timestamp) -> Result<(), Refused> {
        self.status = JobStatus::Pending;
        self.lease = None;
        self.progress = None;
        self.detached = None;
        self.due = Some(due);
        match self.cancel.take() {
            Some(cancel) => self.request_cancel(cancel),
            None => Ok(()),
        }
    }

    /// Ends a pending job at once, or asks the worker of a running job to stop it; a detached one is due to be looked at. Asking again
    /// changes nothing else.
    ///
    /// # Errors
    /// The job has already ended.
    pub fn request_cancel(&mut self, cancel: CancelRequest) -> Result<(), Refused> {
        match self.status {
            JobStatus::Pending => {
                let outcome = canceled(&cancel);
                let at = cancel.at;
                self.cancel = Some(cancel);
                self.end(outcome, at);
                Ok(())
            }
            JobStatus::Running => {
                if self.is_detached() && self.cancel.is_none() {
                    self.due = Some(cancel.at);
                }
                self.cancel.get_or_insert(cancel);
                Ok(())
            }
            _ => Err(Refused),
        }
    }

    /// Ends a waiting job that no worker will take.
    ///
    /// # Errors
    /// The job is not pending.
    pub fn abandon(&mut self, outcome: Outcome, now: Timestamp) -> Result<(), Refused> {
        self.check_pending()?;
        self.end(outcome, now);
        Ok(())
    }

    /// Records that a pending job, which is due at `due`, waits for something else before it is given to the queue.
    ///
    /// # Errors
    /// The job is not pending, or no longer due at `due`.
    pub fn block(&mut self, due: Timestamp, on: BlockedOn) -> Result<(), Refused> {
        self.check_pending()?;
        if self.due != Some(due) {
            return Err(Refused);
        }
        self.due = None;
        self.blocked_on = Some(on);
        Ok(())
    }

    /// Makes a blocked job due to be given to the queue.
    ///
    /// # Errors
    /// The job is not blocked.
    pub fn unblock(&mut self, now: Timestamp) -> Result<(), Refused> {
        self.check_pending()?;
        self.blocked_on.take().ok_or(Refused)?;
        self.due = Some(now);
        Ok(())
    }

    /// Records that the queue has given the job up.
    ///
    /// # Errors
    /// The job is not pending, or it is blocked.
    pub fn bury(&mut self, letter: DeadLetter) -> Result<(), Refused> {
        self.check_free()?;
        self.due = None;
        self.dead_letter = Some(letter);
        Ok(())
    }

    /// Returns whether nothing more comes of an attempt: it has ended, or the job has.
    #[must_use]
    pub fn is_over(&self, attempt: u32) -> bool {
        let given_up = self.given_up.last().map_or(0, |last| last.attempt);
        self.status.is_final() || attempt < self.attempt || attempt <= given_up
    }

    /// Notes that another job repeats this one.
    pub fn note_relaunch(&mut self, job: JobId) {
        if self.relaunched_as.len() < MAX_RELAUNCHES && !self.relaunched_as.contains(&job) {
            self.relaunched_as.push(job);
        }
    }

    /// Makes a waiting job due to be given to the queue again.
    ///
    /// # Errors
    /// The job is not pending.
    pub fn redrive(&mut self, redrive: Redrive) -> Result<(), Refused> {
        self.check_pending()?;
        self.dead_letter = None;
        self.blocked_on = None;
        self.due = Some(redrive.at);
        self.redrive = Some(redrive);
        Ok(())
    }

    fn check_pending(&self) -> Result<(), Refused> {
        if self.status == JobStatus::Pending {
            Ok(())
        } else {
            Err(Refused)
        }
    }

    /// Checks that the job is pending and waits for nothing but a worker.
    fn check_free(&self) -> Result<(), Refused> {
        self.check_pending()?;
        if self.blocked_on.is_none() {
            Ok(())
        } else {
            Err(Refused)
        }
    }

    fn check(&self, token: LeaseToken) -> Result<(), Refused> {
        let held = self.lease.is_some_and(|lease| lease.token == token);
        if self.status == JobStatus::Running && held {
            Ok(())
        } else {
            Err(Refused)
        }
    }

    fn end(&mut self, outcome: Outcome, now: Timestamp) {
        self.status = outcome.status;
        self.finished_at = Some(now);
        self.lease = None;
        self.progress = None;
        self.due = None;
        self.dead_letter = None;
        self.detached = None;
        self.blocked_on = None;
        self.outcome = Some(outcome);
    }
}
