//! Checks the machine: disk space, a folder for running jobs, open files.

use std::path::{Path, PathBuf};

use callboard_ansible::longest_socket;
use callboard_core::care::Finding;
use callboard_process::{JobFolders, JobUsers};
use callboard_sandbox::{Sandbox, Surroundings};
use rustix::fs::{Access, access, statvfs};

use crate::cli::{Isolate, Load};
use crate::descriptors::{self, Room};
use crate::isolation;

/// A few jobs can use up less space than this.
const LITTLE: u64 = 1 << 30;
/// With less space than this, jobs cannot be stored.
const NONE: u64 = 32 << 20;
const MIB: u64 = 1 << 20;

/// Checks the folder in which the folders of running jobs are made.
pub(super) fn work(folder: &Path) -> Finding {
    let name = folder.display();
    let another = "Name another folder with --work.";
    let found = access(folder, Access::WRITE_OK | Access::EXEC_OK);
    if let Err(error) = found {
        let detail = format!("Folders of running jobs cannot be made in {name}: {error}.");
        return Finding::fault("work", detail, another);
    }
    match JobFolders::place(folder, longest_socket()) {
        Ok(_) => Finding::ok("work", format!("Folders of running jobs can be made in {name}.")),
        Err(error) => Finding::error("work", error),
    }
}

/// Checks how much space there is for folders, including those that do not exist yet.
pub(super) fn space(folders: &[&Path]) -> Finding {
    let room = folders.iter().filter_map(|folder| Some((*folder, room(folder)?)));
    let Some((folder, free)) = room.min_by_key(|(_, free)| *free) else {
        return Finding::warning("space", "The free disk space cannot be determined.", "Look with `df`.");
    };
    let told = format!("{} MiB are free for {}", free / MIB, folder.display());
    let remedy = "Make room: what a job prints is kept up to --max-output.";
    match free {
        _ if free < NONE => Finding::fault("space", format!("Only {told}."), remedy),
        _ if free < LITTLE => Finding::warning("space", format!("Only {told}."), remedy),
        _ => Finding::ok("space", format!("{told}, and at least as much for the other folders.")),
    }
}

/// Returns how many bytes are free for a folder.
fn room(folder: &Path) -> Option<u64> {
    let found = folder.ancestors().find_map(|place| statvfs(place).ok())?;
    Some(found.f_bavail.saturating_mul(found.f_frsize))
}

/// Finds out by what programs of services can be isolated here.
pub(super) fn isolation() -> Finding {
    match Sandbox::new(PathBuf::from("/proc/self/exe")).probe() {
        Ok(abilities) => Finding::ok(
            "isolation",
            format!("Programs of services are isolated by: {abilities}."),
        ),
        Err(error) => Finding::error("isolation", error),
    }
}

/// Finds out by what jobs are isolated here.
pub(super) fn jobs(isolate: Isolate, users: Option<JobUsers>) -> Finding {
    let apart = users.as_ref().map(|users| (users.means(), users.keep_apart()));
    match isolation::find(isolate, Surroundings::default(), users) {
        Ok(isolation) => Finding::ok(
            "jobs",
            format!("Jobs are isolated by: {}.", isolation.means().join(", ")),
        ),
        Err(why) if isolate == Isolate::Required => {
            let detail = format!("Jobs cannot be isolated as --isolation required demands: {why}.");
            Finding::fault("jobs", detail, "Use another machine, or --isolation on.")
        }
        Err(why) if let Some((means, keep_apart)) = apart => {
            let told = format!("Jobs are isolated by: {means}. By nothing else: {why}.");
            match keep_apart {
                true => Finding::ok("jobs", told),
                false => Finding::warning(
                    "jobs",
                    told,
                    "A job can read what other jobs have: all have one user. Give --job-user a range of ids.",
                ),
            }
        }
        Err(why) => {
            let remedy =
                "A job can read the data folder and what other jobs have; let in only whom you trust with that.";
            Finding::warning("jobs", format!("Jobs are not isolated: {why}."), remedy)
        }
    }
}

/// Checks whether enough files can be open for what the service does at once.
pub(super) fn open_files(load: &Load) -> Finding {
    let limit = descriptors::raise();
    match descriptors::divide(limit, load) {
        Ok(Room { connections, calls }) => Finding::ok(
            "files",
            format!(
                "{limit} open files are allowed: enough for --workers {}, {calls} calls and {connections} connections.",
                load.workers
            ),
        ),
        Err(error) => Finding::error("files", error),
    }
}
