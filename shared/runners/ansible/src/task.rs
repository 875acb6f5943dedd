//! One job that is got ready: what it is, and what it is got ready with.

use std::sync::Arc;

use callboard_core::job::Job;
use callboard_kind_ansible::request::AnsibleRequest;

use crate::git::Repositories;
use crate::keys::Keys;
use crate::reach::Reach;
use crate::room::Room;
use crate::settings::AnsibleSettings;
use crate::workspace::Workspace;

/// A job to get ready. `command.rs` does it; `material.rs` gets its source, `inventory.rs` its inventory.
pub(crate) struct Task<'a> {
    pub(crate) settings: &'a AnsibleSettings,
    pub(crate) reach: &'a Reach,
    pub(crate) repositories: &'a Repositories,
    pub(crate) job: &'a Job,
    pub(crate) request: &'a AnsibleRequest,
    pub(crate) keys: &'a Keys,
    pub(crate) workspace: &'a Workspace,
    /// What is left of the room for what is fetched.
    pub(crate) room: Arc<Room>,
}
