//! What a program uses, against its limits.

use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;

use crate::plan::Limits;
use crate::processes::{Nameless, Process, Processes};
use crate::report::Limit;

/// How often files are looked at.
const FILES_PERIOD: Duration = Duration::from_millis(250);
/// What a name takes, however little is in its file.
const NAME_BYTES: u64 = 4096;

/// Watches what a program uses.
pub(crate) struct Usage<'a> {
    limits: &'a Limits,
    folder: &'a Path,
    processes: Processes,
    files_looked_at: Option<Instant>,
}

impl<'a> Usage<'a> {
    pub(crate) fn new(limits: &'a Limits, folder: &'a Path, processes: Processes) -> Self {
        Self {
            limits,
            folder,
            processes,
            files_looked_at: None,
        }
    }

    /// Returns whether there is a limit to watch.
    pub(crate) fn is_limited(&self) -> bool {
        *self.limits != Limits::default()
    }

    /// Returns the limit that is exceeded.
    pub(crate) fn exceeded(&mut self) -> Option<Limit> {
        let all = self.processes.all();
        let over = |limit: Option<u64>, used: &dyn Fn() -> u64| limit.is_some_and(|limit| used() > limit);
        if over(self.limits.processes, &|| {
            all.iter().map(|process| process.threads).sum()
        }) {
            return Some(Limit::Processes);
        }
        let files = self.nameless(&all);
        let without_name = |in_memory| {
            let files = files.values().filter(move |file| file.in_memory == in_memory);
            files.map(|file| file.bytes).sum::<u64>()
        };
        let memory = || all.iter().map(Process::memory).sum::<u64>() + without_name(true);
        if over(self.limits.memory_bytes, &memory) {
            return Some(Limit::Memory);
        }
        let running: f64 = all.iter().map(|process| process.cpu_seconds).sum();
        if self.is_out_of_time(running) {
            return Some(Limit::Cpu);
        }
        let limit = self.limits.disk_bytes.filter(|_| self.is_due_for_files());
        let full = over(limit, &|| without_name(false) + self.on_disk(limit.unwrap_or_default()));
        if self.is_due_for_files() {
            self.files_looked_at = Some(Instant::now());
        }
        full.then_some(Limit::Disk)
    }

    /// Returns whether what has ended, and `running` seconds of what has not, took the processor's time.
    pub(crate) fn is_out_of_time(&self, running: f64) -> bool {
        let limit = self.limits.cpu_seconds;
        limit.is_some_and(|limit| ended().0 + running >= limit as f64)
    }

    fn is_due_for_files(&self) -> bool {
        self.files_looked_at
            .is_none_or(|looked| looked.elapsed() >= FILES_PERIOD)
    }

    /// Returns the files without a name, each once, if it is time to look at files.
    fn nameless(&self, all: &[Process]) -> HashMap<(u64, u64), Nameless> {
        let all = all.iter().filter(|_| self.is_due_for_files());
        let files = all.flat_map(Process::nameless_files);
        files.map(|file| (file.id, file)).collect()
    }

    /// Returns what the folder holds; more than `enough` is not counted to its end.
    fn on_disk(&self, enough: u64) -> u64 {
        let (mut bytes, mut folders) = (0, vec![self.folder.to_owned()]);
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
