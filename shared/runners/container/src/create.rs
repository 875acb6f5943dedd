//! Says what container an engine is to make.

use std::collections::HashMap;

use bollard::models::{ContainerCreateBody, HealthConfig, HostConfig, HostConfigLogConfig, ResourcesUlimits};
use callboard_core::job::Job;
use callboard_kind_service::config::ContainerConfig;
use callboard_kind_service::security::{Network, SecurityPolicy};

use crate::limits::Bounds;
use crate::prepare::Prepared;

/// The label with the id of the job.
const JOB: &str = "dev.callboard.job";
/// The label with the number of the attempt.
const ATTEMPT: &str = "dev.callboard.attempt";
/// The label with the instance that has made the container.
pub(crate) const INSTANCE: &str = "dev.callboard.instance";
const OPEN_FILES: i64 = 1024;
const SHARED_MEMORY: i64 = 64 * 1024 * 1024;
/// How long a process may go on that is told that its processor time is over.
const LAST_SECONDS: i64 = 5;

/// What a container is made of.
pub(crate) struct Wanted<'a> {
    pub(crate) job: &'a Job,
    pub(crate) instance: &'a str,
    pub(crate) config: &'a ContainerConfig,
    pub(crate) policy: &'a SecurityPolicy,
    pub(crate) prepared: &'a Prepared,
    pub(crate) bounds: Bounds,
}

/// Returns the name of a job's container.
pub(crate) fn name(job: &Job) -> String {
    format!("callboard-{}-{}", job.id, job.state.attempt)
}

impl Wanted<'_> {
    /// Returns the container as the engine's interface describes it. The image decides nothing about its isolation.
    pub(crate) fn body(&self) -> ContainerCreateBody {
        let labels = [
            (JOB, self.job.id.to_string()),
            (ATTEMPT, self.job.state.attempt.to_string()),
            (INSTANCE, self.instance.to_owned()),
        ];
        let given = |list: &[String]| (!list.is_empty()).then(|| list.to_vec());
        let prepared = self.prepared;
        let variables = prepared.environment.variables.iter();
        ContainerCreateBody {
            image: Some(prepared.image.id.clone()),
            user: Some(self.config.user.clone()),
            entrypoint: given(&prepared.command),
            cmd: given(&prepared.args),
            env: Some(variables.map(|variable| variable.expose().to_owned()).collect()),
            labels: Some(labels.map(|(name, value)| (name.to_owned(), value)).into()),
            attach_stdin: Some(self.config.stdin),
            open_stdin: Some(self.config.stdin),
            stdin_once: Some(self.config.stdin),
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            tty: Some(false),
            stop_signal: Some("SIGTERM".to_owned()),
            healthcheck: prepared.image.has_healthcheck.then(|| HealthConfig {
                test: Some(vec!["NONE".to_owned()]),
                ..HealthConfig::default()
            }),
            host_config: Some(self.host()),
            ..ContainerCreateBody::default()
        }
    }

    fn host(&self) -> HostConfig {
        let bounds = &self.bounds;
        HostConfig {
            cap_drop: Some(vec!["ALL".to_owned()]),
            security_opt: Some(vec!["no-new-privileges".to_owned()]),
            privileged: Some(false),
            readonly_rootfs: Some(true),
            tmpfs: Some(self.tmpfs()),
            shm_size: Some(SHARED_MEMORY.min(bounds.disk)),
            network_mode: Some(network(self.policy.network).to_owned()),
            ipc_mode: Some("private".to_owned()),
            memory: Some(bounds.memory),
            memory_swap: Some(bounds.memory),
            nano_cpus: bounds.nano_cpus,
            pids_limit: Some(bounds.processes),
            ulimits: Some(ulimits(bounds)),
            // the first process of a container ignores SIGTERM unless it handles it, and nobody collects orphans
            init: Some(true),
            // its output is read while it runs, and kept by Callboard alone
            log_config: Some(HostConfigLogConfig {
                typ: Some("none".to_owned()),
                config: None,
            }),
            auto_remove: Some(false),
            ..HostConfig::default()
        }
    }

    /// Returns the folders in memory: `/tmp`, and those that the image declares as volumes, which would be on the engine's disk.
    fn tmpfs(&self) -> HashMap<String, String> {
        let options = format!("rw,noexec,nosuid,nodev,mode=1777,size={}", self.bounds.disk);
        let folders = std::iter::once("/tmp").chain(self.prepared.image.volumes.iter().map(String::as_str));
        folders.map(|folder| (folder.to_owned(), options.clone())).collect()
    }
}

/// Returns the engine's word for a network.
fn network(network: Network) -> &'static str {
    match network {
        Network::Private => "bridge",
        Network::None | Network::Public => "none",
    }
}

fn ulimits(bounds: &Bounds) -> Vec<ResourcesUlimits> {
    let mut limits = vec![("core", 0, 0), ("nofile", OPEN_FILES, OPEN_FILES)];
    let seconds = bounds
        .cpu_seconds
        .map(|time| i64::try_from(time.as_secs()).unwrap_or(i64::MAX));
    limits.extend(seconds.map(|seconds| ("cpu", seconds, seconds.saturating_add(LAST_SECONDS))));
    let limits = limits.into_iter().map(|(name, soft, hard)| ResourcesUlimits {
        name: Some(name.to_owned()),
        soft: Some(soft),
        hard: Some(hard),
    });
    limits.collect()
}
