//! What a job ended with: what its runner found, and what overrules that.

use crate::execute::StopReason;
use crate::job::canceled;
use crate::outcome::{Outcome, Reason, Stats};
use crate::ports::Ended;

/// How many hosts that were not reached an error names; the counts per host have them all.
const MAX_HOSTS_NAMED: usize = 20;

/// What a job's end means once it is known why it was stopped, if it was.
pub(crate) fn verdict(ended: Ended, stop: Option<StopReason>) -> Outcome {
    let Some(stop) = stop else { return ended.outcome };
    let verdict = match stop {
        StopReason::Canceled(cancel) => canceled(&cancel),
        StopReason::Timeout(limit) => Outcome::failed(
            Reason::Timeout,
            format!(
                "The job ran longer than its timeout of {} s and was stopped.",
                limit.as_secs()
            ),
        ),
        StopReason::IdleTimeout(limit) => Outcome::failed(
            Reason::IdleTimeout,
            format!(
                "The job printed nothing for {} s, its idle timeout, and was stopped.",
                limit.as_secs()
            ),
        ),
        StopReason::Deadline => Outcome::failed(
            Reason::Deadline,
            "The worker's time was over before the job had ended, so it was stopped.",
        ),
        StopReason::Shutdown | StopReason::LeaseLost => {
            Outcome::failed(Reason::Shutdown, "The service was shut down while the job ran.")
        }
    };
    let reached = ended.outcome.stats.as_ref().and_then(reached);
    let told = [verdict.error, ended.doing, reached];
    let error = told.into_iter().flatten().collect::<Vec<_>>().join(" ");
    Outcome {
        status: verdict.status,
        reason: verdict.reason,
        error: Some(error),
        ..ended.outcome
    }
}

/// Tells which hosts a job that was stopped had reached, and which it had not.
fn reached(stats: &Stats) -> Option<String> {
    let reached = stats.values().filter(|host| host.processed > 0).count();
    let mut missed = stats
        .iter()
        .filter(|(_, host)| host.processed == 0)
        .map(|(name, _)| name.as_str());
    let first: Vec<&str> = missed.by_ref().take(MAX_HOSTS_NAMED).collect();
    if first.is_empty() {
        return None;
    }
    let more = match missed.count() {
        0 => String::new(),
        number => format!(" and {number} more"),
    };
    let (all, names) = (stats.len(), first.join(", "));
    let was = if reached == 1 { "was" } else { "were" };
    let noun = if all == 1 { "host" } else { "hosts" };
    Some(format!(
        "{reached} of {all} {noun} {was} reached; not reached: {names}{more}."
    ))
}
