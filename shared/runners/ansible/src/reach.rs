//! What jobs may reach beyond the worker, and by what means.

use std::sync::Arc;
use std::time::Duration;

use callboard_core::credential::{HostKeyStore, Secrets};
use callboard_core::run::ArchiveCache;
use callboard_kind_ansible::policy::AnsiblePolicy;

/// What the runner uses to get sources, inventories and secrets.
#[derive(Clone)]
pub struct Reach {
    /// What requests to Ansible may reach.
    pub policy: Arc<AnsiblePolicy>,
    /// Where secrets come from.
    pub secrets: Arc<dyn Secrets>,
    /// What was fetched before.
    pub archives: Arc<dyn ArchiveCache>,
    /// The host keys that earlier jobs have accepted.
    pub host_keys: Arc<dyn HostKeyStore>,
    /// The limits of a fetch.
    pub limits: FetchLimits,
}

/// The limits for fetching a source, its requirements, and an inventory.
#[derive(Clone, Copy, Debug)]
pub struct FetchLimits {
    /// How long each step may take.
    pub timeout: Duration,
    /// The maximum size of a repository's pack, and of its tree, in bytes.
    pub max_bytes: u64,
}

impl Default for FetchLimits {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(300),
            max_bytes: 1 << 30,
        }
    }
}
