//! Inspects the processes of this machine through `/proc`.

use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

use anyhow::Context;
use rustix::process::{Pid, Signal, kill_process};

/// A process, either alive or a zombie.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Process {
    /// Its id.
    pub pid: u32,
    /// Its parent's id.
    pub parent: u32,
    /// Whether it has ended but its parent has not collected its exit status.
    pub zombie: bool,
}

/// Returns the living processes whose command line contains `marker`.
#[must_use]
pub fn with_marker(marker: &str) -> Vec<u32> {
    let holds = |pid: &u32| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).contains(marker)
    };
    pids().filter(holds).collect()
}

/// Returns the living processes that had a variable starting with this text (`NAME=value`) when they were started.
#[must_use]
pub fn with_variable(beginning: &str) -> Vec<u32> {
    let holds = |pid: &u32| {
        let variables = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        let mut variables = variables.split(|&byte| byte == 0);
        variables.any(|variable| variable.starts_with(beginning.as_bytes()))
    };
    pids().filter(holds).collect()
}

/// Returns the resident memory of a process, in KiB.
///
/// # Errors
/// The process is gone.
pub fn resident_kib(pid: u32) -> anyhow::Result<u64> {
    status_kib(pid, "VmRSS:")
}

/// Returns the peak resident memory of a process since it started, in KiB.
///
/// # Errors
/// The process is gone.
pub fn peak_kib(pid: u32) -> anyhow::Result<u64> {
    status_kib(pid, "VmHWM:")
}

/// Returns the processor time that a process has used, without its children.
///
/// # Errors
/// The process is gone.
pub fn processor_time(pid: u32) -> anyhow::Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let (_, fields) = stat.rsplit_once(')').context("a name in parentheses")?;
    let times = fields.split_whitespace().skip(11).take(2).map(str::parse::<u64>);
    let ticks: u64 = times.sum::<Result<_, _>>()?;
    Ok(Duration::from_secs(ticks) / u32::try_from(rustix::param::clock_ticks_per_second())?)
}

fn status_kib(pid: u32, name: &str) -> anyhow::Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|line| line.split_whitespace().next());
    Ok(number.context("a resident size")?.parse()?)
}

/// Returns all descendants of a process: its children, their children, and so on.
#[must_use]
pub fn descendants(root: u32) -> Vec<Process> {
    let all: Vec<Process> = pids().filter_map(read).collect();
    let mut family = BTreeSet::from([root]);
    loop {
        let before = family.len();
        family.extend(
            all.iter()
                .filter(|one| family.contains(&one.parent))
                .map(|one| one.pid)
                .collect::<Vec<_>>(),
        );
        if family.len() == before {
            break;
        }
    }
    let below = |one: &Process| one.pid != root && family.contains(&one.pid);
    all.into_iter().filter(below).collect()
}

/// Returns whether a process exists and is not a zombie.
#[must_use]
pub fn lives(pid: u32) -> bool {
    read(pid).is_some_and(|process| !process.zombie)
}

/// Sends a signal; it is not an error if the process has already ended.
///
/// # Errors
/// The number is not a process id.
pub fn signal(pid: u32, signal: Signal) -> anyhow::Result<()> {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    let _gone = kill_process(pid.context("no process id")?, signal);
    Ok(())
}

fn pids() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

fn read(pid: u32) -> Option<Process> {
    let stat = fs::read(format!("/proc/{pid}/stat")).ok()?;
    let stat = String::from_utf8_lossy(&stat);
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?;
    Some(Process {
        pid,
        parent: fields.next()?.parse().ok()?,
        zombie: matches!(state, "Z" | "X"),
    })
}
