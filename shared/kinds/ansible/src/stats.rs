//! What Ansible counted for each host.

use std::collections::BTreeMap;

use callboard_core::request::HostState;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Ansible's counts for one host, with Ansible's own names; `dark` means unreachable.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(default)]
pub struct HostStats {
    /// Tasks that succeeded, changed or not.
    pub ok: u32,
    /// Tasks that changed something.
    pub changed: u32,
    /// Tasks that failed.
    pub failures: u32,
    /// How many times the host was unreachable.
    pub dark: u32,
    /// Tasks that were skipped.
    pub skipped: u32,
    /// Tasks whose failure a rescue block handled.
    pub rescued: u32,
    /// Tasks whose failure was ignored.
    pub ignored: u32,
    /// 1 if Ansible processed the host.
    pub processed: u32,
}

impl HostStats {
    /// Returns how the job ended on the host.
    #[must_use]
    pub fn state(&self) -> HostState {
        match self {
            Self { failures: 1.., .. } => HostState::Failed,
            Self { dark: 1.., .. } => HostState::Unreachable,
            Self { processed: 0, .. } => HostState::NotReached,
            Self { changed: 1.., .. } => HostState::Changed,
            _ => HostState::Ok,
        }
    }
}

/// Counts by host name.
pub type Stats = BTreeMap<String, HostStats>;

/// Returns the limit that names these hosts and no other.
#[must_use]
pub fn limit_to(hosts: &[String]) -> String {
    match hosts {
        // a comma makes Ansible take even one name for a list, whatever characters it has
        [only] => format!("{only},"),
        several => several.join(","),
    }
}

/// How many unreached hosts a sentence names; the counts per host have all of them.
const MAX_HOSTS_NAMED: usize = 20;

/// Returns a sentence that says how many hosts a stopped job had reached, and names those it had not; `None` if it had reached all.
#[must_use]
pub fn reached(stats: &Stats) -> Option<String> {
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
