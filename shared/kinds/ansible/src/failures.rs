//! What went wrong on each host.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

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
    /// The task's message. If it is longer than about 4000 characters, its middle is cut out.
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
