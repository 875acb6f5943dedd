//! Where a deployment's tasks run.

use callboard_identity::Endpoints;
use serde_json::{Value, json};

/// Where a deployment's tasks run.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// The addresses of AWS's services.
    pub endpoints: Endpoints,
    /// The cluster, by its name or ARN; empty if the deployment has none.
    pub cluster: String,
    /// The group of the tasks, by which the events of their ends are found.
    pub group: String,
    /// The subnets of the tasks.
    pub subnets: Vec<String>,
    /// The security groups of the tasks; that of the VPC by default.
    pub security_groups: Vec<String>,
    /// Whether the tasks have public addresses, as they need in a public subnet to pull their images.
    pub public_address: bool,
}

impl Settings {
    /// Reads the variables that the template passes: `CALLBOARD_TASK_CLUSTER`, `CALLBOARD_TASK_GROUP`, `CALLBOARD_TASK_SUBNETS`,
    /// `CALLBOARD_TASK_SECURITY_GROUPS` and `CALLBOARD_TASK_PUBLIC_ADDRESS` (`ENABLED` or `DISABLED`).
    #[must_use]
    pub fn from_environment() -> Self {
        let variable = |name| std::env::var(name).unwrap_or_default();
        let list = |name| {
            let words = variable(name);
            let words = words.split(',').map(str::trim).filter(|word| !word.is_empty());
            words.map(str::to_owned).collect()
        };
        Self {
            endpoints: Endpoints::from_environment(),
            cluster: variable("CALLBOARD_TASK_CLUSTER"),
            group: variable("CALLBOARD_TASK_GROUP"),
            subnets: list("CALLBOARD_TASK_SUBNETS"),
            security_groups: list("CALLBOARD_TASK_SECURITY_GROUPS"),
            public_address: variable("CALLBOARD_TASK_PUBLIC_ADDRESS") == "ENABLED",
        }
    }

    /// Returns the network configuration of a task.
    pub(crate) fn network(&self) -> Value {
        json!({"awsvpcConfiguration": {
            "subnets": self.subnets,
            "securityGroups": self.security_groups,
            "assignPublicIp": if self.public_address { "ENABLED" } else { "DISABLED" },
        }})
    }
}
