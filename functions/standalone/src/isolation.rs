//! What jobs are kept from: what belongs to the service.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anyhow::{bail, ensure};
use callboard_ansible::Isolation;
use callboard_process::{JobFolders, JobUsers};
use callboard_sandbox::Surroundings;

use crate::cli::{Isolate, ServeArguments};
use crate::setup;

/// Where the folders of running jobs are by default; few playbooks make anything there.
const USUAL: &str = "/var/tmp";
/// The bit of folders in which everybody may make something, such as `/tmp`.
const STICKY: u32 = 0o1000;

/// Returns by what a service's jobs are isolated, as its settings say and the machine can; the log says what they cannot have.
pub(crate) fn isolation(
    arguments: &ServeArguments,
    folders: &JobFolders,
    users: Option<JobUsers>,
) -> anyhow::Result<Isolation> {
    let surroundings = surroundings(arguments, folders, users.as_ref())?;
    let shared = shared(&surroundings.resolved());
    let isolate = arguments.isolated.isolation;
    let isolation = match find(isolate, surroundings, users.clone()) {
        Ok(isolation) => isolation,
        Err(why) if isolate == Isolate::Required => {
            bail!("jobs cannot be isolated as --isolation required demands: {why}")
        }
        Err(why) => {
            match &users {
                Some(users) if users.keep_apart() => {
                    tracing::info!(isolation = users.means(), "jobs are isolated by nothing else: {why}");
                }
                Some(_) => tracing::warn!("jobs are not isolated from each other, since all have one user: {why}"),
                None => tracing::warn!("jobs are not isolated from the service and from each other: {why}"),
            }
            return Ok(Isolation::by(users));
        }
    };
    for folder in shared {
        tracing::warn!(
            folder = %folder.display(),
            "jobs can make nothing in this folder, because a folder or file of the service is in it; move that"
        );
    }
    tracing::info!(isolation = isolation.means().join(" "), "jobs are isolated");
    Ok(isolation)
}

/// Finds out by what jobs are isolated; the error says why by nothing but their users.
pub(crate) fn find(isolate: Isolate, surroundings: Surroundings, users: Option<JobUsers>) -> anyhow::Result<Isolation> {
    ensure!(isolate != Isolate::Off, "--isolation is off");
    Ok(Isolation::by(users).find(surroundings, isolate == Isolate::Required)?)
}

fn surroundings(
    arguments: &ServeArguments,
    folders: &JobFolders,
    users: Option<&JobUsers>,
) -> anyhow::Result<Surroundings> {
    let common = &arguments.common;
    let cache = setup::cache(common)?;
    let key = arguments.tls.both().map(|(_, key)| key);
    let of_jobs = users.and_then(|users| users.example().home.clone());
    let [home, of_jobs] = [std::env::home_dir(), of_jobs].map(|home| home.filter(|home| home.parent().is_some()));
    let files = [
        common.policy.as_deref(),
        common.services.as_deref(),
        home.as_deref(),
        of_jobs.as_deref(),
    ];
    let program = std::env::current_exe()?;
    let read_only = files
        .into_iter()
        .flatten()
        .chain([arguments.playbooks.folder.as_path(), &cache, &program]);
    let data = setup::data(&common.data)?;
    Ok(Surroundings {
        hidden: [data.as_path(), folders.shared(), &cache.join("archives")]
            .map(absolute)
            .into(),
        closed: key.into_iter().map(absolute).collect(),
        read_only: read_only.map(absolute).collect(),
        writable: arguments.isolated.writable.iter().map(|path| absolute(path)).collect(),
    })
}

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// Returns the folders in which everybody may make something, but no job, since something of the service is in them.
fn shared(surroundings: &Surroundings) -> Vec<PathBuf> {
    let Surroundings {
        hidden,
        closed,
        read_only,
        ..
    } = surroundings;
    let above = [hidden, closed, read_only]
        .into_iter()
        .flatten()
        .flat_map(|path| path.ancestors().skip(1));
    let is_sticky = |folder: &Path| fs::metadata(folder).is_ok_and(|found| found.mode() & STICKY != 0);
    let is_shared = |folder: &&Path| *folder != Path::new(USUAL) && is_sticky(folder);
    let mut found: Vec<PathBuf> = above.filter(is_shared).map(Path::to_owned).collect();
    found.sort_unstable();
    found.dedup();
    found
}
