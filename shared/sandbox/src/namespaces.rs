//! Namespaces: of the user, processes, mounts, System V IPC and the host name, and of the network where none is allowed.

use std::ffi::CString;
use std::fs;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use nix::sched::{CloneFlags, unshare};
use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::mount::{MountFlags, mount, mount_bind_recursive, mount_remount};
use rustix::process::{getegid, geteuid};

use crate::raw;

/// What others have put here is no concern of a program, and their sockets can be reached whatever Landlock says of files.
const HIDDEN: [&str; 6] = ["/run", "/tmp", "/var/tmp", "/dev/shm", "/home", "/root"];
/// What is shown of it all the same: where names of hosts are looked up.
const SHOWN: &str = "/run/systemd/resolve";

/// The first release of Linux in which a namespace has a greatest process id of its own. Before, there is one for the machine.
const OWN_IDS: (Option<u32>, Option<u32>) = (Some(6), Some(14));
/// The ids that are given only once.
const RESERVED_IDS: u64 = 300;
const FEW: u64 = 32;

/// Makes the namespaces of this process. The next child is the first process of its namespace, and calls [`furnish`].
pub(crate) fn enter(network: bool) -> io::Result<()> {
    let (user, group) = (geteuid().as_raw(), getegid().as_raw());
    let mut flags = CloneFlags::CLONE_NEWUSER
        | CloneFlags::CLONE_NEWPID
        | CloneFlags::CLONE_NEWNS
        | CloneFlags::CLONE_NEWIPC
        | CloneFlags::CLONE_NEWUTS;
    if !network {
        flags |= CloneFlags::CLONE_NEWNET;
    }
    unshare(flags)?;
    fs::write("/proc/self/setgroups", "deny")?;
    fs::write("/proc/self/uid_map", format!("{user} {user} 1"))?;
    fs::write("/proc/self/gid_map", format!("{group} {group} 1"))
}

/// What a program finds at its place.
#[derive(Default)]
pub(crate) struct Granted {
    /// What it may read.
    pub(crate) read: Vec<PathBuf>,
    /// What it may change.
    pub(crate) write: Vec<PathBuf>,
    /// How many processes and threads it may have.
    pub(crate) processes: Option<u64>,
}

/// Mounts what belongs to the namespaces: the list of their processes, and nothing in place of what is hidden but what is granted.
/// Everything else becomes read-only; returns whether the kernel can do that.
pub(crate) fn furnish(granted: &Granted) -> io::Result<bool> {
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    mount("proc", "/proc", "proc", flags, None)?;
    if let Some(most) = granted.processes {
        bound(most);
    }
    let known = |paths: &[PathBuf]| {
        paths
            .iter()
            .filter_map(|path| path.canonicalize().ok())
            .collect::<Vec<_>>()
    };
    let (mut shown, writable) = (known(&granted.read), known(&granted.write));
    shown.extend(writable.iter().cloned().chain(Path::new(SHOWN).canonicalize()));
    for hidden in HIDDEN.map(Path::new) {
        // a link leads to what is hidden already, or belongs to the system
        let is_folder = fs::symlink_metadata(hidden).is_ok_and(|found| found.is_dir());
        if is_folder && !shown.iter().any(|path| hidden.starts_with(path)) {
            hide(hidden, &shown)?;
        }
    }
    for path in &writable {
        mount_bind_recursive(path, path)?;
    }
    match raw::set_read_only(c"/", true) {
        // a kernel before 5.12
        Err(error) if error.raw_os_error() == Some(libc::ENOSYS) => {
            mount_remount("/proc", MountFlags::BIND | MountFlags::RDONLY | flags, c"")?;
            return Ok(false);
        }
        other => other?,
    }
    for path in &writable {
        let path = CString::new(path.as_os_str().as_bytes())?;
        match raw::set_read_only(&path, false) {
            // it was read-only before
            Err(error) if error.raw_os_error() == Some(libc::EPERM) => {}
            other => other?,
        }
    }
    Ok(true)
}

/// Keeps a program of root from filling the machine before it is found to have too many processes: for other users the kernel counts,
/// and for root it has nothing but the greatest id, where that is the namespace's own.
fn bound(most: u64) {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let mut numbers = release.split(['.', '-']).map(|number| number.trim().parse::<u32>());
    let release = (numbers.next().and_then(Result::ok), numbers.next().and_then(Result::ok));
    if release >= OWN_IDS {
        let _found_all_the_same = fs::write("/proc/sys/kernel/pid_max", (RESERVED_IDS + most * 2 + FEW).to_string());
    }
}

fn hide(hidden: &Path, shown: &[PathBuf]) -> io::Result<()> {
    let mut kept: Vec<(&PathBuf, OwnedFd)> = Vec::new();
    for path in shown.iter().filter(|path| path.starts_with(hidden)) {
        kept.push((path, openat(CWD, path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?));
    }
    // what lies in another of them is there with it
    kept.sort_by_key(|(path, _)| path.as_os_str().len());
    let flags = MountFlags::NOSUID | MountFlags::NODEV;
    mount("none", hidden, "tmpfs", flags, Some(c"size=256k,mode=755"))?;
    for (path, file) in kept {
        if path.exists() {
            continue;
        }
        let source = format!("/proc/self/fd/{}", file.as_raw_fd());
        if fs::metadata(&source)?.is_dir() {
            fs::create_dir_all(path)?;
        } else {
            fs::create_dir_all(path.parent().unwrap_or(hidden))?;
            fs::File::create(path)?;
        }
        mount_bind_recursive(source, path)?;
    }
    mount_remount(hidden, MountFlags::BIND | MountFlags::RDONLY | flags, c"")?;
    Ok(())
}
