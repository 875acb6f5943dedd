//! What a program uses, against its limits.

use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;

use crate::plan::Limits;
use crate::processes::{Process, Processes};
use crate::report::Limit;

/// How often the folder is looked at.
const DISK_PERIOD: Duration = Duration::from_millis(250);
/// What a name takes, however little is in its file.
const NAME_BYTES: u64 = 4096;

/// Watches what a program uses.
pub(crate) struct Usage<'a> {
    limits: &'a Limits,
    folder: &'a Path,
    processes: Processes,
    disk_looked_at: Option<Instant>,
}

impl<'a> Usage<'a> {
    pub(crate) fn new(limits: &'a Limits, folder: &'a Path, processes: Processes) -> Self {
        Self {
            limits,
            folder,
            processes,
            disk_looked_at: None,
        }
    }

    /// Returns whether there is a limit to watch.
    pub(crate) fn is_limited(&self) -> bool {
        *self.limits != Limits::default()
    }

    /// Returns the limit that is exceeded.
    pub(crate) fn exceeded(&mut self) -> Option<Limit> {
        let all = self.processes.all();
        let over = |used: &dyn Fn() -> u64, limit: Option<u64>| limit.is_some_and(|limit| used() > limit);
        let threads = || all.iter().map(|process| process.threads).sum();
        if over(&threads, self.limits.processes) {
            return Some(Limit::Processes);
        }
        if over(&|| all.iter().map(Process::own_memory).sum(), self.limits.memory_bytes) {
            return Some(Limit::Memory);
        }
        let running: f64 = all.iter().map(|process| process.cpu_seconds).sum();
        if self.is_out_of_time(running) {
            return Some(Limit::Cpu);
        }
        let due = self.disk_looked_at.is_none_or(|looked| looked.elapsed() >= DISK_PERIOD);
        if due && self.limits.disk_bytes.is_some() {
            self.disk_looked_at = Some(Instant::now());
            return self
                .limits
                .disk_bytes
                .filter(|limit| self.disk(&all, *limit) > *limit)
                .map(|_| Limit::Disk);
        }
        None
    }

    /// Returns whether what has ended, and `running` seconds of what has not, took the processor's time.
    pub(crate) fn is_out_of_time(&self, running: f64) -> bool {
        let limit = self.limits.cpu_seconds;
        limit.is_some_and(|limit| ended().0 + running >= limit as f64)
    }

    /// Returns what is on the disk and in files without a name; more than `enough` is not counted to its end.
    fn disk(&self, all: &[Process], enough: u64) -> u64 {
        let (mut bytes, mut seen) = (0, HashSet::new());
        for process in all {
            let _gone = process.nameless_files(|device, inode, size| {
                if seen.insert((device, inode)) {
                    bytes += size;
                }
            });
        }
        let mut folders: Vec<PathBuf> = vec![self.folder.to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
                let Ok(found) = entry.metadata() else { continue };
                // a file with several names is counted for each: a name takes room as well
                bytes += NAME_BYTES.max(found.blocks() * 512);
                if bytes > enough {
                    return bytes;
                }
                if found.is_dir() {
                    folders.push(entry.path());
                }
            }
        }
        bytes
    }
}

/// Returns the seconds of processor time and the peak memory, in bytes, of the processes that have ended and were collected.
pub(crate) fn ended() -> (f64, u64) {
    let Ok(usage) = getrusage(UsageWho::RUSAGE_CHILDREN) else {
        return (0.0, 0);
    };
    let micros = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    let peak = u64::try_from(usage.max_rss()).unwrap_or_default() * 1024;
    (micros as f64 / 1e6, peak)
}
