//! The outcome of a job: what its runner found, unless it was stopped.

use super::runner::Ended;
use super::stop::StopReason;
use crate::job::{Outcome, canceled};
use crate::request::Reason;

/// Returns the outcome of a job, given why it was stopped, if it was.
pub(super) fn overrule(ended: Ended, stop: Option<StopReason>) -> Outcome {
    let Some(stop) = stop else { return ended.outcome };
    let overruling = match stop {
        StopReason::Canceled(cancel) => canceled(&cancel),
        StopReason::Timeout(limit) => Outcome::failed(
            Reason::TIMEOUT,
            format!(
                "The job ran longer than its timeout of {} s and was stopped.",
                limit.as_secs()
            ),
        ),
        StopReason::IdleTimeout(limit) => Outcome::failed(
            Reason::IDLE_TIMEOUT,
            format!(
                "The job printed nothing for {} s, its idle timeout, and was stopped.",
                limit.as_secs()
            ),
        ),
        StopReason::Deadline => Outcome::failed(
            Reason::DEADLINE,
            "The worker's time was over before the job had ended, so it was stopped.",
        ),
        StopReason::Shutdown | StopReason::LeaseLost => {
            Outcome::failed(Reason::SHUTDOWN, "The service was shut down while the job ran.")
        }
    };
    let told = [overruling.error, ended.doing];
    let error = told.into_iter().flatten().collect::<Vec<_>>().join(" ");
    Outcome {
        status: overruling.status,
        reason: overruling.reason,
        error: Some(error),
        ..ended.outcome
    }
}
