//! Collections and roles that a source requires, installed by ansible-galaxy and kept in the cache.

mod entries;
mod key;
mod run;
mod words;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use callboard_core::base::causes::causes;
use callboard_core::base::time::{Clock, SystemClock};
use callboard_core::run::Archive;
use uuid::Uuid;

use self::entries::Entries;
use self::key::key;
use self::run::Run;
use crate::archive;
use crate::blocking::on_a_thread;
use crate::room::{Room, measure};
use crate::task::Task;
use crate::unready::Unready;

/// The files in which a source may list its requirements, in its root and in the playbook's folder.
const PLACES: [&str; 6] = [
    "requirements.yml",
    "requirements.yaml",
    "collections/requirements.yml",
    "collections/requirements.yaml",
    "roles/requirements.yml",
    "roles/requirements.yaml",
];
/// How long the result for a range of versions stays valid.
const FRESH: Duration = Duration::from_secs(24 * 3600);
/// The Galaxy servers to use. All must be in the policy.
#[derive(Clone, Copy)]
pub(crate) enum Servers<'a> {
    /// The servers that Ansible's configuration names; if it names none, those of the policy.
    Configured,
    /// The servers of the policy, whatever Ansible's configuration names.
    OfPolicy,
    /// This server, with its token.
    One(&'a str, Option<&'a str>),
}

/// Something for ansible-galaxy to install.
pub(crate) struct Requirements<'a> {
    /// What the requirements are for, as error messages name it: `"The requirements of ..."`.
    pub(crate) of: String,
    /// Requirements files, in the format that ansible-galaxy reads.
    pub(crate) files: Vec<PathBuf>,
    pub(crate) servers: Servers<'a>,
    /// Distinguishes servers, tokens and tenants.
    pub(crate) identity: String,
    /// Whether only exact versions are named, so that the result stays valid for ever.
    pub(crate) exact: bool,
    /// The folder that ansible-galaxy runs in; an `ansible.cfg` there takes effect.
    pub(crate) folder: PathBuf,
    /// The commit that is in the folder.
    pub(crate) commit: Option<String>,
    /// Whether the folder was fetched. If it is the operator's own, the requirements may name any place.
    pub(crate) is_fetched: bool,
}

/// Finds the requirements files of a source.
pub(crate) fn find(root: &Path, playbook_folder: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = Vec::new();
    for folder in [root, playbook_folder] {
        let below = folder.strip_prefix(root).unwrap_or(Path::new("."));
        let places = PLACES
            .iter()
            .filter_map(|place| archive::inside(root, below.join(place).to_str()?));
        for path in places.filter(|path| path.is_file()) {
            if !found.contains(&path) {
                found.push(path);
            }
        }
    }
    found
}

/// Installs requirements; returns the folder that then holds `collections` and `roles`.
pub(crate) async fn install(
    task: &Task<'_>,
    requirements: &Requirements<'_>,
    env: &BTreeMap<String, String>,
    scratch: &Path,
) -> Result<PathBuf, Unready> {
    let (reach, room) = (task.reach, &task.room);
    let key = key(task, requirements)?;
    check(task, requirements)?;
    let unpacked = scratch.join(format!("galaxy-{}", Uuid::new_v4().simple()));
    fs::create_dir(&unpacked)?;
    let cached = match &key {
        Some(key) => archive::cached(&*reach.archives, key, &unpacked).await,
        None => None,
    };
    if let Some(cached) = cached.as_ref().filter(|cached| requirements.exact || is_fresh(cached)) {
        return unpack(cached, unpacked.join("installed"), room).await;
    }
    let run = Run::new(task, requirements, &unpacked).await?;
    match (run.install(env).await, cached) {
        (Ok(installed), _) => {
            take_room(&installed, room).await.map_err(|full| run.too_large(&full))?;
            if let Some(key) = key {
                keep(task, &key, &installed, &unpacked.join("installed.tar")).await?;
            }
            Ok(installed)
        }
        (Err(failed), Some(cached)) if failed.is_passing => {
            tracing::warn!(error = %causes(&failed.why), "ansible-galaxy failed; what it installed before is used");
            unpack(&cached, unpacked.join("earlier"), room).await
        }
        (Err(failed), _) => Err(failed.why),
    }
}

/// Refuses requirements that name something that is plainly not allowed.
fn check(task: &Task<'_>, requirements: &Requirements<'_>) -> Result<(), Unready> {
    let entries = Entries {
        folder: &requirements.folder,
        is_fetched: requirements.is_fetched,
        policy: &task.reach.policy,
    };
    let mut files = requirements.files.iter();
    let checked = files.try_for_each(|file| entries.check(file));
    checked.map_err(|wrong| Unready::source(format!("{} could not be installed: {wrong}.", requirements.of)))
}

async fn take_room(installed: &Path, room: &Room) -> Result<(), String> {
    let folder = installed.to_owned();
    let size = on_a_thread(move |going| Ok(measure(folder, going))).await;
    let taken = size.and_then(|size| room.take(size.bytes, size.entries));
    taken.map_err(|error| error.to_string())
}

async fn keep(task: &Task<'_>, key: &str, installed: &Path, packed: &Path) -> Result<(), Unready> {
    archive::pack(installed.to_owned(), packed.to_owned()).await?;
    if let Err(error) = task.reach.archives.put(key, packed).await {
        tracing::warn!(error = %causes(&error), "what ansible-galaxy installed could not be cached");
    }
    Ok(())
}

async fn unpack(cached: &Archive, folder: PathBuf, room: &Arc<Room>) -> Result<PathBuf, Unready> {
    archive::unpack(cached.path.clone(), folder.clone(), Arc::clone(room)).await?;
    Ok(folder)
}

fn is_fresh(cached: &Archive) -> bool {
    SystemClock.now().since(cached.made_at) < FRESH
}
