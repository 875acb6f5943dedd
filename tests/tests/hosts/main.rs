//! Hosts that jobs manage over ssh: a real sshd, whose key is known or not, from folders as long as they may be.

mod keys;
mod new;
mod sockets;

use std::path::Path;
use std::process::Command;

use callboard_core::credential::known_hosts::HostKey;
use callboard_tests::Site;
use callboard_tests::servers::{Part, SshServer};
use serde_json::{Value, json};

/// Every connection is one of its own, by ssh, scp and sftp, and from a task of another host.
pub(crate) const PLAYBOOK: &str = "
- hosts: target
  gather_facts: false
  tasks:
    - {command: {argv: [echo, by sftp]}, vars: {ansible_ssh_transfer_method: sftp}}
    - {command: {argv: [echo, by scp]}, vars: {ansible_ssh_transfer_method: scp}}
    - {command: {argv: [echo, by ssh]}, vars: {ansible_ssh_transfer_method: piped}}
- hosts: near
  gather_facts: false
  tasks:
    - command: {argv: [echo, delegated]}
      delegate_to: target
";

/// Starts the server, and a service with a policy.
pub(crate) fn site(policy: impl FnOnce(&SshServer) -> Value) -> anyhow::Result<Site> {
    Site::start(&[Part::Ssh], |servers| Ok(policy(servers.ssh()?)))
}

/// A request for the server and for this machine, with more variables of the server. Its key is the credential `key`.
pub(crate) fn request(server: &SshServer, vars: &Value) -> Value {
    let python = "{{ ansible_playbook_python }}";
    let mut target = json!({
        "ansible_host": server.host, "ansible_port": server.port, "ansible_user": server.user,
        "ansible_ssh_args": "-C", "ansible_python_interpreter": python,
    });
    for (name, value) in vars.as_object().into_iter().flatten() {
        target[name] = value.clone();
    }
    let near = json!({"ansible_connection": "local", "ansible_python_interpreter": python});
    json!({
        "source": {"type": "inline", "content": PLAYBOOK}, "credentials": {"ssh": "key"},
        "inventory": {"type": "inline", "hosts": ["target", "near"], "host_vars": {"target": target, "near": near}},
    })
}

/// Stores the key that the server accepts, with the host keys that are known with it.
pub(crate) async fn store(site: &Site, known_hosts: Option<&str>) -> anyhow::Result<()> {
    let mut credential = json!({"kind": "ssh", "private_key": site.servers.ssh()?.keys.plain});
    if let Some(lines) = known_hosts {
        credential["known_hosts"] = json!(lines);
    }
    site.store("key", &credential).await
}

/// Returns the fingerprint of the key of a line.
pub(crate) fn fingerprint(line: &str) -> String {
    HostKey::of_any_line(line).map_or("no key".to_owned(), |key| key.fingerprint())
}

/// Prepares a command within namespaces of its own: `flags` are those of unshare, `script` ends with `exec "$@"`, and has
/// `folder` as `$0`.
pub(crate) fn within(flags: &[&str], script: &str, folder: &Path, inner: &Command) -> Command {
    let mut command = Command::new("unshare");
    command.args(flags).args(["sh", "-c", script]).arg(folder);
    callboard_tests::program::wrap(command, inner)
}
