//! From a request to the arguments, environment and files of its `ansible-playbook`.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use callboard_core::options::Options;
use callboard_core::request::JobRequest;
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::settings::AnsibleSettings;
use crate::workspace::Workspace;
use crate::{environ, inventory};

/// What the host is told to run; `protocol.py` reads it.
#[derive(Debug, Serialize)]
pub(crate) struct JobSpec {
    pub(crate) argv: Vec<String>,
    pub(crate) env: BTreeMap<String, String>,
    pub(crate) cwd: PathBuf,
    pub(crate) nonce: String,
    pub(crate) color: bool,
    pub(crate) fallback_inventory: Vec<String>,
}

/// Prepares a job: writes what it reads into its folder, and says what to run.
pub(crate) fn prepare(
    settings: &AnsibleSettings,
    request: &JobRequest,
    playbook: &Path,
    workspace: &Workspace,
) -> io::Result<JobSpec> {
    let mut argv = vec!["ansible-playbook".to_owned()];
    let mut fallback_inventory = inventory::sources(&request.inventory, workspace)?;
    if !settings.configured_inventory_first {
        argv.extend(
            fallback_inventory
                .drain(..)
                .map(|source| format!("--inventory={source}")),
        );
    }
    if !request.extra_vars.is_empty() {
        let literal = !request.options.template_extra_vars;
        let path = workspace.write("extra_vars.json", &extra_vars(&request.extra_vars, literal))?;
        argv.push(format!("--extra-vars=@{}", path.display()));
    }
    argv.extend(option_arguments(&request.options));
    argv.extend(settings.extra_arguments.iter().cloned());
    argv.push(playbook.display().to_string());
    let folder = playbook.parent().unwrap_or(Path::new("/"));
    let cwd = settings.working_folder.clone().unwrap_or_else(|| folder.to_owned());
    let mut env = environ::variables(settings, workspace)?;
    environ::add_configuration(&mut env, settings, &cwd, folder);
    inventory::restrict(&mut env, &request.inventory);
    let nonce = uuid::Uuid::new_v4().simple().to_string();
    Ok(JobSpec {
        argv,
        env,
        cwd,
        nonce,
        color: settings.color,
        fallback_inventory,
    })
}

fn option_arguments(options: &Options) -> Vec<String> {
    let mut arguments = Vec::new();
    let mut flag = |set: bool, name: &str| {
        if set {
            arguments.push(name.to_owned());
        }
    };
    flag(options.check, "--check");
    flag(options.diff, "--diff");
    flag(
        options.verbosity > 0,
        &format!("-{}", "v".repeat(options.verbosity.into())),
    );
    arguments.extend(options.tags.iter().map(|tag| format!("--tags={tag}")));
    arguments.extend(options.skip_tags.iter().map(|tag| format!("--skip-tags={tag}")));
    arguments.extend(options.limit.iter().map(|limit| format!("--limit={limit}")));
    arguments.extend(options.forks.iter().map(|forks| format!("--forks={forks}")));
    arguments
}

/// Writes variables as JSON; literal ones in the form that tells Ansible not to look for templates in them.
fn extra_vars(vars: &Map<String, Value>, literal: bool) -> Vec<u8> {
    let object = Value::Object(vars.clone());
    let value = if literal { unsafe_strings(object) } else { object };
    value.to_string().into_bytes()
}

fn unsafe_strings(value: Value) -> Value {
    match value {
        Value::String(text) => json!({ "__ansible_unsafe": text }),
        Value::Array(items) => items.into_iter().map(unsafe_strings).collect(),
        Value::Object(entries) => Value::Object(
            entries
                .into_iter()
                .map(|(name, value)| (name, unsafe_strings(value)))
                .collect(),
        ),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_string_in_extra_vars_is_marked_as_data_unless_templates_are_wanted() {
        let vars = json!({"a": "{{ x }}", "b": [1, {"c": "d"}]});
        let vars = vars.as_object().cloned().unwrap_or_default();
        let text = |literal| String::from_utf8_lossy(&extra_vars(&vars, literal)).into_owned();
        assert_eq!(
            text(true),
            r#"{"a":{"__ansible_unsafe":"{{ x }}"},"b":[1,{"c":{"__ansible_unsafe":"d"}}]}"#
        );
        assert_eq!(text(false), r#"{"a":"{{ x }}","b":[1,{"c":"d"}]}"#);
    }
}
