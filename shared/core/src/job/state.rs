//! What changes about a job, and the steps that may change it.

use serde::{Deserialize, Serialize};

use super::attempt::Attempt;
use super::cancel_request::{CancelRequest, canceled};
use super::dead_letter::DeadLetter;
use super::lease::Lease;
use super::outcome::Outcome;
use super::progress::Progress;
use super::status::JobStatus;
use crate::base::id::LeaseToken;
use crate::base::time::Timestamp;
use crate::request::Reason;

/// What changes about a job while it lives; the request never does.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct JobState {
    /// Where it stands.
    pub status: JobStatus,
    /// How often it has been started.
    pub attempt: u32,
    /// When the last attempt started.
    pub started_at: Option<Timestamp>,
    /// When it came to a final state.
    pub finished_at: Option<Timestamp>,
    /// The claim of the worker that has it.
    pub lease: Option<Lease>,
    /// Set when somebody asked for it to stop.
    pub cancel: Option<CancelRequest>,
    /// How far the running attempt has come.
    pub progress: Option<Progress>,
    /// How it ended.
    pub outcome: Option<Outcome>,
    /// The attempts that were given up, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub given_up: Vec<Attempt>,
    /// When the sweep gives it to the queue; set while it waits and the queue is not known to have it.
    #[serde(default)]
    pub due: Option<Timestamp>,
    /// Set while it waits and the queue has given it up.
    #[serde(default)]
    pub dead_letter: Option<DeadLetter>,
}

/// A step that the job's state does not allow, or that somebody else was faster with.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Refused;

impl JobState {
    /// Ends a job that was never to start, because its request cannot be carried out.
    pub(crate) fn refuse(&mut self, error: String, now: Timestamp) {
        self.end(Outcome::failed(Reason::REQUEST_INVALID, error), now);
    }

    /// Starts an attempt under a fresh lease. A claim that is repeated, because its answer was lost, changes nothing.
    ///
    /// # Errors
    /// The job is not pending.
    pub fn claim(&mut self, lease: Lease, now: Timestamp) -> Result<(), Refused> {
        if self.check(lease.token).is_ok() {
            return Ok(());
        }
        if self.status != JobStatus::Pending {
            return Err(Refused);
        }
        self.status = JobStatus::Running;
        self.attempt += 1;
        self.started_at = Some(now);
        self.lease = Some(lease);
        self.progress = None;
        self.due = None;
        self.dead_letter = None;
        Ok(())
    }

    /// Notes that the queue has the job, if it is still due as it was.
    pub fn mark_dispatched(&mut self, due: Timestamp) {
        if self.due == Some(due) {
            self.due = None;
        }
    }

    /// Extends the lease, and records progress if there is news.
    ///
    /// # Errors
    /// The lease is not the job's.
    pub fn renew(&mut self, lease: Lease, progress: Option<Progress>) -> Result<(), Refused> {
        self.check(lease.token)?;
        self.lease = Some(lease);
        if progress.is_some() {
            self.progress = progress;
        }
        Ok(())
    }

    /// Takes the job from a worker that has long not renewed its lease.
    ///
    /// # Errors
    /// The lease is no longer `silent`: it was renewed, given up or taken meanwhile.
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
    /// The lease is not the job's.
    pub fn finish(&mut self, token: LeaseToken, outcome: Outcome, now: Timestamp) -> Result<(), Refused> {
        self.check(token)?;
        self.end(outcome, now);
        Ok(())
    }

    /// Returns the attempts so far, the present one included, oldest first.
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

    /// Gives the job back, for another attempt than the one that has ended, to be queued at `due` if it is not by then;
    /// one that somebody asked to stop ends instead.
    ///
    /// # Errors
    /// The lease is not the job's.
    pub fn release(&mut self, token: LeaseToken, ended: Attempt, due: Timestamp) -> Result<(), Refused> {
        self.check(token)?;
        self.given_up.push(ended);
        self.wait_again(due)
    }

    /// Gives the job back as if it had not been claimed, to be queued at `due` if it is not by then; one that somebody asked
    /// to stop ends instead.
    ///
    /// # Errors
    /// The lease is not the job's.
    pub fn put_back(&mut self, token: LeaseToken, due: Timestamp) -> Result<(), Refused> {
        self.check(token)?;
        self.attempt = self.attempt.saturating_sub(1);
        self.started_at = None;
        self.wait_again(due)
    }

    /// Makes a running job pending again; one that somebody asked to stop ends instead.
    fn wait_again(&mut self, due: Timestamp) -> Result<(), Refused> {
        self.status = JobStatus::Pending;
        self.lease = None;
        self.progress = None;
        self.due = Some(due);
        match self.cancel.take() {
            Some(cancel) => self.request_cancel(cancel),
            None => Ok(()),
        }
    }

    /// Ends a pending job at once; asks the worker of a running one to stop it. Asking again changes nothing.
    ///
    /// # Errors
    /// The job has ended already.
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
                self.cancel.get_or_insert(cancel);
                Ok(())
            }
            _ => Err(Refused),
        }
    }

    /// Ends a job that waits and that no worker will take.
    ///
    /// # Errors
    /// The job is not pending.
    pub fn abandon(&mut self, outcome: Outcome, now: Timestamp) -> Result<(), Refused> {
        self.check_pending()?;
        self.end(outcome, now);
        Ok(())
    }

    /// Notes that the queue has given the job up.
    ///
    /// # Errors
    /// The job is not pending.
    pub fn bury(&mut self, letter: DeadLetter) -> Result<(), Refused> {
        self.check_pending()?;
        self.due = None;
        self.dead_letter = Some(letter);
        Ok(())
    }

    /// Has a job that waits given to the queue again.
    ///
    /// # Errors
    /// The job is not pending.
    pub fn redrive(&mut self, now: Timestamp) -> Result<(), Refused> {
        self.check_pending()?;
        self.dead_letter = None;
        self.due = Some(now);
        Ok(())
    }

    fn check_pending(&self) -> Result<(), Refused> {
        if self.status == JobStatus::Pending {
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
        self.outcome = Some(outcome);
    }
}
