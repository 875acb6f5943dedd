//! Trees of Git repositories: finds the commit that a name means, fetches it once, keeps it as an archive, and unpacks it for
//! each job.

mod client;
mod login;
mod submodules;
mod words;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use callboard_core::base::id::Tenant;
use callboard_core::credential::GitAccess;
use callboard_kind_ansible::policy::git_refusal;
use callboard_kind_ansible::repository::{RepoUrl, is_commit};
use uuid::Uuid;

use self::client::Client;
use crate::archive;
use crate::digest::digest;
use crate::owner::Owner;
use crate::reach::Reach;
use crate::room::Room;
use crate::unready::Unready;

/// How deep submodules may be nested.
const MAX_DEPTH: u32 = 5;

/// Fetches trees; for each commit, one fetch at a time.
#[derive(Default)]
pub(crate) struct Repositories(Mutex<HashMap<String, Weak<tokio::sync::Mutex<()>>>>);

/// A tree to fetch.
#[derive(Clone)]
pub(crate) struct Wanted<'a> {
    pub(crate) reach: &'a Reach,
    pub(crate) tenant: &'a Tenant,
    pub(crate) repo: RepoUrl,
    /// A branch, a tag or a commit.
    pub(crate) revision: Option<&'a str>,
    pub(crate) access: Option<&'a GitAccess>,
    /// Distinguishes credentials for the same repository.
    pub(crate) identity: String,
    pub(crate) submodules: bool,
    /// The folder to work in; it is wiped with the job's.
    pub(crate) scratch: &'a Path,
    pub(crate) room: &'a Arc<Room>,
    /// The user whom the job belongs to, unless that is the service's.
    pub(crate) owner: Option<&'a Owner>,
}

impl Wanted<'_> {
    /// Checks that the tree may be fetched.
    pub(crate) fn check(&self) -> Result<(), Unready> {
        if self.reach.policy.repository(&self.repo).is_none() {
            return Err(Unready::source(format!("The repository {}.", git_refusal(&self.repo))));
        }
        let bound = self.access.filter(|access| !access.hosts.is_empty());
        let host = self.repo.host();
        if bound.is_some_and(|access| !access.hosts.contains(&host)) {
            return Err(Unready::credential(format!(
                "The credential for {} may not be used for the host {host}.",
                self.repo
            )));
        }
        Ok(())
    }

    fn key(&self, commit: &str) -> String {
        let parts = [self.tenant.as_str(), self.repo.as_str(), &self.identity];
        format!("git/{}/{commit}", digest(parts.map(str::as_bytes)))
    }
}

impl Repositories {
    /// Puts a tree into a folder and returns the id of its commit.
    ///
    /// A name costs one `ls-remote`; a commit that the cache does not have, one shallow fetch.
    pub(crate) async fn checkout(&self, wanted: &Wanted<'_>, folder: &Path) -> Result<String, Unready> {
        self.checkout_at(wanted, folder, MAX_DEPTH).await
    }

    async fn checkout_at(&self, wanted: &Wanted<'_>, folder: &Path, depth: u32) -> Result<String, Unready> {
        let client = Client::new(wanted).await?;
        let (commit, name) = match wanted.revision.filter(|revision| is_commit(revision)) {
            Some(commit) => (commit.to_owned(), None),
            None => client.resolve().await?,
        };
        let tree = self.archive(wanted, &client, &commit, name.as_deref()).await?;
        let unreadable = |error| {
            Unready::source(format!(
                "The content of {} at {commit} cannot be used: {error}.",
                wanted.repo
            ))
        };
        let room = Arc::clone(wanted.room);
        archive::unpack(tree, folder.to_owned(), room)
            .await
            .map_err(unreadable)?;
        if wanted.submodules {
            self.add_submodules(wanted, &client, &commit, folder, depth).await?;
        }
        Ok(commit)
    }

    /// Returns the archive of a commit, from the cache if it is there.
    async fn archive(
        &self,
        wanted: &Wanted<'_>,
        client: &Client<'_>,
        commit: &str,
        name: Option<&str>,
    ) -> Result<PathBuf, Unready> {
        let key = format!("{}.tar", wanted.key(commit));
        let lock = self.lock(&key);
        let _one_at_a_time = lock.lock().await;
        let scratch = wanted.scratch.join(format!("archive-{}", Uuid::new_v4().simple()));
        std::fs::create_dir(&scratch)?;
        if let Some(found) = archive::cached(&*wanted.reach.archives, &key, &scratch).await {
            return Ok(found.path);
        }
        let archive = scratch.join("tree.tar");
        client.fetch(commit, name).await?;
        client.export(commit, &archive).await?;
        if let Err(error) = wanted.reach.archives.put(&key, &archive).await {
            tracing::warn!(error = %callboard_core::base::causes::causes(&error), "a source could not be cached");
        }
        Ok(archive)
    }

    fn lock(&self, key: &str) -> Arc<tokio::sync::Mutex<()>> {
        let mut locks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        locks.retain(|_, lock| lock.strong_count() > 0);
        let lock = locks.get(key).and_then(Weak::upgrade).unwrap_or_default();
        locks.insert(key.to_owned(), Arc::downgrade(&lock));
        lock
    }
}
