//! Compares a container that an engine has made with what was asked for: engines ignore limits that their system does not have.

use std::collections::BTreeSet;

use bollard::models::{ContainerCreateBody, ContainerInspectResponse, HostConfig};
use callboard_kind_service::security::Isolation;

/// The capabilities that every engine gives by default. Podman does not repeat `ALL`, it lists what it has dropped.
const DEFAULT_CAPABILITIES: [&str; 11] = [
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "NET_BIND_SERVICE",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_CHROOT",
];

/// What a container is isolated by, and what it lacks.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Verified {
    pub(crate) applied: Vec<&'static str>,
    pub(crate) missing: Vec<&'static str>,
}

impl Verified {
    /// Reads what an engine says of a container.
    pub(crate) fn of(
        asked: &ContainerCreateBody,
        made: &ContainerInspectResponse,
        demanded: &BTreeSet<Isolation>,
    ) -> Self {
        let nothing = HostConfig::default();
        let wanted = asked.host_config.as_ref().unwrap_or(&nothing);
        let host = made.host_config.as_ref().unwrap_or(&nothing);
        let mut verified = Self::default();
        let user = made.config.as_ref().and_then(|config| config.user.as_ref());
        for (word, is_applied) in [
            ("no_capabilities", has_no_capabilities(host)),
            ("no_new_privileges", has_no_new_privileges(host)),
            ("non_root", asked.user.is_some() && user == asked.user.as_ref()),
            ("read_only", host.readonly_rootfs == Some(true)),
            ("no_host_files", has_no_host_files(host, made)),
            ("namespaces", has_namespaces(host)),
            (network_word(wanted), has_network(wanted, host)),
            (
                "memory",
                host.memory == wanted.memory && host.memory_swap == wanted.memory_swap,
            ),
            ("processes", host.pids_limit == wanted.pids_limit),
        ] {
            verified.tell(word, is_applied);
        }
        if wanted.nano_cpus.is_some() {
            verified.tell("cpus", has_cpus(wanted, host));
        }
        if has_ulimit(wanted, "cpu") {
            verified.tell("cpu_seconds", has_ulimit(host, "cpu"));
        }
        if demanded.contains(&Isolation::Landlock) {
            verified.missing.push("landlock");
        }
        verified
    }

    fn tell(&mut self, word: &'static str, is_applied: bool) {
        if is_applied {
            &mut self.applied
        } else {
            &mut self.missing
        }
        .push(word);
    }
}

fn has_no_capabilities(host: &HostConfig) -> bool {
    let plain = |name: &String| name.to_ascii_uppercase().trim_start_matches("CAP_").to_owned();
    let dropped: BTreeSet<String> = host.cap_drop.iter().flatten().map(plain).collect();
    let all = dropped.contains("ALL") || DEFAULT_CAPABILITIES.iter().all(|name| dropped.contains(*name));
    all && host.cap_add.iter().flatten().next().is_none() && host.privileged != Some(true)
}

fn has_no_new_privileges(host: &HostConfig) -> bool {
    let mut options = host.security_opt.iter().flatten();
    options.any(|option| {
        matches!(
            option.as_str(),
            "no-new-privileges" | "no-new-privileges:true" | "no-new-privileges=true"
        )
    })
}

/// Folders in memory are all that is mounted.
fn has_no_host_files(host: &HostConfig, made: &ContainerInspectResponse) -> bool {
    let mut mounts = made.mounts.iter().flatten();
    host.binds.iter().flatten().next().is_none()
        && host.devices.iter().flatten().next().is_none()
        && host.device_requests.iter().flatten().next().is_none()
        && host.volumes_from.iter().flatten().next().is_none()
        && mounts.all(|mount| mount.typ.as_deref() == Some("tmpfs"))
}

fn has_namespaces(host: &HostConfig) -> bool {
    let modes = [&host.pid_mode, &host.ipc_mode, &host.uts_mode, &host.userns_mode];
    modes.into_iter().flatten().all(|mode| is_own(mode))
}

/// Returns whether a namespace is neither that of the host nor that of another container.
fn is_own(mode: &str) -> bool {
    mode != "host" && !mode.starts_with("container:") && !mode.starts_with("ns:")
}

fn network_word(wanted: &HostConfig) -> &'static str {
    match wanted.network_mode.as_deref() {
        Some("none") => "no_network",
        _ => "private_network",
    }
}

fn has_network(wanted: &HostConfig, host: &HostConfig) -> bool {
    match (wanted.network_mode.as_deref(), host.network_mode.as_deref()) {
        (Some("none"), made) => made == Some("none"),
        // rootless engines have other words for a network of the container's own
        (_, Some(made)) => is_own(made),
        (_, None) => false,
    }
}

fn has_cpus(wanted: &HostConfig, host: &HostConfig) -> bool {
    let by_quota = || {
        let (quota, period) = (host.cpu_quota?, host.cpu_period.filter(|period| *period > 0)?);
        quota.checked_mul(1_000_000_000).map(|nano| nano / period)
    };
    host.nano_cpus == wanted.nano_cpus || by_quota() == wanted.nano_cpus
}

fn has_ulimit(host: &HostConfig, name: &str) -> bool {
    let mut limits = host.ulimits.iter().flatten();
    limits.any(|limit| {
        let known = limit.name.as_deref().unwrap_or_default().to_ascii_lowercase();
        known.trim_start_matches("rlimit_") == name
    })
}
