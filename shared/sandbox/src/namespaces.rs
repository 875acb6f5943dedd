//! Namespaces: of the user, processes, mounts, System V IPC and the host name, and of the network where none is allowed.

use std::fs;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use nix::sched::{CloneFlags, unshare};
use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::mount::{MountFlags, mount, mount_bind_recursive, mount_remount};
use rustix::process::{getegid, geteuid};

/// What others have put here is no concern of a program, and their sockets can be reached whatever Landlock says of files.
const HIDDEN: [&str; 6] = ["/run", "/tmp", "/var/tmp", "/dev/shm", "/home", "/root"];
/// What is shown of it all the same: where names of hosts are looked up.
const SHOWN: &str = "/run/systemd/resolve";

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

/// Mounts what belongs to the namespaces: the list of their processes, and nothing in place of what is hidden but `granted`.
pub(crate) fn furnish(granted: &[PathBuf]) -> io::Result<()> {
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    mount("proc", "/proc", "proc", flags, None)?;
    let shown = granted.iter().map(PathBuf::as_path).chain([Path::new(SHOWN)]);
    let shown: Vec<PathBuf> = shown.filter_map(|path| path.canonicalize().ok()).collect();
    for hidden in HIDDEN.map(Path::new) {
        // a link leads to what is hidden already, or belongs to the system
        let is_folder = fs::symlink_metadata(hidden).is_ok_and(|found| found.is_dir());
        if is_folder && !shown.iter().any(|path| hidden.starts_with(path)) {
            hide(hidden, &shown)?;
        }
    }
    Ok(())
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
