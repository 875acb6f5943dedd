//! What an Ansible job reports in addition to what every job reports: its progress and its outcome.

use std::collections::BTreeMap;

use callboard_core::base::object::Object;
use callboard_core::job::Outcome;
use callboard_core::request::{Messages, Reason};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::failures::HostFailure;
use crate::stats::Stats;

/// Ansible ran the playbook, or refused to, and reported a failure.
pub const PLAYBOOK_FAILED: Reason = Reason::new("playbook_failed");
/// No host failed, but some could not be reached.
pub const HOSTS_UNREACHABLE: Reason = Reason::new("hosts_unreachable");
/// The inventory could not be read or names no host.
pub const INVENTORY_INVALID: Reason = Reason::new("inventory_invalid");
/// The reasons that only Ansible jobs have.
pub const REASONS: &[Reason] = &[PLAYBOOK_FAILED, HOSTS_UNREACHABLE, INVENTORY_INVALID];

/// The current play and task, and the progress of the play's hosts.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[schema(as = Progress)]
pub struct PlayProgress {
    /// The commit that the job runs, if the source is a Git repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub commit: Option<String>,
    /// The name of the current play; null until there is one.
    pub current_play: Option<String>,
    /// The name of the current task; null until there is one.
    pub current_task: Option<String>,
    /// The number of hosts that have finished the current task.
    pub hosts_ok: u32,
    /// The number of hosts that failed or were unreachable in this play.
    pub hosts_failed: u32,
    /// The number of hosts that have not finished the current task yet.
    pub hosts_pending: u32,
}

/// What Ansible read from the inventory of a job.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
pub struct InventorySummary {
    /// The number of hosts.
    pub hosts: u64,
    /// The number of groups, without `all` and `ungrouped`.
    pub groups: u64,
    /// The number of hosts in each group, for the first 100 groups by name.
    pub group_hosts: BTreeMap<String, u64>,
    /// The names of the first 100 hosts.
    pub host_names: Vec<String>,
}

/// The outcome of an Ansible job, in addition to what every outcome has.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default)]
pub struct Detail {
    /// Exit code of `ansible-playbook`; if a signal ended it, 128 plus the signal's number.
    pub rc: Option<i32>,
    /// Counts per host; if the playbook did not run to its end, those of the tasks so far.
    pub stats: Option<Stats>,
    /// The commit that ran, if the source is a Git repository.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// What Ansible read from the inventory, if it got that far.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inventory: Option<InventorySummary>,
    /// The hosts on which the playbook has not come to its end; absent if that is not known, or no limit can name them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unfinished: Option<Vec<String>>,
    /// What went wrong on each host, in the order in which it happened; at most [`MAX_FAILURES`](crate::failures::MAX_FAILURES).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub failures: Vec<HostFailure>,
    /// What `set_stats` set for the run, if the record has room for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<Map<String, Value>>,
    /// Whether it has none.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub output_truncated: bool,
    /// The warnings that Ansible displayed.
    #[serde(skip_serializing_if = "Messages::is_empty")]
    pub warnings: Messages,
    /// The deprecations that Ansible displayed.
    #[serde(skip_serializing_if = "Messages::is_empty")]
    pub deprecations: Messages,
}

impl Detail {
    /// Reads the detail of an outcome; returns an empty one if another release wrote it in a different form.
    #[must_use]
    pub fn of(outcome: &Outcome) -> Self {
        outcome.detail.read().unwrap_or_default()
    }

    /// Returns the outcome with this detail.
    #[must_use]
    pub fn onto(&self, outcome: Outcome) -> Outcome {
        Outcome {
            detail: Object::of(self),
            ..outcome
        }
    }
}
