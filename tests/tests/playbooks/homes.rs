//! `~` in what the operator and an inventory write is the home of the service's user; the job's own home stays its own.

use std::fs;
use std::path::Path;

use anyhow::ensure;
use callboard_tests::{Part, Servers, Service, callboard, program};
use serde_json::json;

const PLAY: &str = "
- hosts: all
  gather_facts: false
  tasks:
    - ansible.builtin.raw: echo reached
    - ansible.builtin.command: sh -c 'echo $HOME; echo kept > ~/kept'
      delegate_to: localhost
      register: home
    - ansible.builtin.debug: {msg: \"home {{ home.stdout }}, {{ lookup('ansible.builtin.file', '~/word') }}\"}
";

#[tokio::test]
async fn a_tilde_of_the_operator_or_of_an_inventory_leads_to_the_home_of_the_service_s_user() -> anyhow::Result<()> {
    let servers = Servers::start(&[Part::Ssh])?;
    let ssh = servers.ssh()?;
    let (data, home, playbooks) = (tempfile::tempdir()?, tempfile::tempdir()?, tempfile::tempdir()?);
    fs::write(home.path().join("vault"), "secret\n")?;
    fs::write(home.path().join("word"), "a word")?;
    private(&home.path().join("key"), &ssh.keys.plain)?;
    fs::write(
        playbooks.path().join("ansible.cfg"),
        "[defaults]\nvault_password_file = ~/vault\n",
    )?;
    fs::write(playbooks.path().join("site.yml"), PLAY)?;
    let mut command = callboard(data.path())?;
    command
        .args(["serve", "--listen", "127.0.0.1:0", "--playbooks"])
        .arg(playbooks.path());
    command
        .env("HOME", home.path())
        .env("CALLBOARD_CACHE", program::cache()?);
    let service = Service::spawn(command)?;

    let known = "-o UserKnownHostsFile=/dev/null -o StrictHostKeyChecking=no";
    let inventory = json!({"type": "inline", "hosts": ["far"], "host_vars": {"far": {
        "ansible_host": ssh.host, "ansible_port": ssh.port, "ansible_user": ssh.user,
        "ansible_ssh_private_key_file": "~/key", "ansible_ssh_common_args": known,
    }}});
    let played = crate::play(
        &service.client(),
        &json!({"playbook": "site.yml", "inventory": inventory}),
    )
    .await?;
    ensure!(played.job["status"] == "successful", "{} {}", played.job, played.log);
    ensure!(
        played.log.contains("reached") || played.log.contains("changed: [far]"),
        "{}",
        played.log
    );
    ensure!(played.log.contains(", a word"), "{}", played.log);
    ensure!(
        !played.log.contains(&format!("home {}", home.path().display())),
        "{}",
        played.log
    );
    let mut names: Vec<_> = fs::read_dir(home.path())?
        .flatten()
        .map(|entry| entry.file_name())
        .collect();
    names.sort();
    ensure!(names == ["key", "vault", "word"], "{names:?}");
    Ok(())
}

fn private(path: &Path, content: &str) -> anyhow::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::write(path, content)?;
    Ok(fs::set_permissions(path, fs::Permissions::from_mode(0o600))?)
}
