//! Host keys that are known, or are not.

use std::fs;

use anyhow::ensure;
use callboard_tests::{Played, Service, Site, callboard, playbooks};
use serde_json::json;

use crate::{fingerprint, request, site, store, within};

#[tokio::test]
async fn a_host_that_is_not_known_is_refused_with_its_key_and_the_line_to_add() -> anyhow::Result<()> {
    let site = site(|_| json!({}))?;
    let server = site.servers.ssh()?;
    store(&site, None).await?;
    let played = site.play(&request(server, &json!({}))).await?;
    let place = format!("The host key of {} port {} is not known. ", server.host, server.port);
    let line = &server.known_hosts;
    let key = format!("ssh-keyscan sees the ED25519 key {}. ", fingerprint(line));
    let ways = "known_hosts of the ssh credential, of the policy or of the service's user (~/.ssh/known_hosts), or set \
                host_key_checking: accept-new in the policy.";
    played.failed("hosts_unreachable", &[&place, &key, ways, &format!("Its line: {line}")])?;
    // what the sentence says to add is what helps
    let error = played.job["error"].as_str().unwrap_or_default();
    let told = error.split("Its line: ").nth(1).unwrap_or_default();
    site.store(
        "helped",
        &json!({"kind": "ssh", "private_key": server.keys.plain, "known_hosts": told}),
    )
    .await?;
    let mut again = request(server, &json!({}));
    again["credentials"]["ssh"] = json!("helped");
    succeeded(&site.play(&again).await?)
}

#[tokio::test]
async fn a_key_is_known_from_the_credential_or_from_the_policy() -> anyhow::Result<()> {
    let by_policy = site(|server| json!({"known_hosts": server.known_hosts}))?;
    store(&by_policy, None).await?;
    let by_credential = site(|_| json!({}))?;
    store(&by_credential, Some(&by_credential.servers.ssh()?.known_hosts)).await?;
    for site in [&by_policy, &by_credential] {
        let server = site.servers.ssh()?;
        // files of the inventory's own take the place of the user's, and of no other
        for vars in [
            json!({}),
            json!({"ansible_ssh_common_args": "-o UserKnownHostsFile=/dev/null"}),
        ] {
            succeeded(&site.play(&request(server, &vars)).await?)?;
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_key_that_is_not_the_known_one_is_refused_with_both_and_the_line_to_replace() -> anyhow::Result<()> {
    let by_policy = site(|server| json!({"known_hosts": server.wrong_known_hosts}))?;
    store(&by_policy, None).await?;
    let by_credential = site(|_| json!({"host_key_checking": "accept-new"}))?;
    let lines = format!("# former\n{}", by_credential.servers.ssh()?.wrong_known_hosts);
    store(&by_credential, Some(&lines)).await?;
    for (site, place) in [
        (&by_policy, "line 1 of known_hosts of the policy"),
        (&by_credential, "line 2 of known_hosts of the ssh credential"),
    ] {
        let server = site.servers.ssh()?;
        let played = site.play(&request(server, &json!({}))).await?;
        let (shown, known) = (fingerprint(&server.known_hosts), fingerprint(&server.wrong_known_hosts));
        let words = ["has changed", &shown, &known, &format!("replace {place}.")];
        played.failed("hosts_unreachable", &words)?;
    }
    Ok(())
}

#[tokio::test]
async fn what_an_inventory_says_of_host_keys_goes_before_the_policy() -> anyhow::Result<()> {
    let strict = site(|_| json!({}))?;
    store(&strict, None).await?;
    for vars in [
        json!({"ansible_host_key_checking": false, "ansible_ssh_common_args": "-o UserKnownHostsFile=/dev/null"}),
        json!({"ansible_ssh_common_args": "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null"}),
    ] {
        succeeded(&strict.play(&request(strict.servers.ssh()?, &vars)).await?)?;
    }
    let new = site(|_| json!({"host_key_checking": "accept-new"}))?;
    store(&new, None).await?;
    let vars = json!({"ansible_ssh_common_args": "-o StrictHostKeyChecking=yes"});
    let played = new.play(&request(new.servers.ssh()?, &vars)).await?;
    played.failed(
        "hosts_unreachable",
        &["is not known", "takes precedence over accept-new of the policy"],
    )
}

#[tokio::test]
async fn the_files_and_the_configuration_of_the_user_s_ssh_count_as_they_do_without_callboard() -> anyhow::Result<()> {
    let home = tempfile::tempdir()?;
    let ssh = home.path().join(".ssh");
    let users = home.path().join("passwd");
    fs::create_dir(&ssh)?;
    let all = fs::read_to_string("/etc/passwd")?;
    let moved = all.lines().map(|line| match line.starts_with("root:") {
        true => format!("root:x:0:0:root:{}:/bin/sh\n", home.path().display()),
        false => format!("{line}\n"),
    });
    fs::write(&users, moved.collect::<String>())?;
    let site = site_of(home.path())?;
    let server = site.servers.ssh()?;
    store(&site, None).await?;
    let played = site.play(&request(server, &json!({}))).await?;
    played.failed("hosts_unreachable", &["is not known"])?;
    // one whose key is in the file of the user
    fs::write(ssh.join("known_hosts"), &server.known_hosts)?;
    succeeded(&site.play(&request(server, &json!({}))).await?)?;
    // and one that another file of the user's configuration has, under another name
    fs::remove_file(ssh.join("known_hosts"))?;
    let line = server.known_hosts.split_once(' ').map_or("", |(_, key)| key);
    fs::write(ssh.join("others"), format!("other-name {line}\n"))?;
    let configuration = "Host 127.*\n  HostKeyAlias other-name\n  UserKnownHostsFile ~/.ssh/others\n";
    fs::write(ssh.join("config"), configuration)?;
    succeeded(&site.play(&request(server, &json!({}))).await?)
}

/// Starts a service whose user has another home in the database of users, which is the one that ssh looks at.
fn site_of(home: &std::path::Path) -> anyhow::Result<Site> {
    let servers = callboard_tests::Servers::start(&[callboard_tests::Part::Ssh])?;
    let (data, work) = (tempfile::tempdir()?, tempfile::tempdir()?);
    let mut inner = callboard(data.path())?;
    inner
        .args(["serve", "--listen", "127.0.0.1:0", "--playbooks"])
        .arg(playbooks())
        .arg("--work")
        .arg(work.path());
    let script = "mount --bind \"$0/passwd\" /etc/passwd && exec \"$@\"";
    let service = Service::spawn(within(&["--map-root-user", "--mount"], script, home, &inner))?;
    Ok(Site {
        service,
        data,
        work,
        servers,
    })
}

pub(crate) fn succeeded(played: &Played) -> anyhow::Result<()> {
    ensure!(played.job["status"] == "successful", "{}\n{}", played.job, played.log);
    Ok(())
}
