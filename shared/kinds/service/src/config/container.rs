//! `runner_config` of services that are containers.

use std::collections::BTreeMap;

use callboard_core::base::fields::{Faults, Fields};
use callboard_core::base::hex::from_hex;
use callboard_core::request::Reason;
use serde::{Deserialize, Serialize};

use super::places::{choice, template_list};
use super::shell::{OutputFormat, check_dashes, codes};
use super::variables::{Variable, environment};
use crate::detail::EXIT_CODE;
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
    /// Variables, in addition to the image's. Who may inspect the engine's containers sees them, secrets as well.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub environment: BTreeMap<String, Variable>,
    /// Whether it gets the input as JSON on its standard input.
    pub stdin: bool,
    /// The user and group, as numbers.
    pub user: String,
    /// When the image is pulled.
    pub pull: String,
    /// Processors that it may use, in thousandths.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_millis: Option<u64>,
    /// What it prints.
    pub output: OutputFormat,
    /// The exit codes that count as successful.
    pub success_codes: Vec<u8>,
    /// The task definition that runs it on AWS.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task_definition: Option<String>,
}

impl ContainerConfig {
    /// The reasons of failures of a container that may pass.
    pub const PASSING: [Reason; 3] = [Reason::SOURCE_UNAVAILABLE, Reason::TIMEOUT, EXIT_CODE];

    pub(super) fn read(fields: &mut Fields<'_>, policy: &SecurityPolicy, faults: &mut Faults) -> Option<Self> {
        let image = fields.required_line("image", MAX_BYTES, faults);
        if let Some(image) = image {
            check_image(image, policy, fields, faults);
        }
        let user = user(fields, faults);
        let pull = choice(fields, "pull", &["missing", "always", "never"], "missing", faults);
        let output = OutputFormat::read(fields, faults);
        let command = template_list(fields, "command", faults);
        let args = template_list(fields, "args", faults);
        if command.first().is_some_and(|program| program.fields().next().is_some()) {
            faults.add(
                format!("{}/0", fields.pointer("command")),
                "must not hold a field: the input would decide which program runs",
            );
        }
        check_dashes("command", &command, fields, faults);
        check_dashes("args", &args, fields, faults);
        Some(Self {
            command,
            args,
            environment: environment(fields, faults),
            stdin: choice(fields, "stdin", &["input", "none"], "none", faults) == "input",
            user,
            pull: pull.to_owned(),
            cpu_millis: fields.integer("cpu_millis", 10, 1_024_000, faults),
            output,
            success_codes: codes(fields, faults),
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

/// Checks that a text is the name of an image, and that the service may run it.
fn check_image(image: &str, policy: &SecurityPolicy, fields: &Fields<'_>, faults: &mut Faults) {
    let allowed = &policy.allowed_images;
    let name = repository(image);
    let is_name = name.starts_with(|first: char| first.is_ascii_alphanumeric())
        && image
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"._-/:@".contains(&byte));
    let digest = image.split_once('@').map(|(_, digest)| digest);
    if !is_name || digest.is_some_and(|digest| !is_digest(digest)) {
        faults.add(
            fields.pointer("image"),
            "must be an image, such as registry.example.com/team/tool:1.2 or registry.example.com/team/tool@sha256:<64 digits>",
        );
    } else if !allowed.is_empty() && !allowed.iter().any(|allowed| allowed == name || allowed == image) {
        faults.add(
            fields.pointer("image"),
            "is not in the allowed_images of the service's security_policy",
        );
    }
}

fn is_digest(text: &str) -> bool {
    text.strip_prefix("sha256:")
        .is_some_and(|digits| digits.len() == 64 && from_hex(digits).is_some())
}

/// Reads the field `user`. A group that is absent is that of the same number, since an engine would take that of root.
fn user(fields: &mut Fields<'_>, faults: &mut Faults) -> String {
    let text = fields.line("user", 64, faults).unwrap_or("65534:65534");
    let (user, group) = text.split_once(':').unwrap_or((text, text));
    match (user.parse::<u32>(), group.parse::<u32>()) {
        (Ok(0), _) | (_, Ok(0)) => faults.add(fields.pointer("user"), "must not be root, nor its group"),
        (Ok(user), Ok(group)) => return format!("{user}:{group}"),
        _ => faults.add(fields.pointer("user"), "must be numbers, such as 1000 or 1000:1000"),
    }
    String::new()
}

/// Returns an image's name without tag and digest.
#[must_use]
pub fn repository(image: &str) -> &str {
    let name = image.split('@').next().unwrap_or_default();
    match name.rsplit_once(':') {
        // a colon before the last slash is that of a port
        Some((repository, tag)) if !tag.contains('/') => repository,
        _ => name,
    }
}
