//! What an operator allows the executions of a service, and the limits that they have.

use std::collections::BTreeSet;

use callboard_core::base::fields::{Faults, Fields};
use serde::{Deserialize, Serialize};

use crate::execution_type::ExecutionType;

const MAX_PATH_BYTES: usize = 1024;
const MAX_MB: u64 = 1024 * 1024;

/// What a service may do.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct SecurityPolicy {
    /// The programs that a shell service may run, by their absolute paths.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allowed_commands: Vec<String>,
    /// The images that a container service may run: their names, for every tag and digest, or names with one of these.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allowed_images: Vec<String>,
    /// What a program of a shell service may read and run in addition to what programs usually need: files and folders, by their
    /// absolute paths. It takes effect where the system has Landlock or namespaces.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub read_paths: Vec<String>,
    /// What a program of a shell service may also change, in addition to its job's folder: files and folders, by their absolute paths.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub write_paths: Vec<String>,
    /// Limits of one execution.
    #[serde(default)]
    pub resource_limits: ResourceLimits,
    /// What an execution may reach.
    pub network: Network,
    /// The isolation without which a job does not start.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub isolation: BTreeSet<Isolation>,
}

/// Limits of one execution. What is absent is not limited; but a container has 512 MiB of memory, 64 MiB to write and 256 processes.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct ResourceLimits {
    /// Seconds of processor time: of all processes of a program together, of each process of a container.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_seconds: Option<u64>,
    /// Memory in MiB: of each process, and of all together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_mb: Option<u64>,
    /// MiB that may be written: what the folder of a program may hold, and each of its files; in a container, `/tmp`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disk_mb: Option<u64>,
    /// Processes and threads at a time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub processes: Option<u64>,
}

/// What an execution may reach.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Network {
    /// Nothing.
    None,
    /// The public internet.
    Public,
    /// Private addresses, too.
    #[default]
    Private,
}

/// A means of isolation.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Isolation {
    /// Landlock: which files a process may open.
    Landlock,
    /// Namespaces: which network, processes and mounts it sees.
    Namespaces,
    /// A cgroup: memory and processes of all together.
    Cgroup,
}

impl SecurityPolicy {
    /// Reads the `security_policy` of a service of a type.
    pub(crate) fn read(fields: &mut Fields<'_>, kind: ExecutionType, faults: &mut Faults) -> Self {
        let pointer = fields.pointer("security_policy");
        let own = fields.get("security_policy");
        let own = own.and_then(|value| Fields::of(value, &pointer, faults));
        let mut policy = Self {
            network: default_network(kind),
            ..Self::default()
        };
        let Some(mut own) = own else { return policy };
        if kind == ExecutionType::Shell {
            policy.allowed_commands = paths(&mut own, "allowed_commands", faults);
            policy.read_paths = paths(&mut own, "read_paths", faults);
            policy.write_paths = paths(&mut own, "write_paths", faults);
        }
        if kind == ExecutionType::Container {
            policy.allowed_images = own.lines("allowed_images", MAX_PATH_BYTES, faults);
        }
        if matches!(kind, ExecutionType::Shell | ExecutionType::Container) {
            policy.resource_limits = ResourceLimits::read(&mut own, faults);
            policy.isolation = isolation(&mut own, faults);
        }
        if own.get("network").is_some() {
            let word = own.variant("network", networks(kind), faults);
            policy.network = match word {
                Some("none") => Network::None,
                Some("public") => Network::Public,
                _ => Network::Private,
            };
        }
        own.finish(faults);
        policy
    }
}

impl ResourceLimits {
    fn read(fields: &mut Fields<'_>, faults: &mut Faults) -> Self {
        let pointer = fields.pointer("resource_limits");
        let own = fields.get("resource_limits");
        let Some(mut own) = own.and_then(|value| Fields::of(value, &pointer, faults)) else {
            return Self::default();
        };
        let limits = Self {
            cpu_seconds: own.integer("cpu_seconds", 1, 7 * 24 * 3600, faults),
            memory_mb: own.integer("memory_mb", 1, MAX_MB, faults),
            disk_mb: own.integer("disk_mb", 1, MAX_MB, faults),
            processes: own.integer("processes", 1, 65_536, faults),
        };
        own.finish(faults);
        limits
    }
}

/// Reads a list of absolute paths.
fn paths(fields: &mut Fields<'_>, name: &'static str, faults: &mut Faults) -> Vec<String> {
    let paths = fields.lines(name, MAX_PATH_BYTES, faults);
    for (index, path) in paths.iter().enumerate() {
        if !is_plain_path(path) {
            let pointer = format!("{}/{index}", fields.pointer(name));
            faults.add(pointer, "must be an absolute path without `.` and `..`");
        }
    }
    paths
}

/// Returns whether a path is absolute and is what it seems to be.
pub(crate) fn is_plain_path(path: &str) -> bool {
    let Some(path) = path.strip_prefix('/') else {
        return false;
    };
    !path.is_empty() && path.split('/').all(|part| !matches!(part, "" | "." | ".."))
}

fn default_network(kind: ExecutionType) -> Network {
    match kind {
        ExecutionType::Http | ExecutionType::Function => Network::Public,
        ExecutionType::Shell => Network::Private,
        ExecutionType::Container => Network::None,
    }
}

fn networks(kind: ExecutionType) -> &'static [&'static str] {
    match kind {
        ExecutionType::Http | ExecutionType::Function => &["public", "private"],
        ExecutionType::Shell | ExecutionType::Container => &["none", "private"],
    }
}

fn isolation(fields: &mut Fields<'_>, faults: &mut Faults) -> BTreeSet<Isolation> {
    let words = fields.lines("isolation", MAX_PATH_BYTES, faults);
    let mut demanded = BTreeSet::new();
    for (index, word) in words.iter().enumerate() {
        match serde_json::from_value(word.as_str().into()) {
            Ok(means) => {
                demanded.insert(means);
            }
            Err(_) => faults.add(
                format!("{}/{index}", fields.pointer("isolation")),
                "is not known here; known are landlock, namespaces, cgroup",
            ),
        }
    }
    demanded
}
