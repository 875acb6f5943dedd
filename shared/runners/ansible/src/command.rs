//! From a request to the arguments, environment and files of its `ansible-playbook`.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use callboard_core::inventory::Inventory;
use callboard_core::options::Options;
use callboard_core::request::JobRequest;
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::settings::{AnsibleSettings, Home};
use crate::workspace::Workspace;

/// Variables of the service that every job sees; `ANSIBLE_*` and `LC_*` come along as well.
const PASSED_ON: [&str; 16] = [
    "PATH",
    "LANG",
    "LANGUAGE",
    "TZ",
    "USER",
    "LOGNAME",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
];

/// What the host is told to run; `protocol.py` reads it.
#[derive(Debug, Serialize)]
pub(crate) struct JobSpec {
    pub(crate) argv: Vec<String>,
    pub(crate) env: BTreeMap<String, String>,
    pub(crate) cwd: PathBuf,
    pub(crate) nonce: String,
    pub(crate) color: bool,
}

/// Prepares a job: writes what it reads into its folder, and says what to run.
pub(crate) fn prepare(
    settings: &AnsibleSettings,
    request: &JobRequest,
    playbook: &Path,
    workspace: &Workspace,
) -> io::Result<JobSpec> {
    let mut argv = vec!["ansible-playbook".to_owned()];
    argv.extend(inventory_arguments(&request.inventory, workspace)?);
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
    let mut env = environment(settings, workspace)?;
    configuration(&mut env, settings, &cwd, folder);
    restrict_inline_inventory(&mut env, &request.inventory);
    let nonce = uuid::Uuid::new_v4().simple().to_string();
    Ok(JobSpec {
        argv,
        env,
        cwd,
        nonce,
        color: settings.color,
    })
}

fn inventory_arguments(inventory: &Inventory, workspace: &Workspace) -> io::Result<Vec<String>> {
    let several = match inventory {
        Inventory::Several(several) => several.as_slice(),
        one => std::slice::from_ref(one),
    };
    let numbered = several.iter().enumerate();
    let mut arguments: Vec<String> = numbered
        .map(|(number, one)| inventory_argument(one, number, workspace))
        .collect::<io::Result<_>>()?;
    if several.iter().any(lists_localhost) {
        let path = workspace.write("localhost.json", this_machine().to_string().as_bytes())?;
        arguments.push(format!("--inventory={}", path.display()));
    }
    Ok(arguments)
}

fn inventory_argument(inventory: &Inventory, number: usize, workspace: &Workspace) -> io::Result<String> {
    match inventory {
        Inventory::Text(text) => Ok(format!("--inventory={text}")),
        Inventory::Inline(inline) => {
            let path = workspace.write(&format!("inventory-{number}.json"), &serde_json::to_vec(&inline.data)?)?;
            Ok(format!("--inventory={}", path.display()))
        }
        Inventory::Several(_) => Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "a list of inventories in a list",
        )),
    }
}

fn lists_localhost(inventory: &Inventory) -> bool {
    matches!(inventory, Inventory::Text(text) if text.contains(',') && text.split(',').any(|host| host.trim() == "localhost"))
}

/// What Ansible knows of `localhost` when no inventory names it. A list that does name it, as the default one,
/// would have Ansible reach this very machine through ssh.
fn this_machine() -> Value {
    json!({"all": {"hosts": {"localhost": {
        "ansible_connection": "local",
        "ansible_python_interpreter": "{{ ansible_playbook_python }}",
    }}}})
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

fn environment(settings: &AnsibleSettings, workspace: &Workspace) -> io::Result<BTreeMap<String, String>> {
    let keep_all = settings.home == Home::Callers;
    let passes =
        |name: &str| keep_all || PASSED_ON.contains(&name) || name.starts_with("ANSIBLE_") || name.starts_with("LC_");
    let mut env: BTreeMap<String, String> = std::env::vars().filter(|(name, _)| passes(name)).collect();
    let temporary = workspace.temporary().display().to_string();
    if settings.home == Home::Private {
        if let Some(real) = std::env::home_dir() {
            workspace.link_ansible_home(&real)?;
        }
        env.insert("HOME".to_owned(), workspace.home().display().to_string());
    }
    env.insert("TMPDIR".to_owned(), temporary.clone());
    env.insert("ANSIBLE_LOCAL_TEMP".to_owned(), temporary);
    let path = env
        .remove("PATH")
        .unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".to_owned());
    env.insert("PATH".to_owned(), format!("{}:{path}", settings.programs().display()));
    if !is_utf8(&env) {
        env.insert("LC_ALL".to_owned(), "C.UTF-8".to_owned());
    }
    Ok(env)
}

fn is_utf8(env: &BTreeMap<String, String>) -> bool {
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"]
        .iter()
        .find_map(|name| env.get(*name).filter(|text| !text.is_empty()));
    locale.is_some_and(|locale| locale.to_ascii_lowercase().replace('-', "").ends_with("utf8"))
}

/// Ansible looks for `ansible.cfg` in the working folder only. A job also gets the nearest one above its playbook,
/// up to the playbooks folder; a setting of the operator's goes before both.
fn configuration(env: &mut BTreeMap<String, String>, settings: &AnsibleSettings, cwd: &Path, folder: &Path) {
    if env.contains_key("ANSIBLE_CONFIG") || cwd.join("ansible.cfg").is_file() {
        return;
    }
    let root = settings.playbooks.path();
    let above = folder.ancestors().take_while(|ancestor| ancestor.starts_with(root));
    if let Some(found) = above
        .map(|ancestor| ancestor.join("ansible.cfg"))
        .find(|path| path.is_file())
    {
        env.insert("ANSIBLE_CONFIG".to_owned(), found.display().to_string());
    }
}

/// Inline groups are data; without this, a group named `plugin` would name an inventory plugin to run.
fn restrict_inline_inventory(env: &mut BTreeMap<String, String>, inventory: &Inventory) {
    let is_inline = |one: &Inventory| matches!(one, Inventory::Inline(_));
    let inline = match inventory {
        Inventory::Several(several) => several.iter().any(is_inline),
        one => is_inline(one),
    };
    if inline {
        env.insert("ANSIBLE_INVENTORY_ENABLED".to_owned(), "host_list,yaml".to_owned());
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
