//! The calls for which Rust has no safe form. Nothing else in this crate is unsafe.
#![expect(
    unsafe_code,
    reason = "to fork, what belongs to it, and what no crate offers, has no safe form"
)]

use std::ffi::CStr;
use std::fs;
use std::io;

use nix::unistd::ForkResult;
use rustix::process::Pid;

/// Forks; returns the child's id in the parent, and `None` in the child.
///
/// The launcher has one thread, so the child may do what the parent may do, such as allocate memory.
pub(crate) fn fork() -> io::Result<Option<Pid>> {
    // SAFETY: this process has been started to launch a program and has started no thread, so no other thread can hold a lock.
    match unsafe { nix::unistd::fork() }? {
        ForkResult::Child => Ok(None),
        ForkResult::Parent { child } => Ok(Pid::from_raw(child.as_raw())),
    }
}

/// Says whether the children of this process that have ended are collected by it, or by the kernel.
pub(crate) fn collect_children(own: bool) {
    let action = if own { libc::SIG_DFL } else { libc::SIG_IGN };
    // SAFETY: sets a signal's action to one that runs no code of this process.
    unsafe { libc::signal(libc::SIGCHLD, action) };
}

/// Has every open file but the first three closed when a program is executed.
pub(crate) fn close_on_exec() -> io::Result<()> {
    for entry in fs::read_dir("/proc/self/fd")? {
        let number = entry?.file_name().to_str().and_then(|name| name.parse().ok());
        if let Some(number) = number.filter(|number| *number > 2) {
            // SAFETY: sets a flag of an open file, and closes nothing; the call reports a number that is none.
            unsafe { libc::fcntl(number, libc::F_SETFD, libc::FD_CLOEXEC) };
        }
    }
    Ok(())
}

/// Has the signal for a pipe without readers end the process again, which Rust's start-up ignores.
pub(crate) fn die_of_broken_pipes() {
    // SAFETY: restores a signal's default action, which runs no code of this process.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
}

/// Has this process run before others, or no longer, where it may: so that a program with thousands of processes cannot keep it from
/// ending them.
pub(crate) fn run_first(first: bool) {
    let policy = if first { libc::SCHED_RR } else { libc::SCHED_OTHER };
    let parameters = libc::sched_param {
        sched_priority: i32::from(first),
    };
    // SAFETY: the parameters live as long as the call, which only reads them; where it is not allowed, nothing changes.
    unsafe { libc::sched_setscheduler(0, policy, &raw const parameters) };
}

/// Makes everything that is mounted below a path read-only, or writable again, in this process's namespace.
pub(crate) fn set_read_only(path: &CStr, read_only: bool) -> io::Result<()> {
    let read_only_flag = libc::MOUNT_ATTR_RDONLY;
    let attributes = libc::mount_attr {
        attr_set: if read_only { read_only_flag } else { 0 },
        attr_clr: if read_only { 0 } else { read_only_flag },
        propagation: 0,
        userns_fd: 0,
    };
    // SAFETY: the path and the attributes live as long as the call, which only reads them, and their size is given.
    let result = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            libc::AT_FDCWD,
            path.as_ptr(),
            libc::AT_RECURSIVE,
            &raw const attributes,
            size_of::<libc::mount_attr>(),
        )
    };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Asks the kernel for the version of its Landlock; `None` if it has none, or that is not enabled.
pub(crate) fn landlock_version() -> Option<i32> {
    const VERSION: libc::c_uint = 1;
    // SAFETY: with this flag, the call reads nothing, and takes no attributes.
    let version = unsafe {
        libc::syscall(
            libc::SYS_landlock_create_ruleset,
            std::ptr::null::<u8>(),
            0_usize,
            VERSION,
        )
    };
    i32::try_from(version).ok().filter(|version| *version > 0)
}
