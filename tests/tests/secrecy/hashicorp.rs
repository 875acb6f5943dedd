//! Secrets that HashiCorp Vault keeps, named in the request: a real server with its API, KV of both versions.

use anyhow::{Context, ensure};
use callboard_tests::Site;
use reqwest::Method;
use serde_json::{Value, json};

const HASH: &str = "- hosts: all
  gather_facts: false
  tasks:
    - debug: {msg: \"{{ lookup('file', lookup('env', 'HOME') ~ '/../k/become') | hash('sha256') }}\"}
    - debug: {msg: \"{{ lookup('file', lookup('env', 'HOME') ~ '/../k/become') }}\"}
";
const VALUE: &str = "kept-by-vault";
const VALUE_HASH: &str = "f115ffce1cad2c3160dfc599d7fd13ca37c1ff6c4bf20a4764bbf8a009700bdc";

fn variable(name: &str) -> anyhow::Result<String> {
    std::env::var(name).with_context(|| format!("{name} is not set; tests/emulators.py starts the server and sets it"))
}

async fn call(method: Method, path: &str, body: &Value) -> anyhow::Result<()> {
    let request = callboard_tests::http::client()
        .request(method, format!("{}/v1/{path}", variable("CALLBOARD_TEST_VAULT")?))
        .header("X-Vault-Token", variable("CALLBOARD_TEST_VAULT_TOKEN")?)
        .body(body.to_string());
    let answer = request.send().await?;
    let (status, text) = (answer.status(), answer.text().await?);
    ensure!(status.is_success(), "{path}: {status} {text}");
    Ok(())
}

#[tokio::test]
async fn secrets_that_vault_keeps_are_read_with_the_credential_that_is_named_or_the_default_one() -> anyhow::Result<()>
{
    let mount = format!("kv{}", std::process::id());
    for (version, mount) in [("1", format!("{mount}-1")), ("2", format!("{mount}-2"))] {
        let engine = json!({"type": "kv", "options": {"version": version}});
        call(Method::POST, &format!("sys/mounts/{mount}"), &engine).await?;
    }
    let secret = json!({"password": VALUE, "other": "x-other"});
    call(Method::POST, &format!("{mount}-1/ansible/prod"), &secret).await?;
    call(
        Method::POST,
        &format!("{mount}-2/data/ansible/prod"),
        &json!({"data": secret}),
    )
    .await?;
    call(
        Method::POST,
        &format!("{mount}-2/data/sudo/prod"),
        &json!({"data": {"password": VALUE}}),
    )
    .await?;

    let site = Site::start(&[], |_servers| Ok(json!({})))?;
    let (url, token) = (
        variable("CALLBOARD_TEST_VAULT")?,
        variable("CALLBOARD_TEST_VAULT_TOKEN")?,
    );
    let vault = json!({"kind": "hashicorp_vault", "url": url, "token": token});
    site.store("hcp-vault-token", &vault).await?;
    site.store("hashicorp-vault", &vault).await?;
    let path = |path: &str| format!("{mount}-{path}");
    for reference in [
        json!({"vault_path": path("1/ansible/prod"), "vault_key": "password", "vault_credential": "hcp-vault-token"}),
        json!({"vault_path": path("2/ansible/prod"), "vault_key": "password", "vault_credential": "hcp-vault-token"}),
        json!({"vault_path": path("2/sudo/prod")}),
    ] {
        let played = site.play(&request(reference)).await?;
        ensure!(
            played.messages() == [VALUE_HASH, "********"],
            "{} {}",
            played.job,
            played.log
        );
    }
    for (reference, words) in [
        (
            json!({"vault_path": path("2/ansible/gone"), "vault_key": "password"}),
            path("2/ansible/gone"),
        ),
        (
            json!({"vault_path": path("2/ansible/prod")}),
            "other, password".to_owned(),
        ),
        (
            json!({"vault_path": path("2/ansible/prod"), "vault_key": "absent"}),
            "absent".to_owned(),
        ),
    ] {
        let played = site.play(&request(reference)).await?;
        played.failed("credential_unavailable", &[&words])?;
    }
    Ok(())
}

fn request(mut reference: Value) -> Value {
    reference["type"] = "hashicorp_vault".into();
    let mut request = crate::inline(HASH);
    request["credentials"] = json!({"become_password": reference});
    request
}
