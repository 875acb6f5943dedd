//! A cgroup (version 2) for each program, where one has been delegated to the service.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::plan::Limits;

/// Where cgroups are.
const ROOT: &str = "/sys/fs/cgroup";
/// The controllers that must be there.
const CONTROLLERS: [&str; 2] = ["memory", "pids"];

/// The cgroup of a program; it is removed when dropped. Its files are opened before they can no longer be.
#[derive(Debug)]
pub(crate) struct Cgroup {
    path: PathBuf,
    processes: File,
    kill: File,
}

impl Cgroup {
    /// Makes a cgroup with limits below the one of this process, or beside it.
    pub(crate) fn make(limits: &Limits) -> Result<Self, String> {
        let own = fs::read_to_string("/proc/self/cgroup").map_err(|error| error.to_string())?;
        Self::make_below(&place(Path::new(ROOT), &own)?, std::process::id(), limits)
    }

    /// Returns whether cgroups can be made; why not, otherwise.
    pub(crate) fn probe() -> Option<String> {
        Self::make(&Limits::default()).err()
    }

    fn make_below(parent: &Path, id: u32, limits: &Limits) -> Result<Self, String> {
        let path = parent.join(format!("callboard-{id}"));
        let told = |error: io::Error| format!("{}: {error}", path.display());
        fs::create_dir(&path).map_err(told)?;
        let set = |file: &str, value: u64| fs::write(path.join(file), value.to_string());
        let made = || {
            limits.memory_bytes.map_or(Ok(()), |bytes| set("memory.max", bytes))?;
            limits.processes.map_or(Ok(()), |most| set("pids.max", most + 1))?;
            Ok(Self {
                processes: writable(&path.join("cgroup.procs"))?,
                kill: writable(&path.join("cgroup.kill"))?,
                path: path.clone(),
            })
        };
        made().map_err(|error| {
            let _left_to_the_system = fs::remove_dir(&path);
            told(error)
        })
    }

    /// Moves this process into the cgroup.
    pub(crate) fn enter(&self) -> io::Result<()> {
        (&self.processes).write_all(b"0")
    }

    /// Ends everything in the cgroup.
    pub(crate) fn kill(&self) -> io::Result<()> {
        (&self.kill).write_all(b"1")
    }

    /// Returns whether the kernel has ended a process in it because memory ran out.
    pub(crate) fn was_short_of_memory(&self) -> bool {
        let events = fs::read_to_string(self.path.join("memory.events")).unwrap_or_default();
        let kills = events.lines().find_map(|line| line.strip_prefix("oom_kill "));
        kills.is_some_and(|count| count.trim() != "0")
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        let _left_to_the_system = fs::remove_dir(&self.path);
    }
}

fn writable(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create(true).truncate(false).open(path)
}

/// Returns the cgroup in which others may be made: the one of this process, or the one that it is in. A cgroup with processes of its
/// own passes no controllers on, so a service to which one was delegated puts itself into one below that.
fn place(root: &Path, own: &str) -> Result<PathBuf, String> {
    let own = own.lines().find_map(|line| line.strip_prefix("0::/"));
    let own = own.ok_or("this system has no cgroups of version 2")?;
    let own = root.join(own);
    let candidates = [
        Some(own.as_path()),
        own.parent().filter(|parent| parent.starts_with(root)),
    ];
    let passes_on = |place: &&Path| {
        let passed = fs::read_to_string(place.join("cgroup.subtree_control")).unwrap_or_default();
        CONTROLLERS
            .iter()
            .all(|name| passed.split_whitespace().any(|found| found == *name))
    };
    let found = candidates.into_iter().flatten().find(passes_on);
    let found = found.ok_or_else(|| format!("{} passes no memory and pids controllers on", own.display()))?;
    Ok(found.to_owned())
}

/// The build machines have no cgroups of version 2 with controllers, so these tests have folders in their place: they show what is
/// written where, and not what the kernel makes of it.
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cgroup_is_made_where_controllers_are_passed_on() -> io::Result<()> {
        let root = tempfile::tempdir()?;
        let service = root.path().join("service.scope");
        fs::create_dir_all(service.join("main"))?;
        let own = "4:memory:/other\n0::/service.scope/main\n";
        let refused = place(root.path(), own).err().unwrap_or_default();
        assert!(refused.contains("passes no memory and pids"), "{refused}");
        fs::write(service.join("cgroup.subtree_control"), "cpu pids")?;
        assert!(place(root.path(), own).is_err());
        fs::write(service.join("cgroup.subtree_control"), "cpu memory pids\n")?;
        let parent = place(root.path(), own).map_err(io::Error::other)?;
        assert_eq!(parent, service);
        let limits = Limits {
            memory_bytes: Some(1 << 20),
            processes: Some(5),
            ..Limits::default()
        };
        let group = Cgroup::make_below(&parent, 7, &limits).map_err(io::Error::other)?;
        group.enter()?;
        group.kill()?;
        let read = |file: &str| fs::read_to_string(service.join("callboard-7").join(file));
        assert_eq!(
            (read("memory.max")?, read("pids.max")?),
            ("1048576".to_owned(), "6".to_owned())
        );
        assert_eq!(
            (read("cgroup.procs")?, read("cgroup.kill")?),
            ("0".to_owned(), "1".to_owned())
        );
        assert!(!group.was_short_of_memory());
        fs::write(service.join("callboard-7/memory.events"), "oom 1\noom_kill 2\n")?;
        assert!(group.was_short_of_memory());
        assert!(place(root.path(), "4:memory:/other\n").is_err());
        Ok(())
    }
}
