//! The task definition that a service names, and its container that the service runs.

use std::collections::BTreeMap;

use callboard_kind_service::config::{ContainerConfig, repository};
use callboard_kind_service::security::{Isolation, Network, SecurityPolicy};
use serde::Deserialize;

use crate::logs::Source;

/// What is read of a task definition.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Definition {
    pub(crate) task_definition_arn: String,
    container_definitions: Vec<Container>,
}

/// What is read of a container of a task definition.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Container {
    pub(crate) name: String,
    image: String,
    user: Option<String>,
    #[serde(default)]
    privileged: bool,
    #[serde(default)]
    readonly_root_filesystem: bool,
    linux_parameters: Option<LinuxParameters>,
    log_configuration: Option<LogConfiguration>,
}

#[derive(Debug, Deserialize)]
struct LinuxParameters {
    capabilities: Option<Capabilities>,
}

#[derive(Debug, Deserialize)]
struct Capabilities {
    #[serde(default)]
    drop: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct LogConfiguration {
    log_driver: String,
    #[serde(default)]
    options: BTreeMap<String, String>,
}

impl Definition {
    /// Finds the container that a service runs: the one whose image the service names.
    ///
    /// # Errors
    /// A sentence that says that there is none.
    pub(crate) fn container(&self, config: &ContainerConfig) -> Result<&Container, String> {
        let is_it = |container: &&Container| {
            let has_version = repository(&config.image) != config.image;
            container.image == config.image || !has_version && repository(&container.image) == config.image
        };
        self.container_definitions.iter().find(is_it).ok_or_else(|| {
            let images: Vec<&str> = self.container_definitions.iter().map(|one| one.image.as_str()).collect();
            format!(
                "The task definition {} has no container of the image {}, only of {}. Name one of them as the operation's image.",
                self.task_definition_arn,
                config.image,
                images.join(", ")
            )
        })
    }

    /// Returns the family and the revision.
    pub(crate) fn short_name(&self) -> &str {
        let name = self.task_definition_arn.rsplit('/').next();
        name.unwrap_or(&self.task_definition_arn)
    }
}

impl Container {
    /// Returns where its output is.
    ///
    /// # Errors
    /// A sentence that says that it is nowhere.
    pub(crate) fn logs(&self, definition: &Definition) -> Result<Source, String> {
        let configured = self
            .log_configuration
            .as_ref()
            .filter(|logs| logs.log_driver == "awslogs");
        let option = |name: &str| configured?.options.get(name).cloned();
        let (group, region, prefix) = (
            option("awslogs-group"),
            option("awslogs-region"),
            option("awslogs-stream-prefix"),
        );
        match (group, region, prefix) {
            (Some(group), Some(region), Some(prefix)) => Ok(Source {
                group,
                region,
                stream: format!("{prefix}/{}", self.name),
            }),
            _ => Err(format!(
                "The container {} of the task definition {} does not log by awslogs with a group, a region and a stream prefix, so that \
                 its output would be lost. Add that to its logConfiguration.",
                self.name,
                definition.short_name()
            )),
        }
    }

    /// Returns what of an operation a task cannot give, as parts of a sentence.
    pub(crate) fn missing(&self, config: &ContainerConfig, policy: &SecurityPolicy) -> Vec<String> {
        let limits = policy.resource_limits;
        let is_root = |user: &str| matches!(user.split(':').next(), Some("" | "0" | "root"));
        let mut missing = Vec::new();
        let mut demand = |is_missing: bool, what: &str| {
            if is_missing {
                missing.push(what.to_owned());
            }
        };
        demand(
            policy.network == Network::None,
            "no network (a task has that of its subnets and security groups: set network: private)",
        );
        demand(policy.isolation.contains(&Isolation::Landlock), "landlock");
        demand(limits.cpu_seconds.is_some(), "a limit of cpu_seconds");
        demand(limits.disk_mb.is_some(), "a limit of disk_mb");
        demand(limits.processes.is_some(), "a limit of processes");
        demand(config.stdin, "a standard input");
        demand(
            self.user.as_deref().is_none_or(is_root),
            "a user that is not root (its container definition has to name one)",
        );
        demand(self.privileged, "a container without privileges");
        missing
    }

    /// Lists what its task is isolated by.
    pub(crate) fn isolation(&self) -> Vec<String> {
        let capabilities = self
            .linux_parameters
            .as_ref()
            .and_then(|linux| linux.capabilities.as_ref());
        let drops_all = capabilities.is_some_and(|capabilities| capabilities.drop.iter().any(|name| name == "ALL"));
        let words = [
            ("fargate", true),
            ("namespaces", true),
            ("cgroup", true),
            ("non_root", true),
            ("private_network", true),
            ("read_only", self.readonly_root_filesystem),
            ("no_capabilities", drops_all),
        ];
        let applied = words.into_iter().filter(|(_, is_applied)| *is_applied);
        applied.map(|(word, _)| word.to_owned()).collect()
    }
}
