//! What the host reports about a job besides Ansible's events.

use std::path::Path;

use callboard_core::redact::Redactor;
use callboard_kind_ansible::detail::InventorySummary;
use callboard_kind_ansible::failures::{FailureCause, FailureKind, HostFailure};
use serde::Deserialize;

/// One note, as `events.tell` in the host writes it.
#[derive(Debug, Deserialize)]
#[serde(tag = "callboard", rename_all = "snake_case")]
pub(crate) enum Note {
    Inventory(InventorySummary),
    InventoryError {
        message: String,
    },
    /// The inventory names no hosts, so the playbook is not started.
    NoHosts,
    Hosts {
        names: Vec<String>,
    },
    /// The hosts on which the playbook has not come to its end; `None` if no limit can name them.
    Unfinished {
        names: Option<Vec<String>>,
    },
    SourceError {
        message: String,
    },
    AnsibleError {
        message: String,
        #[serde(default)]
        disk_full: bool,
    },
    Failure(Box<Told>),
    /// One of Ansible's own processes died while it ran a task.
    WorkerDied(DeadWorker),
    /// Ansible has displayed a warning.
    Warning {
        message: String,
    },
    /// Ansible has displayed that something will be gone.
    Deprecation {
        message: String,
    },
    /// Fields of the recap's event were too large for it.
    StatsDropped {
        names: Vec<String>,
    },
    /// A play has cleared the errors of a host.
    ErrorsCleared {
        host: String,
    },
}

/// A failure, with the place of its task in one text.
#[derive(Debug, Deserialize)]
pub(crate) struct Told {
    /// Whether it failed because the job's own folder had no room.
    #[serde(default)]
    pub(crate) disk_full: bool,
    kind: FailureKind,
    host: String,
    delegated_to: Option<String>,
    play: Option<String>,
    task: String,
    action: Option<String>,
    path: Option<String>,
    item: Option<String>,
    message: String,
    rc: Option<i64>,
    stderr: Option<String>,
    stderr_tail: Option<String>,
    stdout: Option<String>,
    cause: Option<Cause>,
}

#[derive(Debug, Deserialize)]
struct Cause {
    task: String,
    path: Option<String>,
    message: String,
    rc: Option<i64>,
    stderr: Option<String>,
    stdout: Option<String>,
}

/// A process that died, and what it was doing.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct DeadWorker {
    /// Its exit code; negative for a signal.
    pub(crate) exit_code: i32,
    pub(crate) host: String,
    pub(crate) task: String,
    pub(crate) path: Option<String>,
}

impl Note {
    /// Reads a line of the events pipe; returns `None` for an event.
    pub(crate) fn read(line: &[u8]) -> Option<Self> {
        if line.starts_with(br#"{"callboard""#) {
            serde_json::from_slice(line).ok()
        } else {
            None
        }
    }

    /// Returns the note without a job's secrets.
    pub(crate) fn redacted(self, redactor: &Redactor) -> Self {
        let clean = |text: String| redactor.text(&text);
        let all = |texts: Vec<String>| texts.into_iter().map(clean).collect();
        match self {
            Self::Inventory(summary) => Self::Inventory(InventorySummary {
                host_names: all(summary.host_names),
                group_hosts: summary
                    .group_hosts
                    .into_iter()
                    .map(|(name, hosts)| (clean(name), hosts))
                    .collect(),
                ..summary
            }),
            Self::InventoryError { message } => Self::InventoryError {
                message: clean(message),
            },
            Self::NoHosts => Self::NoHosts,
            Self::Hosts { names } => Self::Hosts { names: all(names) },
            Self::Unfinished { names } => Self::Unfinished { names: names.map(all) },
            Self::SourceError { message } => Self::SourceError {
                message: clean(message),
            },
            Self::AnsibleError { message, disk_full } => Self::AnsibleError {
                message: clean(message),
                disk_full,
            },
            Self::Failure(told) => Self::Failure(Box::new(told.redacted(redactor))),
            Self::WorkerDied(dead) => Self::WorkerDied(DeadWorker {
                host: clean(dead.host),
                task: clean(dead.task),
                path: dead.path.map(clean),
                exit_code: dead.exit_code,
            }),
            Self::Warning { message } => Self::Warning {
                message: clean(message),
            },
            Self::Deprecation { message } => Self::Deprecation {
                message: clean(message),
            },
            Self::StatsDropped { names } => Self::StatsDropped { names },
            Self::ErrorsCleared { host } => Self::ErrorsCleared { host: clean(host) },
        }
    }
}

impl Told {
    fn redacted(self, redactor: &Redactor) -> Self {
        let clean = |text: String| redactor.text(&text);
        let cause = self.cause.map(|cause| Cause {
            task: clean(cause.task),
            path: cause.path.map(clean),
            message: clean(cause.message),
            rc: cause.rc,
            stderr: cause.stderr.map(clean),
            stdout: cause.stdout.map(clean),
        });
        Self {
            disk_full: self.disk_full,
            kind: self.kind,
            host: clean(self.host),
            delegated_to: self.delegated_to.map(clean),
            play: self.play.map(clean),
            task: clean(self.task),
            action: self.action.map(clean),
            path: self.path.map(clean),
            item: self.item.map(clean),
            message: clean(self.message),
            rc: self.rc,
            stderr: self.stderr.map(clean),
            stderr_tail: self.stderr_tail.map(clean),
            stdout: self.stdout.map(clean),
            cause,
        }
    }
}

impl Told {
    /// Returns the failure; paths within the folder of the job's source become relative to it.
    pub(crate) fn located(self, root: &Path) -> HostFailure {
        let (file, line) = place(self.path.as_deref(), root);
        HostFailure {
            host: self.host,
            delegated_to: self.delegated_to,
            kind: self.kind,
            play: self.play,
            task: self.task,
            action: self.action,
            file,
            line,
            item: self.item,
            message: self.message,
            rc: self.rc,
            stderr: self.stderr,
            stderr_tail: self.stderr_tail,
            stdout: self.stdout,
            cause: self.cause.map(|cause| cause.located(root)),
        }
    }
}

impl Cause {
    fn located(self, root: &Path) -> FailureCause {
        let (file, line) = place(self.path.as_deref(), root);
        FailureCause {
            task: self.task,
            file,
            line,
            message: self.message,
            rc: self.rc,
            stderr: self.stderr,
            stdout: self.stdout,
        }
    }
}

/// Reads the place of a task, as Ansible writes it: `FILE:LINE`. A path within the folder of the job's source becomes relative to it.
pub(crate) fn place(path: Option<&str>, root: &Path) -> (Option<String>, Option<u32>) {
    let Some(path) = path else { return (None, None) };
    let (file, line) = match path.rsplit_once(':') {
        Some((file, line)) => (file, line.parse().ok()),
        None => (path, None),
    };
    let inside = Path::new(file).strip_prefix(root);
    (
        Some(inside.map_or_else(|_| file.to_owned(), |inside| inside.display().to_string())),
        line,
    )
}
