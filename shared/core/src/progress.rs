//! How far a running job has come.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The present play and task, and what became of the play's hosts.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
pub struct Progress {
    /// The commit that runs, where the source is a Git repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub commit: Option<String>,
    /// The name of the play, once there is one.
    pub current_play: Option<String>,
    /// The name of the task, once there is one.
    pub current_task: Option<String>,
    /// Hosts that have done the present task.
    pub hosts_ok: u32,
    /// Hosts that failed or were unreachable in this play.
    pub hosts_failed: u32,
    /// Hosts that have yet to do the present task.
    pub hosts_pending: u32,
}
