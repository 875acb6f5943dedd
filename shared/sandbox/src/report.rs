//! What the launcher reports: one JSON object for each line.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::plan::Means;

/// A report of the launcher.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub enum Report {
    /// The program runs, isolated by these means.
    Started(Vec<String>),
    /// The program was not started.
    Unstarted(Failure),
    /// The program and everything that it has started have ended.
    Ended(Ending),
    /// What the system can enforce.
    Probed(Abilities),
}

/// Why a program was not started.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Failure {
    /// What sort of failure it is.
    pub cause: Cause,
    /// What is wrong, as the beginning of a sentence.
    pub error: String,
}

/// Sorts of failures.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// The system cannot give an isolation that is demanded.
    Isolation,
    /// The program may not, or cannot, be run.
    Program,
    /// The machine is short of processes, open files or memory.
    Shortage,
    /// Something else broke.
    System,
}

/// How a program ended, and what it used with everything that it has started.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Ending {
    /// Its exit code; if a signal ended it, 128 plus the signal's number.
    pub code: i32,
    /// The limit that ended it.
    pub limit: Option<Limit>,
    /// Seconds of processor time.
    pub cpu_seconds: f64,
    /// The peak memory of its largest process.
    pub peak_memory_bytes: u64,
}

/// A limit that was reached.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Limit {
    /// Processor time.
    Cpu,
    /// Memory of all processes together.
    Memory,
    /// The folder.
    Disk,
    /// The size of a file.
    FileSize,
    /// Processes and threads.
    Processes,
}

/// What the system can enforce, as far as it was tried.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Abilities {
    /// The version of Landlock's interface; `None` if there is none.
    pub landlock: Option<i32>,
    /// Whether namespaces can be made; why not, otherwise.
    pub namespaces: Option<String>,
    /// Whether a cgroup can be made for each program; why not, otherwise.
    pub cgroup: Option<String>,
}

impl Abilities {
    /// Returns whether namespaces can be made.
    #[must_use]
    pub fn has_namespaces(&self) -> bool {
        self.namespaces.is_none()
    }
}

impl fmt::Display for Abilities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let told = |without: &Option<String>| match without {
            None => "yes".to_owned(),
            Some(why) => format!("no ({why})"),
        };
        match self.landlock {
            Some(version) => write!(f, "Landlock: version {version}")?,
            None => f.write_str("Landlock: no (the kernel does not have it, or it is not enabled)")?,
        }
        let (namespaces, cgroup) = (told(&self.namespaces), told(&self.cgroup));
        write!(f, "; namespaces: {namespaces}; cgroups: {cgroup}")
    }
}

impl Failure {
    /// Makes a failure of the system.
    pub(crate) fn system(what: &str, error: impl Into<std::io::Error>) -> Self {
        let error = error.into();
        let short = [libc::EAGAIN, libc::ENOMEM, libc::EMFILE, libc::ENFILE].map(Some);
        Self {
            cause: if short.contains(&error.raw_os_error()) {
                Cause::Shortage
            } else {
                Cause::System
            },
            error: format!("{what}: {error}"),
        }
    }

    /// Makes a failure of the program.
    pub(crate) fn program(error: impl Into<String>) -> Self {
        Self {
            cause: Cause::Program,
            error: error.into(),
        }
    }

    /// Makes a failure to give an isolation.
    pub(crate) fn isolation(means: Means, why: &str) -> Self {
        let means = match means {
            Means::Landlock => "landlock",
            Means::Namespaces => "namespaces",
            Means::Cgroup => "cgroup",
        };
        Self {
            cause: Cause::Isolation,
            error: format!("the service demands the isolation {means}, which this system cannot give: {why}"),
        }
    }
}
