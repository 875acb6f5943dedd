//! A job: one execution of a request, its state, and the steps that the state may take.

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

use crate::attempt::Attempt;
use crate::id::{JobId, LeaseToken, Tenant};
use crate::outcome::Outcome;
use crate::progress::Progress;
use crate::request::JobRequest;
pub use crate::status::{JobStatus, UnknownStatus};
use crate::time::Timestamp;

/// How long a submission may take before the sweep gives its job to the queue.
pub const DISPATCH_GRACE: Duration = Duration::from_secs(10);
/// Who asked for a stop, where nothing is known of whoever did.
pub const UNKNOWN: &str = "unknown";

/// A worker's claim on a job. It holds while it is renewed: who watches it needs no clock that agrees with the worker's.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Lease {
    /// Proves the claim.
    pub token: LeaseToken,
    /// How often it has been renewed.
    pub beat: u64,
}

impl Lease {
    /// Makes a claim that nobody else has.
    #[must_use]
    pub fn new() -> Self {
        Self {
            token: LeaseToken::new(),
            beat: 0,
        }
    }

    /// Returns the claim as its next renewal leaves it.
    #[must_use]
    pub fn renewed(self) -> Self {
        Self {
            beat: self.beat + 1,
            ..self
        }
    }
}

impl Default for Lease {
    fn default() -> Self {
        Self::new()
    }
}

/// A message that no worker could deal with, so that the queue gave it up. Its job waits until somebody redrives it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
pub struct DeadLetter {
    /// When it was given up.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// How often it had been received.
    pub receives: u32,
    /// Why, in a sentence.
    pub error: String,
}

/// Who asked for a job to be stopped, and when.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
pub struct CancelRequest {
    /// Who: `ip:` and a client's address, the ARN of an identity of AWS, `signal:` and a signal's name, or `unknown`.
    #[serde(deserialize_with = "identifier")]
    pub by: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
}

/// Reads who asked; earlier releases wrote clients and signals in words.
fn identifier<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    let text = String::deserialize(from)?;
    let client = text
        .strip_prefix("the API client at ")
        .map(|address| format!("ip:{address}"));
    let signal = text
        .strip_suffix(" to callboard run")
        .and_then(|text| text.split(' ').next());
    Ok(match (client, signal) {
        (Some(client), _) => client,
        (None, Some(signal)) => format!("signal:{signal}"),
        (None, None) if text == "a client of the API" => UNKNOWN.to_owned(),
        (None, None) => text,
    })
}

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

/// One execution of a request.
#[derive(Clone, Debug, PartialEq)]
pub struct Job {
    /// Its id.
    pub id: JobId,
    /// Whose it is.
    pub tenant: Tenant,
    /// What was asked for.
    pub request: JobRequest,
    /// When it was accepted.
    pub created_at: Timestamp,
    /// How long it is kept after its end.
    pub retention: Duration,
    /// What has become of it.
    pub state: JobState,
}

/// A step that the job's state does not allow, or that somebody else was faster with.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Refused;

impl Job {
    /// Makes a pending job that is kept for `retention` after now.
    #[must_use]
    pub fn new(tenant: Tenant, request: JobRequest, now: Timestamp, retention: Duration) -> Self {
        Self::with_id(JobId::new(), tenant, request, now, retention)
    }

    /// Makes a pending job whose id is known before.
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

    /// Returns when it is forgotten: never, before it has ended.
    #[must_use]
    pub fn expires_at(&self) -> Timestamp {
        match self.state.finished_at {
            Some(at) => at + self.retention,
            None => Timestamp::NEVER,
        }
    }
}

impl JobState {
    /// Ends a job that was never to start, because its request cannot be carried out.
    pub(crate) fn refuse(&mut self, error: String, now: Timestamp) {
        self.end(Outcome::failed(crate::outcome::Reason::RequestInvalid, error), now);
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

/// Makes the outcome of a job that somebody stopped.
#[must_use]
pub fn canceled(cancel: &CancelRequest) -> Outcome {
    let by = match cancel.by.split_once(':') {
        Some(("ip", address)) => format!("the client at {address}"),
        Some(("signal", name)) => name.to_owned(),
        _ => cancel.by.clone(),
    };
    let error = format!("The job was canceled by {by} at {}.", cancel.at);
    Outcome {
        status: JobStatus::Canceled,
        ..Outcome::failed(crate::outcome::Reason::CanceledByRequest, error)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn who_asked_for_a_stop_is_an_identifier_also_where_an_earlier_release_wrote_words() -> Result<(), serde_json::Error>
    {
        for (written, read) in [
            ("the API client at 192.0.2.1", "ip:192.0.2.1"),
            ("a client of the API", "unknown"),
            ("SIGINT (Ctrl-C) to callboard run", "signal:SIGINT"),
            ("SIGTERM to callboard run", "signal:SIGTERM"),
            (
                "arn:aws:iam::123456789012:user/ann",
                "arn:aws:iam::123456789012:user/ann",
            ),
            ("ip:::1", "ip:::1"),
        ] {
            let cancel: CancelRequest =
                serde_json::from_value(json!({"by": written, "at": "2026-11-20T22:00:00.000Z"}))?;
            assert_eq!(cancel.by, read);
        }
        Ok(())
    }
}
