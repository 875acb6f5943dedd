//! The processes of a program: everything that it has started, however far that has gone.

use std::collections::HashMap;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;

use rustix::process::{Pid, PidfdFlags, Signal, geteuid, getpid, pidfd_open, pidfd_send_signal};

/// The unit of times in `/proc`: it is 100 a second on every architecture.
const TICKS_PER_SECOND: f64 = 100.0;

/// Where the processes of a program are found.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Processes {
    /// They are all others of this process's namespace.
    OfNamespace,
    /// They are the descendants of this process, to which they come when their own parent ends.
    Descendants,
}

/// A process, as far as it counts.
pub(crate) struct Process {
    pub(crate) pid: Pid,
    parent: i32,
    /// When it was started: with its id, it is this process and no later one.
    started: i64,
    pub(crate) threads: u64,
    /// Seconds of processor time, with those of the children that it has collected.
    pub(crate) cpu_seconds: f64,
}

impl Processes {
    /// Returns the processes that there are.
    pub(crate) fn all(self) -> Vec<Process> {
        let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
        let all = entries.filter_map(|entry| Process::read(entry.file_name().to_str()?.parse().ok()?));
        let own = getpid();
        match self {
            Self::OfNamespace => all.filter(|process| process.pid != own).collect(),
            Self::Descendants => descendants(all.collect(), own),
        }
    }

    /// Sends a signal to every process; returns whether there was one.
    pub(crate) fn signal(self, signal: Signal) -> bool {
        if self == Self::OfNamespace {
            let everything = nix::unistd::Pid::from_raw(-1);
            let number = nix::sys::signal::Signal::try_from(signal.as_raw()).ok();
            return nix::sys::signal::kill(everything, number).is_ok();
        }
        let all = self.all();
        for process in &all {
            process.signal(signal);
        }
        !all.is_empty()
    }
}

/// Returns how many threads this user has.
pub(crate) fn threads_of_user() -> u64 {
    let own = geteuid().as_raw();
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let of_user = entries.filter(|entry| entry.metadata().is_ok_and(|found| found.uid() == own));
    let all = of_user.filter_map(|entry| Process::read(entry.file_name().to_str()?.parse().ok()?));
    all.map(|process| process.threads).sum()
}

fn descendants(all: Vec<Process>, root: Pid) -> Vec<Process> {
    let mut children: HashMap<i32, Vec<Process>> = HashMap::new();
    for process in all {
        children.entry(process.parent).or_default().push(process);
    }
    let mut found = children.remove(&root.as_raw_nonzero().get()).unwrap_or_default();
    let mut next = 0;
    while next < found.len() {
        let own = children.remove(&found[next].pid.as_raw_nonzero().get());
        found.extend(own.into_iter().flatten());
        next += 1;
    }
    found
}

impl Process {
    fn read(pid: i32) -> Option<Self> {
        let stat = fs::read(format!("/proc/{pid}/stat")).ok()?;
        let stat = String::from_utf8_lossy(&stat);
        // the name before may hold anything
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        let number = |index: usize| fields.get(index)?.parse::<i64>().ok();
        let ticks: i64 = (11..15).filter_map(number).sum();
        Some(Self {
            pid: Pid::from_raw(pid)?,
            parent: i32::try_from(number(1)?).ok()?,
            threads: u64::try_from(number(17)?).ok()?,
            started: number(19)?,
            cpu_seconds: ticks as f64 / TICKS_PER_SECOND,
        })
    }

    /// Sends a signal, unless the process has ended. Another one may have its id by then, which is not to get the signal.
    fn signal(&self, signal: Signal) {
        let Ok(opened) = pidfd_open(self.pid, PidfdFlags::empty()) else {
            return;
        };
        let now = Self::read(self.pid.as_raw_nonzero().get());
        if now.is_some_and(|now| now.started == self.started) {
            let _gone = pidfd_send_signal(opened, signal);
        }
    }

    /// Returns the bytes of memory that are not those of files on a disk.
    pub(crate) fn memory(&self) -> u64 {
        let pid = self.pid.as_raw_nonzero();
        let text = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let amounts = text.lines().filter_map(|line| {
            let kibibytes = line
                .strip_prefix("RssAnon:")
                .or_else(|| line.strip_prefix("RssShmem:"))?;
            kibibytes.trim().strip_suffix(" kB")?.parse::<u64>().ok()
        });
        amounts.sum::<u64>() * 1024
    }

    /// Returns the open files that have no name any more, or never had one.
    pub(crate) fn nameless_files(&self) -> Vec<Nameless> {
        let pid = self.pid.as_raw_nonzero();
        let entries = fs::read_dir(format!("/proc/{pid}/fd"));
        let entries = entries.into_iter().flatten().flatten();
        let files = entries.filter_map(|entry| {
            let found = fs::metadata(entry.path()).ok()?;
            let link = fs::read_link(entry.path()).ok()?;
            (found.is_file() && found.nlink() == 0).then(|| Nameless {
                id: (found.dev(), found.ino()),
                bytes: found.blocks() * 512,
                in_memory: link.as_os_str().as_bytes().starts_with(b"/memfd:"),
            })
        });
        files.collect()
    }
}

/// A file without a name.
pub(crate) struct Nameless {
    /// Its device and its inode.
    pub(crate) id: (u64, u64),
    pub(crate) bytes: u64,
    pub(crate) in_memory: bool,
}
