//! Turns how Ansible ended into the job's outcome, in words for the person who asks why.

use std::path::Path;

use callboard_core::base::object::Object;
use callboard_core::job::{JobStatus, Outcome};
use callboard_core::request::Reason;
use callboard_kind_ansible::detail::{Detail, HOSTS_UNREACHABLE, INVENTORY_INVALID, PLAYBOOK_FAILED};
use callboard_kind_ansible::failures::FailureKind;
use callboard_kind_ansible::stats::{HostStats, Stats};

use crate::control::Exit;
use crate::failures;
use crate::findings::Findings;
use crate::notes::{DeadWorker, place};

const SIGKILL: i32 = 9;
/// What a shell adds to the number of the signal that ended a program.
const BY_SIGNAL: i32 = 128;
const WANT_OF_MEMORY: &str = "the kernel killed a process during the job because memory ran out";
/// How many hosts a sentence names.
const MAX_HOSTS_NAMED: usize = 5;
const MAX_MESSAGE_CHARS: usize = 1000;

/// How a job ended, and what was learned on the way.
pub(crate) struct End<'a> {
    pub(crate) exit: &'a Exit,
    pub(crate) findings: &'a Findings,
    /// Whether the signal that ended the job, if any, was ours.
    pub(crate) stopped: bool,
    /// The folder that holds the folders of running jobs.
    pub(crate) work: &'a Path,
    /// The folder of the job's source.
    pub(crate) root: &'a Path,
    /// Whether the kernel killed a process because memory ran out while the job ran.
    pub(crate) out_of_memory: bool,
}

