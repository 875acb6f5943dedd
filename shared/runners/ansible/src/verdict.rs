//! From how Ansible ended to what became of the job, in words for the person who asks why.

use callboard_core::job::JobStatus;
use callboard_core::outcome::{HostStats, Outcome, Reason, Stats};

use crate::control::Exit;
use crate::pump::Findings;
use crate::track::Failure;

const SIGKILL: i32 = 9;
const MAX_MESSAGE_CHARS: usize = 1000;

/// Reads the end of a job.
pub(crate) fn outcome(exit: &Exit, findings: &Findings) -> Outcome {
    let stats = findings.tracker.stats_so_far();
    let ended = match exit {
        Exit::Code(0) => Outcome {
            status: JobStatus::Successful,
            reason: None,
            error: None,
            ..Outcome::failed(Reason::PlaybookFailed, "")
        },
        Exit::Code(rc) => {
            let (reason, error) = failure(*rc, findings);
            Outcome::failed(reason, error)
        }
        Exit::Signal(signal) => Outcome::failed(Reason::RunnerError, by_signal(*signal)),
        Exit::SupervisorLost(_) | Exit::NotStarted => {
            Outcome::failed(Reason::RunnerError, "The Ansible host died while it ran the job.")
        }
        Exit::Unstoppable(why) => Outcome::failed(Reason::RunnerError, format!("The job could not be stopped: {why}.")),
    };
    Outcome {
        rc: match exit {
            Exit::Code(rc) => Some(*rc),
            _ => None,
        },
        stats,
        inventory: findings.inventory.clone(),
        ..ended
    }
}

fn failure(rc: i32, findings: &Findings) -> (Reason, String) {
    if let Some(message) = &findings.source_error {
        return (Reason::SourceUnavailable, message.clone());
    }
    if let Some(message) = &findings.inventory_error {
        let told: String = message.chars().take(MAX_MESSAGE_CHARS).collect();
        return (
            Reason::InventoryInvalid,
            format!("The inventory could not be read: {told}"),
        );
    }
    if findings
        .inventory
        .as_ref()
        .is_some_and(|inventory| inventory.hosts == 0)
    {
        return (
            Reason::InventoryInvalid,
            "The inventory names no hosts; what Ansible printed says what it made of it.".to_owned(),
        );
    }
    if let Some(message) = &findings.error {
        return (Reason::PlaybookFailed, message.trim().to_owned());
    }
    let Some(stats) = &findings.tracker.stats else {
        return (
            Reason::PlaybookFailed,
            format!("ansible-playbook ended with exit code {rc}; its output says why."),
        );
    };
    let failures = &findings.tracker.failures;
    let failed = count(stats, |host| host.failures > 0);
    let dark = count(stats, |host| host.dark > 0);
    match (failed, dark) {
        (0, 0) => (
            Reason::PlaybookFailed,
            format!("ansible-playbook ended with exit code {rc}."),
        ),
        (0, dark) => (
            Reason::HostsUnreachable,
            told(dark, stats, "unreachable", failures, |host| host.dark > 0),
        ),
        (failed, dark) => {
            let what = if dark == 0 {
                "failed".to_owned()
            } else {
                format!("failed, {dark} unreachable")
            };
            (
                Reason::PlaybookFailed,
                told(failed, stats, &what, failures, |host| host.failures > 0),
            )
        }
    }
}

fn count(stats: &Stats, counts: impl Fn(&HostStats) -> bool) -> usize {
    stats.values().filter(|host| counts(host)).count()
}

fn told(
    number: usize,
    stats: &Stats,
    what: &str,
    failures: &[Failure],
    concerns: impl Fn(&HostStats) -> bool,
) -> String {
    let hosts = stats.len();
    let noun = if hosts == 1 { "host" } else { "hosts" };
    let summary = format!("{number} of {hosts} {noun} {what}");
    match failures
        .iter()
        .rev()
        .find(|failure| stats.get(&failure.host).is_some_and(&concerns))
    {
        Some(Failure { host, task, message }) if message.is_empty() => {
            format!("{summary}: {host} in task {task:?}.")
        }
        Some(Failure { host, task, message }) => format!("{summary}: {host} in task {task:?}: {message}"),
        None => format!("{summary}."),
    }
}

fn by_signal(signal: i32) -> String {
    if signal == SIGKILL {
        return "ansible-playbook was killed (SIGKILL), by the kernel for want of memory or by somebody.".to_owned();
    }
    format!("ansible-playbook was ended by signal {signal}.")
}
