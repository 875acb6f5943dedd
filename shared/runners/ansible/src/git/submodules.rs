//! Submodules: trees of other repositories, each at the commit that the outer tree names.

use std::path::Path;

use callboard_kind_ansible::repository::is_commit;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::client::Client;
use super::{Repositories, Wanted};
use crate::archive;
use crate::unready::Unready;

/// How many submodules a commit may have; more are refused.
const MAX_SUBMODULES: usize = 100;

/// One submodule, as a commit names it.
#[derive(Debug, Deserialize, Serialize)]
struct Submodule {
    path: String,
    url: String,
    commit: String,
}

impl Repositories {
    /// Puts the submodules of a commit into its unpacked tree, and their own submodules into theirs.
    pub(super) async fn add_submodules(
        &self,
        wanted: &Wanted<'_>,
        client: &Client<'_>,
        commit: &str,
        folder: &Path,
        depth: u32,
    ) -> Result<(), Unready> {
        for submodule in self.list(wanted, client, commit).await? {
            let broken = |wrong: &str| {
                Unready::source(format!(
                    "The submodule {:?} of {} {wrong}.",
                    submodule.path, wanted.repo
                ))
            };
            if depth == 0 {
                return Err(broken("lies too deep in other submodules"));
            }
            let repo = wanted
                .repo
                .submodule(&submodule.url)
                .map_err(|wrong| broken(&format!("has an address that {wrong}")))?;
            let inner = Wanted {
                repo,
                revision: Some(&submodule.commit),
                ..wanted.clone()
            };
            inner.check()?;
            let place = archive::inside(folder, &submodule.path).ok_or_else(|| broken("is no folder of the tree"))?;
            Box::pin(self.checkout_at(&inner, &place, depth - 1)).await?;
        }
        Ok(())
    }

    /// Returns the submodules of a commit; the cache keeps the list beside the tree.
    async fn list(&self, wanted: &Wanted<'_>, client: &Client<'_>, commit: &str) -> Result<Vec<Submodule>, Unready> {
        let key = format!("{}.submodules", wanted.key(commit));
        let scratch = wanted.scratch.join(format!("archive-{}", Uuid::new_v4().simple()));
        std::fs::create_dir(&scratch)?;
        if let Ok(Some(found)) = wanted.reach.archives.get(&key, &scratch).await
            && let Ok(list) = serde_json::from_slice(&std::fs::read(found.path)?)
        {
            return Ok(list);
        }
        if !client.has_fetched() {
            client.fetch(commit, None).await?;
        }
        let list = read(client, commit).await.map_err(|error| client.unreachable(error))?;
        if list.len() > MAX_SUBMODULES {
            return Err(Unready::source(format!(
                "The repository {} has more than {MAX_SUBMODULES} submodules.",
                wanted.repo
            )));
        }
        let file = scratch.join("submodules.json");
        std::fs::write(&file, serde_json::to_vec(&list).map_err(std::io::Error::from)?)?;
        drop(wanted.reach.archives.put(&key, &file).await);
        Ok(list)
    }
}

async fn read(client: &Client<'_>, commit: &str) -> Result<Vec<Submodule>, callboard_process::program::ProgramError> {
    let entries = client.ask(&["ls-tree", "-r", "-z", commit]).await?;
    let entries = String::from_utf8_lossy(&entries);
    let links: Vec<(String, String)> = entries.split('\0').filter_map(link).collect();
    if links.is_empty() {
        return Ok(Vec::new());
    }
    let blob = format!("{commit}:.gitmodules");
    let settings = client
        .ask(&["config", "-z", "--blob", &blob, "--get-regexp", r"^submodule\."])
        .await?;
    let settings = String::from_utf8_lossy(&settings);
    let value = |name: &str, key: &str| {
        let full = format!("submodule.{name}.{key}\n");
        settings
            .split('\0')
            .find_map(|setting| setting.strip_prefix(&full))
            .map(str::to_owned)
    };
    let names = settings.split('\0').filter_map(|setting| {
        setting
            .split_once('\n')?
            .0
            .strip_prefix("submodule.")?
            .strip_suffix(".path")
    });
    let found = names.filter_map(|name| {
        let path = value(name, "path")?;
        let commit = links.iter().find(|(link, _)| *link == path)?.1.clone();
        Some(Submodule {
            path,
            url: value(name, "url")?,
            commit,
        })
    });
    Ok(found.collect())
}

/// Reads an entry of `ls-tree`: `160000 commit ID\tPATH` is a submodule.
fn link(entry: &str) -> Option<(String, String)> {
    let (about, path) = entry.split_once('\t')?;
    let commit = about.strip_prefix("160000 commit ")?;
    is_commit(commit).then(|| (path.to_owned(), commit.to_owned()))
}
