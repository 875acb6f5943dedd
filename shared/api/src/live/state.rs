//! What followers are told of a job's state.

use std::time::Instant;

use bytes::Bytes;
use callboard_core::base::time::Timestamp;
use callboard_core::job::{DeadLetter, Job, JobStatus, Progress, Waiting};
use callboard_core::request::Reason;
use serde::Serialize;

/// The state of a job when it was read.
#[derive(Debug)]
pub(crate) struct State {
    /// [`StatusMessage`] as JSON.
    pub(crate) status: Bytes,
    /// [`ProgressMessage`] as JSON; `None` while there is none.
    pub(crate) progress: Option<Bytes>,
    /// When it was read: what was read before is no news.
    pub(super) at: Instant,
    /// The last attempt that is over; 0 if none is.
    pub(super) over: u32,
}

/// The state of a job: the data of a `status` message.
#[derive(Debug, Serialize)]
struct StatusMessage<'a> {
    /// The state of the job.
    status: JobStatus,
    /// How many times the job has been started.
    attempt: u32,
    /// When the last attempt started; null until then.
    started_at: Option<Timestamp>,
    /// When the job ended; null until then.
    finished_at: Option<Timestamp>,
    /// Why the job did not succeed.
    reason: Option<&'a Reason>,
    /// Why the job did not succeed, in a sentence.
    error: Option<&'a str>,
    /// Whether somebody asked for the job to be stopped.
    cancel_requested: bool,
    /// What a pending job waits for; null for any other.
    blocked_on: Option<Waiting>,
    /// Set while the job is still waiting although the queue has given it up.
    dead_letter: Option<&'a DeadLetter>,
}

/// How far a job has got: the data of a `progress` message.
#[derive(Debug, Serialize)]
struct ProgressMessage<'a> {
    attempt: u32,
    progress: &'a Progress,
}

impl State {
    pub(super) fn of(job: &Job, now: Timestamp) -> Self {
        let state = &job.state;
        let outcome = state.outcome.as_ref();
        let status = StatusMessage {
            status: state.status,
            attempt: state.attempt,
            started_at: state.started_at,
            finished_at: state.finished_at,
            reason: outcome.and_then(|outcome| outcome.reason.as_ref()),
            error: outcome.and_then(|outcome| outcome.error.as_deref()),
            cancel_requested: state.cancel.is_some(),
            blocked_on: job.waiting(now),
            dead_letter: state.dead_letter.as_ref(),
        };
        let progress = state.progress.as_ref();
        let progress = progress.or_else(|| outcome.and_then(|outcome| outcome.progress.as_ref()));
        let progress = progress.map(|progress| ProgressMessage {
            attempt: state.attempt,
            progress,
        });
        let json = |made: Result<Vec<u8>, _>| made.map(Bytes::from).unwrap_or_default();
        Self {
            status: json(serde_json::to_vec(&status)),
            progress: progress.map(|progress| json(serde_json::to_vec(&progress))),
            at: Instant::now(),
            over: match state.is_over(state.attempt) {
                true => state.attempt,
                false => state.attempt.saturating_sub(1),
            },
        }
    }
}
