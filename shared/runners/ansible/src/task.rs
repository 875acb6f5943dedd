//! One job that is being prepared: what it is, and what it is prepared with.

use std::path::Path;
use std::sync::Arc;

use callboard_core::credential::Credential;
use callboard_core::job::Job;
use callboard_kind_ansible::repository::RepoUrl;
use callboard_kind_ansible::request::AnsibleRequest;
use callboard_kind_ansible::source::GitSource;

use crate::git::{Repositories, Wanted};
use crate::keys::Keys;
use crate::reach::Reach;
use crate::room::Room;
use crate::settings::AnsibleSettings;
use crate::unready::Unready;
use crate::workspace::Workspace;

/// A job to prepare. `command.rs` prepares it; `material.rs` gets its source, and `inventory.rs` its inventory.
pub(crate) struct Task<'a> {
    pub(crate) settings: &'a AnsibleSettings,
    pub(crate) reach: &'a Reach,
    pub(crate) repositories: &'a Repositories,
    pub(crate) job: &'a Job,
    pub(crate) request: &'a AnsibleRequest,
    pub(crate) keys: &'a Keys,
    pub(crate) workspace: &'a Workspace,
    /// The room that is left for fetched files.
    pub(crate) room: Arc<Room>,
}

impl<'a> Task<'a> {
    /// Returns the tree to fetch from a repository that the request names, if it may be fetched.
    pub(crate) fn wanted(&'a self, git: GitSource<'a>, scratch: &'a Path) -> Result<Wanted<'a>, Unready> {
        let wrong = |wrong| Unready::source(format!("The repository's address {wrong}."));
        let access = match self.keys.find(git.credential) {
            Some(Credential::Git(access)) => Some(access),
            _ => None,
        };
        let wanted = Wanted {
            reach: self.reach,
            tenant: &self.job.tenant,
            repo: RepoUrl::parse(git.repo).map_err(wrong)?,
            revision: git.branch,
            access,
            identity: serde_json::to_string(&git.credential).unwrap_or_default(),
            submodules: git.submodules,
            scratch,
            room: &self.room,
            owner: self.workspace.owner(),
        };
        wanted.check()?;
        Ok(wanted)
    }
}
