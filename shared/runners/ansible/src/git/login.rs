//! What git sees of this process, and how it logs in: with a token from a file, or with a key that an agent holds.

use std::collections::BTreeMap;
use std::path::Path;

use callboard_process::files::{write_private, write_script};

use super::Wanted;
use crate::agent::Agent;
use crate::unready::Unready;

/// The service's variables that git sees.
const PASSED_ON: [&str; 3] = ["PATH", "SSL_CERT_DIR", "TZ"];

/// Returns the variables that git sees.
pub(super) fn environment(folder: &Path) -> BTreeMap<String, String> {
    let mut env: BTreeMap<String, String> = PASSED_ON
        .iter()
        .filter_map(|name| Some(((*name).to_owned(), std::env::var(name).ok()?)))
        .collect();
    let fixed = [
        ("LC_ALL", "C.UTF-8"),
        ("GIT_CONFIG_NOSYSTEM", "1"),
        ("GIT_CONFIG_GLOBAL", "/dev/null"),
        ("GIT_TERMINAL_PROMPT", "0"),
        ("GIT_ALLOW_PROTOCOL", "https:ssh"),
        ("GIT_ASKPASS", "/bin/false"),
        ("GIT_OPTIONAL_LOCKS", "0"),
    ];
    env.extend(fixed.map(|(name, value)| (name.to_owned(), value.to_owned())));
    env.insert("HOME".to_owned(), folder.display().to_string());
    if let Ok(file) = std::env::var("SSL_CERT_FILE") {
        env.insert("GIT_SSL_CAINFO".to_owned(), file);
    }
    env
}

/// Lets git log in with a token. Git runs a script that reads the token from a file, so it is in no argument and no variable.
pub(super) fn use_token(wanted: &Wanted<'_>, folder: &Path, env: &mut BTreeMap<String, String>) -> Result<(), Unready> {
    let Some(access) = wanted.access else { return Ok(()) };
    let Some(token) = &access.token else {
        let wrong = format!(
            "The repository {} is reached by https, but its credential holds no token.",
            wanted.repo
        );
        return Err(Unready::credential(wrong));
    };
    let user = access.username.as_deref().unwrap_or("callboard");
    write_private(&folder.join("user"), user.as_bytes())?;
    write_private(&folder.join("token"), token.expose().as_bytes())?;
    let script = folder.join("askpass");
    let files = folder.display();
    write_script(
        &script,
        &format!("case \"$1\" in Username*) exec cat '{files}/user';; *) exec cat '{files}/token';; esac"),
    )?;
    env.insert("GIT_ASKPASS".to_owned(), script.display().to_string());
    Ok(())
}

/// Lets git log in with a key, which an agent holds; the server must be one whose key is known.
pub(super) async fn use_key(
    wanted: &Wanted<'_>,
    folder: &Path,
    env: &mut BTreeMap<String, String>,
) -> Result<Option<Agent>, Unready> {
    let Some(key) = wanted.access.and_then(|access| access.key.as_ref()) else {
        let wrong = format!(
            "The repository {} is reached by ssh and needs a git_credential that holds a private_key.",
            wanted.repo
        );
        return Err(Unready::credential(wrong));
    };
    let rule = wanted
        .reach
        .policy
        .repository(&wanted.repo)
        .and_then(|rule| rule.known_hosts.as_deref());
    let own = wanted.access.and_then(|access| access.known_hosts.as_deref());
    let known = [rule, own].map(Option::unwrap_or_default).join("\n");
    let known_hosts = folder.join("known_hosts");
    write_private(&known_hosts, format!("{known}\n").as_bytes())?;
    let agent = Agent::start(folder, key, wanted.owner).await?;
    let options = [
        "BatchMode=yes".to_owned(),
        "StrictHostKeyChecking=yes".to_owned(),
        format!("UserKnownHostsFile={}", known_hosts.display()),
        format!("IdentityAgent={}", agent.socket().display()),
        "ConnectTimeout=30".to_owned(),
        "ServerAliveInterval=15".to_owned(),
    ];
    let options = options.map(|option| format!("-o {option}")).join(" ");
    env.insert("GIT_SSH_COMMAND".to_owned(), format!("ssh -F /dev/null -a {options}"));
    env.insert("GIT_SSH_VARIANT".to_owned(), "ssh".to_owned());
    Ok(Some(agent))
}
