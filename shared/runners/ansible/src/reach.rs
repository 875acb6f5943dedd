//! What jobs may reach beyond the worker, and by which means.

use std::sync::Arc;
use std::time::Duration;

use callboard_core::credential::{HostKeyStore, Secrets};
use callboard_core::run::ArchiveCache;
use callboard_kind_ansible::policy::AnsiblePolicy;

/// What the runner gets sources, inventories and secrets with.
#[derive(Clone)]
pub struct Reach {
    /// What Ansible's requests may reach.
    pub policy: Arc<AnsiblePolicy>,
    /// Where secrets come from.
    pub secrets: Arc<dyn Secrets>,
    /// What was fetched before.
    pub archives: Arc<dyn ArchiveCache>,
    /// The host keys that earlier jobs have accepted.
    pub host_keys: Arc<dyn HostKeyStore>,
    /// What bounds a fetch.
    pub limits: FetchLimits,
}

/// What bounds the fetching of a source, of its requirements and of an inventory.
#[derive(Clone, Copy, Debug)]
pub struct FetchLimits {
    /// How long each step may take.
    pub timeout: Duration,
    /// How large the pack of a repository, and its tree, may be.
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
