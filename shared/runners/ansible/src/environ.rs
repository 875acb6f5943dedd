//! The variables that a job's `ansible-playbook` sees, and the configuration that they point to.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::path::Path;

use crate::settings::{AnsibleSettings, Home};
use crate::workspace::Workspace;

/// The service's variables that every job sees; `ANSIBLE_*` and `LC_*` are passed on as well.
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

/// Returns the job's variables, including its home and its folder for temporary files. Of its user's home, if it has another, it sees
/// what is there for Ansible.
pub(crate) fn variables(
    settings: &AnsibleSettings,
    workspace: &Workspace,
    users_home: Option<&Path>,
) -> io::Result<BTreeMap<String, String>> {
    let keep_all = settings.home == Home::Callers;
    let passes =
        |name: &str| keep_all || PASSED_ON.contains(&name) || name.starts_with("ANSIBLE_") || name.starts_with("LC_");
    let text = |(name, value): (OsString, OsString)| Some((name.into_string().ok()?, value.into_string().ok()?));
    let given = std::env::vars_os().filter_map(text);
    let mut env: BTreeMap<String, String> = given.filter(|(name, _)| passes(name)).collect();
    let temporary = workspace.temporary().display().to_string();
    if settings.home == Home::Private {
        workspace.link_sockets()?;
        if let Some(real) = users_home {
            workspace.link_ansible_home(real)?;
        }
        env.insert("HOME".to_owned(), workspace.home().display().to_string());
        // the machine's identity in the cloud belongs to the service, not to the job
        env.insert("AWS_EC2_METADATA_DISABLED".to_owned(), "true".to_owned());
    }
    if let Some(owner) = workspace.owner() {
        for name in ["USER", "LOGNAME"] {
            env.insert(name.to_owned(), owner.user().name.clone());
        }
    }
    env.insert("TMPDIR".to_owned(), temporary.clone());
    env.insert("ANSIBLE_LOCAL_TEMP".to_owned(), temporary);
    let path = env
        .remove("PATH")
        .unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".to_owned());
    env.insert(
        "PATH".to_owned(),
        format!("{path}:{}", settings.environment.programs().display()),
    );
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

/// Adds the path of a job's configuration. Ansible looks for `ansible.cfg` in the working folder only; a job also gets the
/// nearest one above its playbook, up to the root of its source. A setting of the operator's takes precedence over both.
pub(crate) fn add_configuration(env: &mut BTreeMap<String, String>, root: &Path, cwd: &Path, folder: &Path) {
    if env.contains_key("ANSIBLE_CONFIG") || cwd.join("ansible.cfg").is_file() {
        return;
    }
    let above = folder.ancestors().take_while(|ancestor| ancestor.starts_with(root));
    if let Some(found) = above
        .map(|ancestor| ancestor.join("ansible.cfg"))
        .find(|path| path.is_file())
    {
        env.insert("ANSIBLE_CONFIG".to_owned(), found.display().to_string());
    }
}
