//! The options that say how Ansible gets at a host and as whom.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use anyhow::ensure;
use callboard_tests::Service;
use serde_json::{Value, json};

use crate::Played;

/// Stands in for sudo and su: writes down how it was called, and runs what it is given last.
const BECOME: &str = r#"#!/bin/sh
for last; do :; done
printf '%s\n' "$*" >> "$0.calls"
exec sh -c "$last"
"#;

#[tokio::test]
async fn become_runs_what_a_host_does_through_the_method_and_as_the_user_that_are_asked_for() -> anyhow::Result<()> {
    let (service, _data) = Service::start(&[])?;
    for (options, begins) in [
        (json!({}), ""),
        (json!({"become_user": "deployer", "become_method": "su"}), ""),
        (json!({"become": true}), "-H -S -n -u root /bin/sh -c "),
        (
            json!({"become": true, "become_user": "deployer"}),
            "-H -S -n -u deployer /bin/sh -c ",
        ),
        (
            json!({"become": true, "become_user": "deployer", "become_method": "su"}),
            "deployer -c ",
        ),
    ] {
        let dir = tempfile::tempdir()?;
        let program = dir.path().join("become");
        fs::write(&program, BECOME)?;
        fs::set_permissions(&program, Permissions::from_mode(0o755))?;
        let request = json!({
            "playbook": "features/connect/site.yml", "extra_vars": {"ansible_become_exe": program}, "options": options,
        });
        let played = crate::play(&service.client(), &request).await?;
        ensure!(played.job["status"] == "successful", "{options}: {}", played.log);
        let calls = fs::read_to_string(dir.path().join("become.calls")).unwrap_or_default();
        let words: Vec<&str> = calls.split_whitespace().collect();
        ensure!(words.join(" ").starts_with(begins), "{options}: {calls}");
        ensure!(calls.is_empty() == begins.is_empty(), "{options}: {calls}");
    }
    Ok(())
}

#[tokio::test]
async fn connection_is_that_of_hosts_which_name_none() -> anyhow::Result<()> {
    let (service, _data) = Service::start(&[])?;
    for (options, status) in [
        (json!({"connection": "local"}), "successful"),
        (json!({"connection": "ssh"}), "failed"),
        (json!({}), "failed"),
    ] {
        let played = connect(&service, &options).await?;
        ensure!(played.job["status"] == status, "{options}: {}", played.log);
        let unreachable = played.job["reason"] == "hosts_unreachable";
        ensure!(unreachable == (status == "failed"), "{options}: {}", played.job);
    }
    Ok(())
}

#[tokio::test]
async fn remote_user_is_whom_ssh_logs_in_as() -> anyhow::Result<()> {
    let (service, _data) = Service::start(&[])?;
    let sign = "ESTABLISH SSH CONNECTION FOR USER: ";
    for (options, user) in [
        (json!({"verbosity": 3, "remote_user": "deployer"}), "deployer"),
        (json!({"verbosity": 3}), "None"),
    ] {
        let played = connect(&service, &options).await?;
        ensure!(
            played.log.contains(&format!("{sign}{user}\n")),
            "{options}: {}",
            played.log
        );
    }
    Ok(())
}

/// Runs on a host at which nobody listens.
async fn connect(service: &Service, options: &Value) -> anyhow::Result<Played> {
    let host = json!({"ansible_host": "127.0.0.1", "ansible_port": 1});
    let inventory = json!({"type": "inline", "data": {"all": {"hosts": {"here": host}}}});
    let request = json!({"playbook": "features/connect/site.yml", "inventory": inventory, "options": options});
    crate::play(&service.client(), &request).await
}
