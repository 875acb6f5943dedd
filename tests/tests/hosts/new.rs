//! `host_key_checking: accept-new`: a key is accepted once, and remembered.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use anyhow::{Context, ensure};
use callboard_tests::servers::SshServer;
use callboard_tests::{Finished, Site, callboard};
use serde_json::{Value, json};

use crate::keys::succeeded;
use crate::{fingerprint, request, site, store};

#[tokio::test]
async fn a_new_host_is_accepted_and_remembered_and_one_with_another_key_is_refused() -> anyhow::Result<()> {
    let site = site(|_| json!({"host_key_checking": "accept-new"}))?;
    let server = site.servers.ssh()?;
    let (first, second) = (fingerprint(&server.known_hosts), fingerprint(&server.wrong_known_hosts));
    store(&site, None).await?;
    succeeded(&site.play(&request(server, &json!({}))).await?)?;
    let file = site.data.path().join("known_hosts/default");
    ensure!(fs::read_to_string(&file)? == format!("{}\n", server.known_hosts));
    ensure!(fs::metadata(&file)?.permissions().mode() & 0o777 == 0o600);
    ensure!(listed(&site)? == format!("{} ssh-ed25519 {first}\n", name(server)));
    let again = site.play(&request(server, &json!({}))).await?;
    succeeded(&again)?;
    ensure!(fs::read_to_string(&file)? == format!("{}\n", server.known_hosts));

    server.change_key().await?;
    let refused = site.play(&request(server, &json!({}))).await?;
    let forget = format!(
        "known-hosts forget '{}' --data '{}'",
        name(server),
        site.data.path().display()
    );
    let told = [
        "has changed",
        &second,
        &format!("known from an earlier job is the ssh-ed25519 key {first}"),
        &forget,
    ];
    refused.failed("hosts_unreachable", &told)?;
    ensure!(listed(&site)?.contains(&first), "what is known stays known");

    let forgotten = run(&site, &["forget", &name(server)])?;
    ensure!(forgotten.code == 0 && listed(&site)?.is_empty(), "{forgotten:?}");
    let mut audit = callboard(site.data.path())?;
    let entries = Finished::from(audit.args(["audit", "--action", "host_key.*"]).output()?);
    let entry: Value = serde_json::from_str(&entries.stdout)?;
    ensure!(
        entry["action"] == "host_key.forget" && entry["object"] == name(server),
        "{entry}"
    );
    let twice = run(&site, &["forget", &name(server)])?;
    ensure!(
        twice.code == 1 && twice.stderr.contains("no job has accepted a key of"),
        "{twice:?}"
    );
    succeeded(&site.play(&request(server, &json!({}))).await?)?;
    ensure!(listed(&site)? == format!("{} ssh-ed25519 {second}\n", name(server)));
    Ok(())
}

#[tokio::test]
async fn a_key_is_remembered_while_its_job_still_runs() -> anyhow::Result<()> {
    let site = site(|_| json!({"host_key_checking": "accept-new"}))?;
    let server = site.servers.ssh()?;
    store(&site, None).await?;
    let go = site.data.path().join("go");
    let mut request = request(server, &json!({}));
    let wait = format!(
        "    - wait_for: {{path: '{}', timeout: 300}}\n      delegate_to: near\n",
        go.display()
    );
    let long = request["source"]["content"].as_str().context("a playbook")?.to_owned() + &wait;
    request["source"]["content"] = json!(long);
    let id = site.client().submit(&request).await?;
    let file = site.data.path().join("known_hosts/default");
    callboard_tests::wait::until("the key is kept", || file.exists()).await?;
    let job = site.client().job(&id).await?;
    ensure!(job["status"] == "running", "{job}");
    fs::write(go, "")?;
    succeeded(&site.played(&id).await?)
}

#[tokio::test]
async fn a_key_that_is_given_goes_before_one_that_was_accepted() -> anyhow::Result<()> {
    let site = site(|_| json!({"host_key_checking": "accept-new"}))?;
    let server = site.servers.ssh()?;
    store(&site, None).await?;
    succeeded(&site.play(&request(server, &json!({}))).await?)?;
    let other = json!({"kind": "ssh", "private_key": server.keys.plain, "known_hosts": server.wrong_known_hosts});
    site.store("pinned", &other).await?;
    let mut pinned = request(server, &json!({}));
    pinned["credentials"]["ssh"] = json!("pinned");
    let refused = site.play(&pinned).await?;
    refused.failed(
        "hosts_unreachable",
        &["has changed", "known_hosts of the ssh credential"],
    )
}

#[tokio::test]
async fn what_a_job_puts_in_place_of_its_file_of_keys_holds_nobody() -> anyhow::Result<()> {
    let site = site(|_| json!({"host_key_checking": "accept-new"}))?;
    let hostile = "file=$(dirname $TMPDIR)/ssh/accepted; rm $file; mkfifo $file; sleep 3";
    let playbook = format!("- hosts: all\n  gather_facts: false\n  tasks: [shell: '{hostile}']\n");
    let played = site
        .play(&json!({"source": {"type": "inline", "content": playbook}}))
        .await?;
    ensure!(played.job["status"] == "successful", "{}", played.job);
    Ok(())
}

fn name(server: &SshServer) -> String {
    format!("[{}]:{}", server.host, server.port)
}

fn listed(site: &Site) -> anyhow::Result<String> {
    let listed = run(site, &["list"])?;
    ensure!(listed.code == 0, "{listed:?}");
    Ok(listed.stdout)
}

fn run(site: &Site, arguments: &[&str]) -> anyhow::Result<Finished> {
    let mut command = callboard(site.data.path())?;
    Ok(command.arg("known-hosts").args(arguments).output()?.into())
}
