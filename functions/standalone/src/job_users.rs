//! As whom jobs run, where the service is root: what `--job-user` may say here.

use std::fs;
use std::ops::RangeInclusive;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use anyhow::{Context, anyhow, bail, ensure};
use callboard_ansible::{PlaybookFolder, access};
use callboard_process::{JobFolders, JobUsers, User};
use rustix::process::geteuid;
use rustix::thread::{CapabilitySet, capabilities};

use crate::cli::JobUser;

/// The ids that another system gives to users of its containers.
const SUBORDINATE: &str = "/etc/subuid";
/// The permissions that users have of whom jobs may be some.
const FOR_OTHERS: u32 = 0o077;
/// Where services tell each other which ids jobs have.
const LOCKS: &str = "/run/callboard-job-users";
/// What the service does for the users of its jobs: with their files, their processes, and to become them.
const NEEDED: [(&str, CapabilitySet); 7] = [
    ("CAP_CHOWN", CapabilitySet::CHOWN),
    ("CAP_DAC_OVERRIDE", CapabilitySet::DAC_OVERRIDE),
    ("CAP_FOWNER", CapabilitySet::FOWNER),
    ("CAP_KILL", CapabilitySet::KILL),
    ("CAP_SETGID", CapabilitySet::SETGID),
    ("CAP_SETUID", CapabilitySet::SETUID),
    ("CAP_SYS_PTRACE", CapabilitySet::SYS_PTRACE),
];
/// What it needs besides to make users known that the user database does not know.
const TO_INTRODUCE: (&str, CapabilitySet) = ("CAP_SYS_ADMIN", CapabilitySet::SYS_ADMIN);

/// Returns the users that jobs run as, if a setting names some.
pub(crate) fn find(setting: Option<&JobUser>, workers: u16) -> anyhow::Result<Option<JobUsers>> {
    let Some(setting) = setting else { return Ok(None) };
    ensure!(
        geteuid().is_root(),
        "--job-user {setting}: only root may run jobs as other users; start the service as root, or leave --job-user out"
    );
    let users = match setting {
        JobUser::One(name) => one(name)?,
        JobUser::Own(ids) => own(ids, workers)?,
    };
    let introduces = matches!(users, JobUsers::Own(_)).then_some(TO_INTRODUCE);
    let own = capabilities(None)?.effective;
    let missing: Vec<&str> = NEEDED
        .into_iter()
        .chain(introduces)
        .filter(|(_, needed)| !own.contains(*needed))
        .map(|(name, _)| name)
        .collect();
    ensure!(
        missing.is_empty(),
        "--job-user {setting}: the service lacks {}; give it what root has, or leave --job-user out",
        missing.join(", ")
    );
    Ok(Some(users))
}

fn one(name: &str) -> anyhow::Result<JobUsers> {
    let user = User::find(name).ok_or_else(|| {
        anyhow!(
            "--job-user {name}: there is no such user; make one (useradd --system --create-home NAME), or give a range of ids, such as \
             20000-20031, whose users need not be there"
        )
    })?;
    ensure!(
        user.uid != 0,
        "--job-user {name}: that is root; name a user without its rights"
    );
    Ok(JobUsers::One(user))
}

fn own(ids: &RangeInclusive<u32>, workers: u16) -> anyhow::Result<JobUsers> {
    let (first, last) = (ids.start(), ids.end());
    let told = format!("--job-user {first}-{last}");
    let number = last - first + 1;
    ensure!(
        number >= u32::from(workers),
        "{told}: these are {number} users for {workers} jobs at a time, of which each needs one of its own; give a longer range, or fewer --workers"
    );
    if let Some(user) = User::of_machine().into_iter().find(|user| ids.contains(&user.uid)) {
        let (name, uid) = (user.name, user.uid);
        bail!("{told}: the user {name} has the id {uid}; give a range in which nobody has an id");
    }
    if let Some(owner) = subordinate(ids) {
        bail!("{told}: ids of the range belong to {owner} (see {SUBORDINATE}); give a range in which nobody has an id");
    }
    Ok(JobUsers::own(ids.clone(), Path::new(LOCKS)))
}

/// Returns whose containers may use ids of a range.
fn subordinate(ids: &RangeInclusive<u32>) -> Option<String> {
    let text = fs::read_to_string(SUBORDINATE).unwrap_or_default();
    text.lines().find_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        let [owner, first, number] = fields[..] else {
            return None;
        };
        let (first, number) = (first.parse::<u64>().ok()?, number.parse::<u64>().ok()?);
        let overlaps = u64::from(*ids.start()) < first + number && first <= u64::from(*ids.end());
        overlaps.then(|| owner.to_owned())
    })
}

/// Lets jobs reach their folders, and looks whether they reach what else they need, and not the data folder.
pub(crate) async fn admit(
    users: Option<&JobUsers>,
    python: &Path,
    folders: &JobFolders,
    playbooks: &PlaybookFolder,
    data: &Path,
) -> anyhow::Result<()> {
    let Some(users) = users else { return Ok(()) };
    keep_out(data)?;
    let unusable = || format!("the folder {LOCKS}, which --job-user needs for a range, cannot be used");
    users.prepare().with_context(unusable)?;
    folders.let_through()?;
    if let Some(path) = access::look(users, python, folders.path(), playbooks.path()).await? {
        tracing::warn!(path = %path.display(), "the users of jobs cannot read everything in the playbooks folder");
    }
    Ok(())
}

/// Refuses a data folder that users of jobs may look into.
pub(crate) fn keep_out(data: &Path) -> anyhow::Result<()> {
    ensure!(
        !fs::metadata(data).is_ok_and(|found| found.mode() & FOR_OTHERS != 0),
        "the data folder {0} is open to other users, and so to jobs; chmod 700 {0}",
        data.display()
    );
    Ok(())
}
