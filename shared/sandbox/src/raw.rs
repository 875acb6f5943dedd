//! The calls for which Rust has no safe form. Nothing else in this crate is unsafe.
#![expect(unsafe_code, reason = "to fork, and what belongs to it, has no safe form")]

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
