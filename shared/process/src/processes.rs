//! Processes that outlived their job's supervisor become children of this process and are ended here; so are processes
//! that outlived their service.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::process::{Pid, Signal, WaitOptions, getpid, getsid, kill_process, set_child_subreaper, waitpid};

/// One line of `/proc/PID/stat`, reduced to the fields needed.
struct Stat {
    pid: i32,
    parent: i32,
    zombie: bool,
}

/// Makes orphans among our descendants our children instead of init's (Linux `prctl`).
pub(crate) fn become_subreaper() -> std::io::Result<()> {
    Ok(set_child_subreaper(Some(getpid()))?)
}

/// Kills every process that was orphaned to us, with its descendants, except those in `known`.
///
/// An orphan is a child in a session other than ours: our own children stay in our session, and everything that the
/// host starts leaves it. Returns the processes that were found, including dead ones: the child of a process that ends
/// meanwhile may become ours only after we have looked.
pub(crate) fn end_strays(known: &BTreeSet<i32>) -> Vec<i32> {
    let own_session = getsid(None).ok();
    let me = getpid().as_raw_nonzero().get();
    let stats = all();
    let mut children: HashMap<i32, Vec<&Stat>> = HashMap::new();
    for stat in &stats {
        children.entry(stat.parent).or_default().push(stat);
    }
    let is_stray = |stat: &&&Stat| !known.contains(&stat.pid) && getsid(Pid::from_raw(stat.pid)).ok() != own_session;
    let mut queue: Vec<&Stat> = children
        .get(&me)
        .into_iter()
        .flatten()
        .filter(is_stray)
        .copied()
        .collect();
    let mut found = Vec::new();
    while let Some(stat) = queue.pop() {
        queue.extend(children.get(&stat.pid).into_iter().flatten().copied());
        end(stat, me);
        found.push(stat.pid);
    }
    found
}

/// Kills this user's processes whose folder for temporary files is `folder` or below it; the programs that a service runs for
/// its jobs have such a folder. Returns how many there were.
pub(crate) fn end_marked(folder: &Path) -> usize {
    let mut found = 0;
    for stat in marked(folder) {
        end(&stat, getpid().as_raw_nonzero().get());
        found += 1;
    }
    found
}

/// Returns whether there is such a process.
pub(crate) fn has_marked(folder: &Path) -> bool {
    marked(folder).next().is_some()
}

fn marked(folder: &Path) -> impl Iterator<Item = Stat> {
    let mark = [b"TMPDIR=", folder.as_os_str().as_bytes()].concat();
    let is_marked = move |entry: &[u8]| match entry.strip_prefix(mark.as_slice()) {
        Some(below) => below.is_empty() || below.starts_with(b"/"),
        None => false,
    };
    all().into_iter().filter(move |stat| {
        let environment = fs::read(format!("/proc/{}/environ", stat.pid)).unwrap_or_default();
        !stat.zombie && environment.split(|&byte| byte == 0).any(&is_marked)
    })
}

/// Returns whether there is a process of a user, or one that may become that user's again.
pub(crate) fn has_any_of(uid: u32) -> bool {
    of_user(uid).next().is_some()
}

/// Kills the processes of a user; returns whether there were any.
pub(crate) fn end_all_of(uid: u32) -> bool {
    let me = getpid().as_raw_nonzero().get();
    of_user(uid).map(|stat| end(&stat, me)).count() > 0
}

fn of_user(uid: u32) -> impl Iterator<Item = Stat> {
    let uid = uid.to_string();
    let has_it = move |stat: &Stat| {
        let status = fs::read(format!("/proc/{}/status", stat.pid)).unwrap_or_default();
        let status = String::from_utf8_lossy(&status);
        // the real one, the effective one, the saved one, and that for files
        let ids = status.lines().find_map(|line| line.strip_prefix("Uid:"));
        ids.is_some_and(|ids| ids.split_whitespace().any(|id| id == uid))
    };
    all().into_iter().filter(move |stat| !stat.zombie && has_it(stat))
}

/// Collects a process that became our child when the host died; returns whether nothing is left to collect.
pub(crate) fn collect(pid: i32) -> bool {
    let waited = Pid::from_raw(pid).map(|pid| waitpid(Some(pid), WaitOptions::NOHANG));
    !matches!(waited, Some(Ok(None)))
}

/// Returns whether a process has ended; by then its children have another parent.
pub(crate) fn has_ended(pid: i32) -> bool {
    read(pid).is_none_or(|stat| stat.zombie)
}

/// Kills a living process, or collects a dead child of ours.
fn end(stat: &Stat, me: i32) {
    let Some(pid) = Pid::from_raw(stat.pid) else { return };
    if !stat.zombie {
        let _gone = kill_process(pid, Signal::KILL);
    } else if stat.parent == me {
        let _collected = waitpid(Some(pid), WaitOptions::NOHANG);
    }
}

fn all() -> Vec<Stat> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter_map(|entry| read(entry.file_name().to_str()?.parse().ok()?))
        .collect()
}

fn read(pid: i32) -> Option<Stat> {
    let text = fs::read(format!("/proc/{pid}/stat")).ok()?;
    let text = String::from_utf8_lossy(&text);
    let mut fields = text.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?;
    Some(Stat {
        pid,
        parent: fields.next()?.parse().ok()?,
        zombie: matches!(state, "Z" | "X"),
    })
}
