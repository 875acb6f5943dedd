//! Keys for ssh, at a real server.

use anyhow::ensure;
use callboard_tests::Site;
use callboard_tests::servers::{Part, SshServer};
use serde_json::{Value, json};

const PLAYBOOK: &str = "
- hosts: all
  gather_facts: false
  tasks:
    - command: {argv: [sh, -c, 'echo \"$SSH_CONNECTION\"']}
      register: connected
    - debug: {msg: \"through {{ connected.stdout.split()[3] }}\"}
";

/// The server as a host of an inventory; it is known by its key.
pub(crate) fn host(server: &SshServer, name: &str) -> Value {
    let known = "-o UserKnownHostsFile={{ playbook_dir }}/none -o StrictHostKeyChecking=accept-new";
    json!({"type": "inline", "hosts": [name], "host_vars": {name: {
        "ansible_host": server.host, "ansible_port": server.port, "ansible_user": server.user,
        "ansible_ssh_common_args": known, "ansible_connection": "ssh",
        "ansible_python_interpreter": "{{ ansible_playbook_python }}",
    }}})
}

async fn connect(site: &Site, credential: &str) -> anyhow::Result<callboard_tests::Played> {
    let mut request = crate::inline(PLAYBOOK);
    request["inventory"] = host(site.servers.ssh()?, "target");
    request["credentials"] = json!({"ssh": credential});
    site.play(&request).await
}

#[tokio::test]
async fn a_key_connects_plain_encrypted_and_with_its_certificate() -> anyhow::Result<()> {
    let site = crate::site(&[Part::Ssh])?;
    let server = site.servers.ssh()?;
    let keys = &server.keys;
    for (name, credential) in [
        ("plain", json!({"kind": "ssh", "private_key": keys.plain})),
        (
            "encrypted",
            json!({"kind": "ssh", "private_key": keys.encrypted, "passphrase": keys.passphrase}),
        ),
        (
            "certified",
            json!({"kind": "ssh", "private_key": keys.certified, "certificate": keys.certificate}),
        ),
    ] {
        site.store(name, &credential).await?;
        let before = server.logins()?;
        let played = connect(&site, name).await?;
        ensure!(
            played.job["status"] == "successful",
            "{name}: {} {}",
            played.job,
            played.log
        );
        ensure!(
            played.messages() == [format!("through {}", server.port)],
            "{name}: {}",
            played.log
        );
        ensure!(server.logins()? > before, "{name}: nobody has logged in");
    }
    Ok(())
}

#[tokio::test]
async fn a_key_that_cannot_be_used_is_told_apart_from_one_that_is_not_accepted() -> anyhow::Result<()> {
    let site = crate::site(&[Part::Ssh])?;
    let keys = &site.servers.ssh()?.keys;
    let broken = "-----BEGIN OPENSSH PRIVATE KEY-----\nYWJj\n-----END OPENSSH PRIVATE KEY-----";
    for (name, credential, words) in [
        (
            "locked",
            json!({"kind": "ssh", "private_key": keys.encrypted}),
            "it needs a passphrase",
        ),
        (
            "wrong",
            json!({"kind": "ssh", "private_key": keys.encrypted, "passphrase": "a wrong passphrase"}),
            "the passphrase or the key is wrong",
        ),
        (
            "broken",
            json!({"kind": "ssh", "private_key": broken}),
            "OpenSSH does not recognize it as a key",
        ),
    ] {
        site.store(name, &credential).await?;
        let played = connect(&site, name).await?;
        played.failed("credential_unavailable", &[words])?;
    }
    for (name, credential) in [
        ("stranger", json!({"kind": "ssh", "private_key": keys.stranger})),
        ("uncertified", json!({"kind": "ssh", "private_key": keys.certified})),
    ] {
        site.store(name, &credential).await?;
        let played = connect(&site, name).await?;
        played.failed("hosts_unreachable", &["Permission denied"])?;
    }
    Ok(())
}
