//! Who asked for a job to be stopped, and the outcome.

use callboard_core::base::time::Timestamp;
use callboard_core::job::{CancelRequest, JobStatus};
use serde::Serialize;
use utoipa::ToSchema;

/// A request to stop a job, and its outcome.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CancelView {
    /// Who asked: `ip:` and the client's address, the ARN of an AWS identity, `signal:` and the name of a signal, or `unknown`.
    by: String,
    /// When the request was made.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// The outcome of the request.
    outcome: CancelOutcome,
}

/// The outcome of a request to stop a job.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum CancelOutcome {
    /// The job is being stopped.
    Pending,
    /// The job was stopped.
    Stopped,
    /// The job had ended before it could be stopped.
    TooLate,
}

impl CancelView {
    pub(super) fn new(cancel: CancelRequest, status: JobStatus) -> Self {
        let outcome = match status {
            JobStatus::Pending | JobStatus::Running => CancelOutcome::Pending,
            JobStatus::Canceled => CancelOutcome::Stopped,
            JobStatus::Successful | JobStatus::Failed => CancelOutcome::TooLate,
        };
        Self {
            by: cancel.by,
            at: cancel.at,
            outcome,
        }
    }
}
