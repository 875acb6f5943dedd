//! `runner_config` of services that are containers.

use std::collections::BTreeMap;

use callboard_core::base::fields::{Faults, Fields};
use serde::{Deserialize, Serialize};

use super::places::{choice, template_list};
use super::shell::OutputFormat;
use super::variables::{Variable, environment};
use crate::security::SecurityPolicy;
use crate::template::Template;

const MAX_BYTES: usize = 1024;

/// How a container is run.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ContainerConfig {
    /// The image, with a digest or a tag.
    pub image: String,
    /// What runs in it instead of its entry point.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<Template>,
    /// Arguments; each template becomes exactly one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<Template>,
    /// Variables.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub environment: BTreeMap<String, Variable>,
    /// The user and group, as numbers.
    pub user: String,
    /// When the image is pulled.
    pub pull: String,
    /// Processors that it may use, in thousandths.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_millis: Option<u64>,
    /// What it prints.
    pub output: OutputFormat,
    /// The task definition that runs it on AWS.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task_definition: Option<String>,
}

impl ContainerConfig {
    pub(super) fn read(fields: &mut Fields<'_>, policy: &SecurityPolicy, faults: &mut Faults) -> Option<Self> {
        let image = fields.required_line("image", MAX_BYTES, faults);
        if let Some(image) = image {
            let allowed = &policy.allowed_images;
            let name = repository(image);
            if image.contains(char::is_whitespace) || name.is_empty() || image.starts_with('-') {
                faults.add(
                    fields.pointer("image"),
                    "must be an image, such as registry.example.com/team/tool:1.2",
                );
            } else if !allowed.is_empty() && !allowed.iter().any(|allowed| allowed == name) {
                faults.add(
                    fields.pointer("image"),
                    "is not in the allowed_images of the service's security_policy",
                );
            }
        }
        let user = fields.line("user", 64, faults).unwrap_or("65534:65534");
        let numbers = user.split(':').all(|part| part.parse::<u32>().is_ok());
        if !numbers || user.split(':').count() > 2 {
            faults.add(fields.pointer("user"), "must be numbers, such as 1000 or 1000:1000");
        } else if user.split(':').next() == Some("0") {
            faults.add(fields.pointer("user"), "must not be root");
        }
        let pull = choice(fields, "pull", &["missing", "always", "never"], "missing", faults);
        let output = OutputFormat::read(fields, faults);
        Some(Self {
            command: template_list(fields, "command", faults),
            args: template_list(fields, "args", faults),
            environment: environment(fields, faults),
            user: user.to_owned(),
            pull: pull.to_owned(),
            cpu_millis: fields.integer("cpu_millis", 10, 1_024_000, faults),
            output,
            task_definition: fields.line("task_definition", MAX_BYTES, faults).map(str::to_owned),
            image: image?.to_owned(),
        })
    }

    pub(super) fn input_fields(&self) -> Vec<&str> {
        self.command
            .iter()
            .chain(&self.args)
            .flat_map(Template::fields)
            .collect()
    }
}

/// Returns an image's name without tag and digest.
fn repository(image: &str) -> &str {
    let name = image.split('@').next().unwrap_or_default();
    match name.rsplit_once(':') {
        // a colon before the last slash is that of a port
        Some((repository, tag)) if !tag.contains('/') => repository,
        _ => name,
    }
}
