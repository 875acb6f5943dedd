//! What is to be run, and how it is to be confined.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// What is to be run, and how it is to be confined. It has no `Debug`, since the environment may hold secrets.
#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// The program, by its absolute path.
    pub program: PathBuf,
    /// The SHA-256 digest that its file must have.
    pub sha256: Option<[u8; 32]>,
    /// Its arguments, without its name.
    pub arguments: Vec<String>,
    /// The programs that may interpret it, if it is a script.
    pub interpreters: Vec<PathBuf>,
    /// All of its variables.
    pub environment: BTreeMap<String, String>,
    /// The folder that it is started in, and may change.
    pub folder: PathBuf,
    /// Its standard input; nothing if absent.
    pub stdin: Option<String>,
    /// Its limits.
    pub limits: Limits,
    /// Whether it may reach the network.
    pub network: bool,
    /// What it may read and run in addition to what programs usually need, and to the system's settings.
    pub read: Vec<PathBuf>,
    /// What it may change in addition to its folder.
    pub write: Vec<PathBuf>,
    /// Whether namespaces are made: they are known to work here.
    pub namespaces: bool,
    /// The means without which it is not started.
    pub demanded: BTreeSet<Means>,
}

/// Limits of the program and of everything that it starts; what is absent is not limited.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Seconds of processor time.
    pub cpu_seconds: Option<u64>,
    /// Bytes of memory: of each process, and of all together.
    pub memory_bytes: Option<u64>,
    /// Bytes of its folder, and of each file that it writes.
    pub disk_bytes: Option<u64>,
    /// Processes and threads at a time.
    pub processes: Option<u64>,
}

/// A means of isolation that can be demanded.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Means {
    /// Landlock.
    Landlock,
    /// Namespaces: user, processes, mounts, System V IPC and host name; the network, where none is allowed.
    Namespaces,
    /// A cgroup (version 2) of its own.
    Cgroup,
}

/// What is asked of the launcher.
#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub enum Task {
    /// To run a program.
    Run(Box<Plan>),
    /// To find out what the system can enforce.
    Probe,
}