impl End<'_> {
    /// Returns the outcome of the job.
    pub(crate) fn outcome(&self) -> Outcome {
        let tracker = &self.findings.tracker;
        let (ended, failures) = match self.verdict() {
            None => (Outcome::successful(), Vec::new()),
            Some((reason, error)) => (Outcome::failed(reason, error), self.findings.failures.all().to_vec()),
        };
        let stats = match ended.status {
            JobStatus::Successful => tracker.stats_so_far().cloned(),
            _ => tracker.stats_of_failure(self.findings.unfinished.as_deref().unwrap_or_default()),
        };
        let detail = Detail {
            rc: match self.exit {
                Exit::Code(rc) => Some(*rc),
                Exit::Signal(signal) if !self.stopped => Some(BY_SIGNAL + signal),
                _ => None,
            },
            stats,
            inventory: self.findings.inventory.clone(),
            unfinished: self.findings.unfinished.clone(),
            failures,
            commit: tracker.commit.clone(),
            output: tracker.output.clone(),
            output_truncated: tracker.output_truncated,
            warnings: self.findings.warnings.clone(),
            deprecations: self.findings.deprecations.clone(),
        };
        Outcome {
            progress: Some(Object::of(&tracker.progress())),
            ..detail.onto(ended)
        }
    }

    fn verdict(&self) -> Option<(Reason, String)> {
        match self.exit {
            Exit::Code(0) => None,
            Exit::Code(rc) => Some(self.failure(*rc)),
            Exit::Signal(signal) => Some(self.by_signal(*signal)),
            Exit::SupervisorLost(_) => Some(self.broken("The Ansible host died while it ran the job")),
            Exit::NotStarted | Exit::NotForked(_) => Some(self.broken("The Ansible host died before it began the job")),
            Exit::Unstoppable(why) => Some((Reason::RUNNER_ERROR, format!("The job could not be stopped: {why}."))),
        }
    }

    /// Returns the verdict that something around Ansible broke: because memory ran out, if the kernel has killed a process meanwhile.
    fn broken(&self, what: &str) -> (Reason, String) {
        if self.out_of_memory {
            let cure = "Give the worker more memory, or the job fewer forks";
            return (Reason::OUT_OF_MEMORY, format!("{what}; {WANT_OF_MEMORY}. {cure}."));
        }
        (Reason::RUNNER_ERROR, format!("{what}."))
    }

    fn by_signal(&self, signal: i32) -> (Reason, String) {
        if signal != SIGKILL {
            return (
                Reason::RUNNER_ERROR,
                format!("ansible-playbook was ended by signal {signal}."),
            );
        }
        self.broken("ansible-playbook was killed (SIGKILL)")
    }

    fn failure(&self, rc: i32) -> (Reason, String) {
        let findings = self.findings;
        if let Some(worker) = &findings.dead_worker {
            return self.broken(&dead(worker, self.root));
        }
        if let Some(full) = self.full_folder() {
            return (Reason::RUNNER_ERROR, full);
        }
        if let Some(message) = &findings.source_error {
            return (Reason::SOURCE_UNAVAILABLE, message.clone());
        }
        if let Some(message) = &findings.inventory_error {
            let told: String = message.chars().take(MAX_MESSAGE_CHARS).collect();
            return (INVENTORY_INVALID, format!("The inventory could not be read: {told}"));
        }
        if findings.no_hosts {
            return (
                INVENTORY_INVALID,
                "The inventory names no hosts; Ansible's output says how it read the inventory.".to_owned(),
            );
        }
        if let Some(message) = &findings.error {
            let from = format!(" In {}/", self.root.display());
            return (PLAYBOOK_FAILED, message.trim().replace(&from, " In "));
        }
        self.failed_hosts(rc)
    }

    fn failed_hosts(&self, rc: i32) -> (Reason, String) {
        let Some(stats) = &self.findings.tracker.stats else {
            return self.without_stats(rc);
        };
        let failed = which(stats, |host| host.failures > 0);
        let dark = which(stats, |host| host.dark > 0);
        match (failed.len(), dark.len()) {
            (0, 0) => (PLAYBOOK_FAILED, format!("ansible-playbook ended with exit code {rc}.")),
            (0, _) => (
                HOSTS_UNREACHABLE,
                self.told(&of(&dark, stats, "unreachable"), FailureKind::Unreachable),
            ),
            (_, 0) => (
                PLAYBOOK_FAILED,
                self.told(&of(&failed, stats, "failed"), FailureKind::Failed),
            ),
            (_, _) => {
                let more = format!(", {} unreachable{}", dark.len(), named(&dark));
                let summary = of(&failed, stats, "failed") + &more;
                (PLAYBOOK_FAILED, self.told(&summary, FailureKind::Failed))
            }
        }
    }

    /// Returns the verdict without counts: a strategy that gives up, as `debug` does without a terminal, leaves none.
    fn without_stats(&self, rc: i32) -> (Reason, String) {
        let error = format!("ansible-playbook ended with exit code {rc}");
        let kinds = [
            (FailureKind::Failed, PLAYBOOK_FAILED),
            (FailureKind::Unreachable, HOSTS_UNREACHABLE),
        ];
        let first = |(kind, reason)| Some((reason, self.findings.failures.first(kind)?));
        match kinds.into_iter().find_map(first) {
            Some((reason, failure)) => (reason, format!("{error}: {}", failures::told(failure))),
            None => (PLAYBOOK_FAILED, format!("{error}; its output says why.")),
        }
    }

    fn told(&self, summary: &str, kind: FailureKind) -> String {
        match self.findings.failures.first(kind) {
            Some(failure) if self.out_of_memory && failure.rc.is_some_and(|rc| failures::KILLED.contains(&rc)) => {
                format!("{summary}: {}; {WANT_OF_MEMORY}.", failures::told(failure))
            }
            Some(failure) => format!("{summary}: {}", failures::told(failure)),
            None => format!("{summary}."),
        }
    }

    /// Returns the message that the folder for running jobs was full, if everything began with that.
    fn full_folder(&self) -> Option<String> {
        let message: String = self
            .findings
            .disk_full
            .as_ref()?
            .chars()
            .take(MAX_MESSAGE_CHARS)
            .collect();
        let work = self.work.display();
        Some(format!(
            "The folder for running jobs, {work}, is full; make room, or choose another with --work. {message}"
        ))
    }
}

fn dead(worker: &DeadWorker, root: &Path) -> String {
    let how = match worker.exit_code {
        code if code == -SIGKILL => "was killed (SIGKILL)".to_owned(),
        code if code < 0 => format!("was ended by signal {}", -code),
        code => format!("ended with exit code {code}"),
    };
    let (file, line) = place(worker.path.as_deref(), root);
    let place = failures::place(file.as_deref(), line);
    format!(
        "Ansible's process for {} in task {:?}{place} {how}",
        worker.host, worker.task
    )
}

fn of(which: &[&str], stats: &Stats, what: &str) -> String {
    let (number, hosts) = (which.len(), stats.len());
    let noun = if hosts == 1 { "host" } else { "hosts" };
    format!("{number} of {hosts} {noun} {what}{}", named(which))
}

/// Names hosts, if there are several; if there is only one, the sentence says more about it anyway.
fn named(hosts: &[&str]) -> String {
    if hosts.len() < 2 {
        return String::new();
    }
    let named = hosts[..hosts.len().min(MAX_HOSTS_NAMED)].join(", ");
    match hosts.len().saturating_sub(MAX_HOSTS_NAMED) {
        0 => format!(" ({named})"),
        more => format!(" ({named} and {more} more)"),
    }
}

fn which(stats: &Stats, counts: impl Fn(&HostStats) -> bool) -> Vec<&str> {
    let found = stats.iter().filter(|(_, host)| counts(host));
    found.map(|(name, _)| name.as_str()).collect()
}
