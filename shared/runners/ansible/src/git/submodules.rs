//! Submodules: trees of other repositories, each at the commit that the outer tree names.

use std::path::Path;

use callboard_core::credential::GitAccess;
use callboard_kind_ansible::repository::is_commit;
use callboard_process::program::ProgramError;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::client::Client;
use super::{Repositories, Wanted};
use crate::archive;
use crate::unready::Unready;

/// The file that names the submodules of a commit.
const MODULES: &str = ".gitmodules";
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
            // a repository's content must not decide which other host gets to see a credential
            let is_sent = |access: &&GitAccess| repo.host() == wanted.repo.host() || !access.hosts.is_empty();
            let inner = Wanted {
                access: wanted.access.filter(is_sent),
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

/// Reads `.gitmodules` and asks for the commits of the paths that it names, so that the size of the tree does not matter.
async fn read(client: &Client<'_>, commit: &str) -> Result<Vec<Submodule>, ProgramError> {
    if client.ask(&["ls-tree", "-z", commit, "--", MODULES]).await?.is_empty() {
        return Ok(Vec::new());
    }
    let blob = format!("{commit}:{MODULES}");
    let arguments = ["config", "-z", "--blob", &blob, "--get-regexp", r"^submodule\."];
    let settings = match client.ask(&arguments).await {
        // there is no such setting
        Err(ProgramError::Failed { status, .. }) if status.code() == Some(1) => return Ok(Vec::new()),
        settings => settings?,
    };
    let settings = String::from_utf8_lossy(&settings);
    let value = |name: &str, key: &str| {
        let full = format!("submodule.{name}.{key}\n");
        settings.split('\0').find_map(|setting| setting.strip_prefix(&full))
    };
    let names = settings.split('\0').filter_map(|setting| {
        setting
            .split_once('\n')?
            .0
            .strip_prefix("submodule.")?
            .strip_suffix(".path")
    });
    let named: Vec<(&str, &str)> = names
        .filter_map(|name| Some((value(name, "path")?.trim_end_matches('/'), value(name, "url")?)))
        .take(MAX_SUBMODULES + 1)
        .collect();
    let paths = named.iter().map(|(path, _)| *path);
    let arguments: Vec<&str> = ["ls-tree", "-z", commit, "--"].into_iter().chain(paths).collect();
    let entries = client.ask(&arguments).await?;
    let entries = String::from_utf8_lossy(&entries);
    let links: Vec<(&str, &str)> = entries.split('\0').filter_map(link).collect();
    let found = named.iter().filter_map(|(path, url)| {
        let (_, commit) = links.iter().find(|(link, _)| link == path)?;
        Some(Submodule {
            path: (*path).to_owned(),
            url: (*url).to_owned(),
            commit: (*commit).to_owned(),
        })
    });
    Ok(found.collect())
}

/// Reads an entry of `ls-tree`: `160000 commit ID\tPATH` is a submodule.
fn link(entry: &str) -> Option<(&str, &str)> {
    let (about, path) = entry.split_once('\t')?;
    let commit = about.strip_prefix("160000 commit ")?;
    is_commit(commit).then_some((path, commit))
}
