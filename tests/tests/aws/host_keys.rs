//! Host keys of managed hosts: what one worker accepts, every other knows.

use anyhow::{Context, ensure};
use callboard_core::credential::known_hosts::HostKey;
use callboard_tests::servers::{Part, Servers, SshServer};
use serde_json::{Value, json};

use crate::start_with;

#[tokio::test]
async fn a_key_that_a_worker_has_accepted_is_known_to_all_and_another_is_refused() -> anyhow::Result<()> {
    let servers = Servers::start(&[Part::Ssh])?;
    let server = servers.ssh()?;
    let stack = start_with(&[("CALLBOARD_POLICY", "{host_key_checking: accept-new}")])?;
    let client = stack.client();
    let credential = json!({"name": "key", "kind": "ssh", "private_key": server.keys.plain});
    ensure!(client.post("/api/v1/credentials", credential.to_string()).await?.status == 201);
    let accepted = client.run(&request(server)).await?;
    ensure!(accepted["status"] == "successful", "{accepted}");

    server.change_key().await?;
    // two at once, so that both workers have one
    let jobs = [
        client.submit(&request(server)).await?,
        client.submit(&request(server)).await?,
    ];
    let place = format!("[{}]:{}", server.host, server.port);
    let table = &stack.resources.table;
    let how = format!(
        "aws dynamodb delete-item --table-name {table} --key '{{\"pk\":{{\"S\":\"HOSTKEYS#default\"}},\"sk\":{{\"S\":\"{place}\"}}}}'"
    );
    for id in jobs {
        let refused = client.ended(&id).await?;
        let error = refused["error"].as_str().context("a sentence")?;
        ensure!(refused["reason"] == "hosts_unreachable", "{refused}");
        for words in [
            "has changed",
            &fingerprint(&server.known_hosts),
            &fingerprint(&server.wrong_known_hosts),
            &how,
        ] {
            ensure!(error.contains(words), "the error lacks {words}: {error}");
        }
    }

    let known = json!({"kind": "ssh", "private_key": server.keys.plain, "known_hosts": server.wrong_known_hosts});
    let put = client
        .request(reqwest::Method::PUT, "/api/v1/credentials/key")
        .json(&known);
    ensure!(client.send(put).await?.status == 200);
    let by_credential = client.run(&request(server)).await?;
    ensure!(by_credential["status"] == "successful", "{by_credential}");
    Ok(())
}

fn request(server: &SshServer) -> Value {
    let vars = json!({
        "ansible_host": server.host, "ansible_port": server.port, "ansible_user": server.user,
        "ansible_connection": "ssh",
    });
    let playbook = "- {hosts: all, gather_facts: false, tasks: [{ansible.builtin.raw: echo hi}]}";
    json!({
        "source": {"type": "inline", "content": playbook}, "credentials": {"ssh": "key"},
        "inventory": {"type": "inline", "hosts": ["target"], "host_vars": {"target": vars}},
    })
}

fn fingerprint(line: &str) -> String {
    HostKey::of_any_line(line).map_or("no key".to_owned(), |key| key.fingerprint())
}
