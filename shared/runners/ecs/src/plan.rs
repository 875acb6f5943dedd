//! What of a task a job decides: the arguments and variables of its container.

use callboard_kind_service::config::{ContainerConfig, Variable};
use callboard_kind_service::security::ResourceLimits;
use callboard_kind_service::template::{arguments, line};
use serde_json::{Map, Value, json};

/// How much of what is called is shown, in characters.
const MAX_CALLED_CHARS: usize = 2000;
/// How much ECS takes.
const MAX_OVERRIDE_BYTES: usize = 8192;

/// What a container is to run, besides its definition.
pub(crate) struct Plan {
    /// Its entry point's arguments; none leaves those of the definition.
    command: Vec<String>,
    environment: Vec<Value>,
}

impl Plan {
    /// Makes the plan of an input.
    ///
    /// # Errors
    /// A sentence that says why a job cannot be run so.
    pub(crate) fn new(config: &ContainerConfig, input: &Map<String, Value>) -> Result<Self, String> {
        let values = Value::Object(input.clone());
        let command = arguments(config.command.iter().chain(&config.args), &values)?;
        let mut environment = Vec::new();
        for (name, variable) in &config.environment {
            match variable {
                Variable::Text(text) => environment.push(json!({"name": name, "value": text})),
                Variable::Secret { .. } => {
                    return Err(format!(
                        "The variable {name} is a credential, which whoever may describe the task would see. Name it in the secrets of the \
                         task definition instead."
                    ));
                }
            }
        }
        Ok(Self { command, environment })
    }

    /// Returns the overrides of a task for a container of it.
    ///
    /// # Errors
    /// A sentence that says that ECS does not take the input.
    pub(crate) fn overrides(
        &self,
        container: &str,
        job: &str,
        cpu_millis: Option<u64>,
        limits: ResourceLimits,
    ) -> Result<Value, String> {
        let mut environment = self.environment.clone();
        environment.push(json!({"name": "CALLBOARD_JOB_ID", "value": job}));
        let mut overrides = json!({"name": container, "environment": environment});
        if !self.command.is_empty() {
            overrides["command"] = json!(self.command);
        }
        if let Some(millis) = cpu_millis {
            overrides["cpu"] = (millis * 1024 / 1000).into();
        }
        if let Some(mebibytes) = limits.memory_mb {
            overrides["memory"] = mebibytes.into();
        }
        let overrides = json!({"containerOverrides": [overrides]});
        let size = overrides.to_string().len();
        if size > MAX_OVERRIDE_BYTES {
            return Err(format!(
                "The arguments and variables have {size} bytes as JSON, and ECS takes at most {MAX_OVERRIDE_BYTES}. Pass large input by a \
                 reference, such as an object of S3."
            ));
        }
        Ok(overrides)
    }

    /// Returns what is called, for people.
    pub(crate) fn called(&self, image: &str, definition: &str) -> String {
        let called = line(format!("{image} ({definition})"), &self.command);
        called.chars().take(MAX_CALLED_CHARS).collect()
    }
}
