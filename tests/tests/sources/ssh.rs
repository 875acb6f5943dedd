//! Repositories over ssh: with keys that an agent holds, from hosts whose keys are known.

use anyhow::ensure;
use callboard_tests::servers::{Mode::Plain, SshServer};
use callboard_tests::{Part, processes};
use serde_json::{Value, json};

use crate::private::search;
use crate::spy::Spy;
use crate::{World, allow_all, playbook, say, with};

#[tokio::test]
async fn a_key_its_passphrase_and_its_certificate_open_a_repository() -> anyhow::Result<()> {
    let spy = Spy::new(&["git", "ssh", "ssh-add", "ssh-agent"])?;
    let world = World::start_with(&[Part::Git, Part::Ssh], allow_all, |command| spy.watch(command))?;
    let (source, ssh) = (source(&world)?, world.servers.ssh()?);
    let known = ssh.known_hosts.as_str();
    let keys = &ssh.keys;
    for (name, fields) in [
        ("plain", json!({"private_key": keys.plain})),
        (
            "encrypted",
            json!({"private_key": keys.encrypted, "passphrase": keys.passphrase}),
        ),
        (
            "certified",
            json!({"private_key": keys.certified, "certificate": keys.certificate}),
        ),
    ] {
        store(&world, name, &with(&fields, "known_hosts", known)).await?;
        let before = ssh.logins()?;
        let played = world.succeed(&with(&source, "git_credential", name)).await?;
        ensure!(played.log.contains("\"over ssh\""), "{name}: {}", played.log);
        ensure!(
            ssh.logins()? == before + 2,
            "{name}: one to ask and one to fetch: {}",
            ssh.log()?
        );
    }
    let told = format!("{}{}", world.service.log(), spy.calls()?);
    for key in [&keys.plain, &keys.encrypted, &keys.certified] {
        let line = key.lines().nth(3).unwrap_or_default();
        ensure!(line.len() > 20 && !told.contains(line), "a key is told: {told}");
        search(world.data.path(), line)?;
    }
    ensure!(!told.contains(&keys.passphrase), "the passphrase is told: {told}");
    search(world.data.path(), &keys.passphrase)?;
    no_agent_lives(&world)
}

#[tokio::test]
async fn a_key_that_does_not_open_a_repository_is_said_to_be_wrong_and_why() -> anyhow::Result<()> {
    let world = World::start(&[Part::Git, Part::Ssh])?;
    let (source, ssh) = (source(&world)?, world.servers.ssh()?);
    let keys = &ssh.keys;
    let refused = "the server does not accept the git_credential's key.";
    let unknown = "the server's host key is not known; add known_hosts to the git_credential or to the policy.";
    for (name, fields, known, reason, told) in [
        (
            "stranger",
            json!({"private_key": keys.stranger}),
            &ssh.known_hosts,
            "source_unavailable",
            refused,
        ),
        (
            "uncertified",
            json!({"private_key": keys.certified}),
            &ssh.known_hosts,
            "source_unavailable",
            refused,
        ),
        (
            "nowhere",
            json!({"private_key": keys.plain}),
            &String::new(),
            "source_unavailable",
            unknown,
        ),
        (
            "elsewhere",
            json!({"private_key": keys.plain}),
            &ssh.wrong_known_hosts,
            "source_unavailable",
            unknown,
        ),
        (
            "misspelt",
            json!({"private_key": keys.encrypted, "passphrase": "not the passphrase"}),
            &ssh.known_hosts,
            "credential_unavailable",
            "the passphrase or the key is wrong.",
        ),
        (
            "locked",
            json!({"private_key": keys.encrypted}),
            &ssh.known_hosts,
            "credential_unavailable",
            "it needs a passphrase.",
        ),
        (
            "token",
            json!({"token": "a-token-for-https"}),
            &ssh.known_hosts,
            "credential_unavailable",
            "needs a git_credential that holds a private_key.",
        ),
    ] {
        let fields = match known.as_str() {
            "" => fields,
            known => with(&fields, "known_hosts", known),
        };
        store(&world, name, &fields).await?;
        let error = world.fail(&with(&source, "git_credential", name), reason).await?;
        ensure!(error.ends_with(told), "{name}: {error}");
    }
    let error = world.fail(&source, "credential_unavailable").await?;
    ensure!(
        error.ends_with("needs a git_credential that holds a private_key."),
        "{error}"
    );
    no_agent_lives(&world)
}

#[tokio::test]
async fn the_policy_can_say_which_keys_a_host_has() -> anyhow::Result<()> {
    let policy = |servers: &callboard_tests::Servers| {
        let ssh = servers.ssh()?;
        Ok(json!({"git": [{"host": place(ssh), "known_hosts": ssh.known_hosts}]}))
    };
    let world = World::start_with(&[Part::Git, Part::Ssh], policy, |_| {})?;
    let source = source(&world)?;
    store(
        &world,
        "plain",
        &json!({"private_key": world.servers.ssh()?.keys.plain}),
    )
    .await?;
    world.succeed(&with(&source, "git_credential", "plain")).await?;
    Ok(())
}

fn source(world: &World) -> anyhow::Result<Value> {
    let (repository, _) = world.repository("site")?;
    repository.commit("main", &[("site.yml", &say("over ssh"), Plain)])?;
    Ok(playbook(&repository.ssh_url(world.servers.ssh()?), "site.yml"))
}

async fn store(world: &World, name: &str, fields: &Value) -> anyhow::Result<()> {
    world
        .credential(&with(&with(fields, "name", name), "kind", "git"))
        .await
}

fn place(ssh: &SshServer) -> String {
    format!("{}:{}", ssh.host, ssh.port)
}

/// Whatever held a key has ended with its job.
fn no_agent_lives(world: &World) -> anyhow::Result<()> {
    for process in processes::descendants(world.service.pid()) {
        let line = std::fs::read(format!("/proc/{}/cmdline", process.pid)).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        ensure!(!line.contains("ssh"), "{line} is left");
    }
    Ok(())
}
