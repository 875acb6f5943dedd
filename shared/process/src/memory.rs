//! Detects whether the kernel has killed a process because memory ran out.

use std::fs;
use std::path::PathBuf;

/// Counts the kernel's kills since it was made.
#[derive(Debug)]
pub struct Kills {
    before: Option<u64>,
}

impl Kills {
    /// Starts to count.
    #[must_use]
    pub fn watch() -> Self {
        Self { before: count() }
    }

    /// Returns whether there was a kill; false if the kernel does not report it.
    #[must_use]
    pub fn happened(&self) -> bool {
        self.before.zip(count()).is_some_and(|(before, now)| now > before)
    }
}

/// Returns how many processes the kernel has killed because memory ran out: in our control group if it reports that,
/// otherwise on the whole machine.
fn count() -> Option<u64> {
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let counted = groups
        .lines()
        .filter_map(counter)
        .find_map(|file| read(&fs::read_to_string(file).ok()?));
    counted.or_else(|| read(&fs::read_to_string("/proc/vmstat").ok()?))
}

/// Returns the file with a control group's counters, from the group's line in `/proc/self/cgroup`: `ID:CONTROLLERS:PATH`.
fn counter(line: &str) -> Option<PathBuf> {
    let mut parts = line.splitn(3, ':');
    let (_, controllers, path) = (parts.next()?, parts.next()?, parts.next()?.trim_start_matches('/'));
    match controllers {
        "" => Some(PathBuf::from("/sys/fs/cgroup").join(path).join("memory.events")),
        _ if controllers.split(',').any(|name| name == "memory") => Some(
            PathBuf::from("/sys/fs/cgroup/memory")
                .join(path)
                .join("memory.oom_control"),
        ),
        _ => None,
    }
}

/// Reads the number of kills from a file whose lines have a name and a number.
fn read(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("oom_kill "))?;
    line.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_counter_is_found_in_either_version_of_control_groups() {
        let at = |line| counter(line).map(|path| path.display().to_string());
        assert_eq!(
            at("0::/user/job"),
            Some("/sys/fs/cgroup/user/job/memory.events".to_owned())
        );
        let first = "/sys/fs/cgroup/memory/job/memory.oom_control".to_owned();
        assert_eq!(at("4:memory:/job"), Some(first));
        assert_eq!(at("3:cpu,cpuacct:/job"), None);
    }

    #[test]
    fn the_kernel_s_own_files_are_read() {
        assert_eq!(read("low 0\nhigh 0\noom 3\noom_kill 2\n"), Some(2));
        assert_eq!(read("oom_kill_disable 0\nunder_oom 0\noom_kill 5\n"), Some(5));
        assert_eq!(read("nothing 1\n"), None);
        assert!(count().is_some(), "this kernel counts nowhere");
    }
}
