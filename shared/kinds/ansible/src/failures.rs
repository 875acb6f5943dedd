//! What went wrong on each host.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How many failed hosts a record names.
pub const MAX_FAILURES: usize = 100;

/// Why a host failed: its first failure that was neither ignored nor rescued.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(default)]
pub struct HostFailure {
    /// The host's name in the inventory.
    pub host: String,
    /// The host that the task was delegated to.
    pub delegated_to: Option<String>,
    /// Whether a task failed or the host was unreachable.
    pub kind: FailureKind,
    /// The name of the play.
    pub play: Option<String>,
    /// The name of the task.
    pub task: String,
    /// The module or action of the task, such as `ansible.builtin.command`.
    pub action: Option<String>,
    /// The file that contains the task. Inside the job's source, the path is relative to the source.
    pub file: Option<String>,
    /// The line where the task starts, counted from 1.
    pub line: Option<u32>,
    /// The first item of the task's loop that failed.
    pub item: Option<String>,
    /// The message of the task. If it is longer than about 4000 characters, its middle is cut out.
    pub message: String,
    /// The exit code of the command or module; null if it is 0 or there is none.
    pub rc: Option<i64>,
    /// The last line that the command or module wrote to standard error.
    pub stderr: Option<String>,
    /// The last lines that the command or module wrote to standard error, at most 2 KiB of them.
    pub stderr_tail: Option<String>,
    /// The last line of standard output, if it failed with an exit code and wrote nothing to standard error.
    pub stdout: Option<String>,
    /// The failure that a rescue block was handling when this failure happened in the block.
    pub cause: Option<FailureCause>,
}

/// How a host failed.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// A task failed.
    #[default]
    Failed,
    /// The host could not be reached.
    Unreachable,
}

/// The failure that a failed rescue block was handling.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(default)]
pub struct FailureCause {
    /// The name of the task.
    pub task: String,
    /// The file that contains the task.
    pub file: Option<String>,
    /// The line where the task starts.
    pub line: Option<u32>,
    /// The message of the task.
    pub message: String,
    /// The exit code of the command or module; null if it is 0 or there is none.
    pub rc: Option<i64>,
    /// The last line that the command or module wrote to standard error.
    pub stderr: Option<String>,
    /// The last line of standard output, if it failed with an exit code and wrote nothing to standard error.
    pub stdout: Option<String>,
}
