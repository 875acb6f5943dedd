//! How a job ended: status, reason, error, and what Ansible counted.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::brief::brief;
use crate::job::JobStatus;
use crate::progress::Progress;

/// Why a job failed or was canceled.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// Ansible ran the playbook, or refused it, and said that it failed.
    PlaybookFailed,
    /// No host failed, but some could not be reached.
    HostsUnreachable,
    /// The playbook could not be had.
    SourceUnavailable,
    /// The inventory could not be read or names no host.
    InventoryInvalid,
    /// A credential that the job names could not be had.
    CredentialUnavailable,
    /// The request cannot be carried out as it stands.
    RequestInvalid,
    /// The job ran longer than its `timeout`.
    Timeout,
    /// The job printed nothing for longer than its `idle_timeout`.
    IdleTimeout,
    /// The worker's own time was over.
    Deadline,
    /// The kernel ended the job because memory ran out.
    OutOfMemory,
    /// The worker stopped reporting.
    Lost,
    /// It waited for so long that the queue may have forgotten it.
    Undeliverable,
    /// The service was stopped while the job ran.
    Shutdown,
    /// Something around Ansible broke.
    RunnerError,
    /// Somebody asked for it.
    CanceledByRequest,
}

impl Reason {
    /// Returns the word that stands for the reason everywhere.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PlaybookFailed => "playbook_failed",
            Self::HostsUnreachable => "hosts_unreachable",
            Self::SourceUnavailable => "source_unavailable",
            Self::InventoryInvalid => "inventory_invalid",
            Self::CredentialUnavailable => "credential_unavailable",
            Self::RequestInvalid => "request_invalid",
            Self::Timeout => "timeout",
            Self::IdleTimeout => "idle_timeout",
            Self::Deadline => "deadline",
            Self::OutOfMemory => "out_of_memory",
            Self::Lost => "lost",
            Self::Undeliverable => "undeliverable",
            Self::Shutdown => "shutdown",
            Self::RunnerError => "runner_error",
            Self::CanceledByRequest => "canceled_by_request",
        }
    }

    /// Tells whether another attempt may end differently, because the playbook was not what failed.
    #[must_use]
    pub fn is_retryable(self) -> bool {
        matches!(
            self,
            Self::Lost | Self::RunnerError | Self::Shutdown | Self::OutOfMemory
        )
    }
}

/// What Ansible counted for one host, by Ansible's own names; `dark` means unreachable.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(default)]
pub struct HostStats {
    /// Tasks that succeeded, changed or not.
    pub ok: u32,
    /// Tasks that changed something.
    pub changed: u32,
    /// Tasks that failed.
    pub failures: u32,
    /// Times that the host was unreachable.
    pub dark: u32,
    /// Tasks that were skipped.
    pub skipped: u32,
    /// Tasks whose failure a rescue block handled.
    pub rescued: u32,
    /// Tasks whose failure was ignored.
    pub ignored: u32,
    /// 1 for a host that was worked on.
    pub processed: u32,
}

/// Counts by host name.
pub type Stats = BTreeMap<String, HostStats>;

/// What Ansible made of a job's inventory.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
pub struct InventorySummary {
    /// How many hosts there are.
    pub hosts: u64,
    /// How many groups there are, `all` and `ungrouped` not among them.
    pub groups: u64,
    /// How many hosts each group has; the first 100 groups by name.
    pub group_hosts: BTreeMap<String, u64>,
    /// The names of the first 100 hosts.
    pub host_names: Vec<String>,
}

/// How many failed hosts a record names.
pub const MAX_FAILURES: usize = 100;

/// What went wrong on a host: its first failure that was neither ignored nor rescued.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(default)]
pub struct HostFailure {
    /// The host's name in the inventory.
    pub host: String,
    /// The host that the task was delegated to.
    pub delegated_to: Option<String>,
    /// What became of the host.
    pub kind: FailureKind,
    /// The name of the play.
    pub play: Option<String>,
    /// The name of the task.
    pub task: String,
    /// What the task calls, such as `ansible.builtin.command`.
    pub action: Option<String>,
    /// The file that the task is in; within the job's source, its path from there.
    pub file: Option<String>,
    /// The line at which the task begins, counted from 1.
    pub line: Option<u32>,
    /// The item of the task's loop that failed first.
    pub item: Option<String>,
    /// What the task said; at most 4000 characters and a little, without its middle where it is longer.
    pub message: String,
    /// The exit code of the command or module, unless 0.
    pub rc: Option<i64>,
    /// The last line that it wrote to standard error.
    pub stderr: Option<String>,
    /// The last line of its standard output, where it failed with an exit code and nothing on standard error.
    pub stdout: Option<String>,
    /// The failure that a rescue block was handling when this one happened in it.
    pub cause: Option<FailureCause>,
}

/// What became of a host that failed.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// A task failed.
    #[default]
    Failed,
    /// The host could not be reached.
    Unreachable,
}

/// The failure behind a failed rescue.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(default)]
pub struct FailureCause {
    /// The name of the task.
    pub task: String,
    /// The file that the task is in.
    pub file: Option<String>,
    /// The line at which the task begins.
    pub line: Option<u32>,
    /// What the task said.
    pub message: String,
    /// The exit code of the command or module, unless 0.
    pub rc: Option<i64>,
    /// The last line that it wrote to standard error.
    pub stderr: Option<String>,
    /// The last line of its standard output, where it failed with an exit code and nothing on standard error.
    pub stdout: Option<String>,
}

/// The end of a job, or of one attempt at it.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Outcome {
    /// One of the three final states.
    pub status: JobStatus,
    /// Present unless successful.
    pub reason: Option<Reason>,
    /// A sentence for a person; present unless successful.
    pub error: Option<String>,
    /// The exit code of `ansible-playbook`; 128 and the number of the signal that ended it, as a shell has it.
    pub rc: Option<i32>,
    /// Counts per host, if the playbook came to its end.
    pub stats: Option<Stats>,
    /// The commit that ran, where the source is a Git repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// What Ansible made of the inventory, if it came to that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inventory: Option<InventorySummary>,
    /// What went wrong, by host, in the order in which it happened; at most [`MAX_FAILURES`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failures: Vec<HostFailure>,
    /// How far the job had come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<Progress>,
}

impl Outcome {
    /// Returns the error's first 300 characters, for lists.
    #[must_use]
    pub fn brief_error(&self) -> Option<String> {
        self.error.as_deref().map(brief)
    }

    /// Makes the outcome of a job that did not come to an exit code.
    #[must_use]
    pub fn failed(reason: Reason, error: impl Into<String>) -> Self {
        Self {
            status: JobStatus::Failed,
            reason: Some(reason),
            error: Some(error.into()),
            rc: None,
            stats: None,
            commit: None,
            inventory: None,
            failures: Vec::new(),
            progress: None,
        }
    }
}
