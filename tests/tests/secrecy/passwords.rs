//! Passwords for connections and for becoming another user reach Ansible's plugins.

use anyhow::ensure;
use callboard_tests::servers::{Area, Mode, Part};
use callboard_tests::{Played, Site};
use serde_json::{Value, json};

const PLAYBOOK: &str = "
- hosts: all
  gather_facts: false
  tasks:
    - command: {argv: ['true']}
      become: true
      become_method: hashed
";

const PLAIN: &str = "correct horse";
/// Ansible strips white space from both ends.
const AWKWARD: &str = "\"'\\ {{ lookup('pipe', 'id') }} $HOME `id` %s ä🦀";
const PLAIN_HASH: &str = "4104d36f8da2c254349f85836793ebe029e0c957063a34c91c2e9203187b5631";
const AWKWARD_HASH: &str = "fde420aecdff0f1652a3134782ec7710d60f4ea8831c5bee0ab068daa6a0afad";

/// Publishes the plugins; returns the source.
async fn source(site: &Site) -> anyhow::Result<Value> {
    let git = site.servers.git()?;
    let files = [
        ("site.yml", PLAYBOOK, Mode::Plain),
        (
            "ansible.cfg",
            "[defaults]\nbecome_plugins = becomes\nconnection_plugins = connections\n\
[privilege_escalation]\nbecome_allow_same_user = true\n",
            Mode::Plain,
        ),
        ("becomes/hashed.py", include_str!("files/become_hashed.py"), Mode::Plain),
        (
            "connections/hashed.py",
            include_str!("files/connection_hashed.py"),
            Mode::Plain,
        ),
    ];
    git.publish("passwords", &files)?;
    let url = git.repository(Area::Public, "passwords")?.url().to_owned();
    Ok(json!({"type": "playbook", "repo": url, "path": "site.yml"}))
}

async fn play(site: &Site, credentials: &Value) -> anyhow::Result<Played> {
    let hosts = json!({"type": "inline", "hosts": ["one"], "host_vars": {"one": {"ansible_connection": "hashed"}}});
    let source = source(site).await?;
    site.play(&json!({"source": source, "inventory": hosts, "credentials": credentials}))
        .await
}

#[tokio::test]
async fn passwords_reach_the_plugins_that_need_them_byte_for_byte() -> anyhow::Result<()> {
    let site = crate::site(&[Part::Git])?;
    for (name, password) in [("ascii", PLAIN), ("awkward", AWKWARD)] {
        site.store(name, &json!({"kind": "password", "password": password}))
            .await?;
    }
    for (connection, becoming, hashes) in [
        ("ascii", "awkward", [PLAIN_HASH, AWKWARD_HASH]),
        ("awkward", "ascii", [AWKWARD_HASH, PLAIN_HASH]),
    ] {
        let played = play(&site, &json!({"password": connection, "become_password": becoming})).await?;
        ensure!(played.job["status"] == "successful", "{} {}", played.job, played.log);
        for (of, hash) in ["connection", "become"].into_iter().zip(hashes) {
            ensure!(played.log.contains(&format!("{of} {hash}")), "{of}: {}", played.log);
        }
    }
    Ok(())
}
