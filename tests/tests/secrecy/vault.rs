//! Vault passwords, one for all or several by their labels.

use std::fs;
use std::process::Stdio;

use anyhow::{Context, ensure};
use callboard_tests::{Site, Stock};
use serde_json::{Value, json};

/// Encrypts a text as `ansible-vault` does; returns it as a value in YAML.
fn vaulted(site: &Site, label: &str, password: &str, text: &str) -> anyhow::Result<String> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("password");
    fs::write(&file, password)?;
    let mut command = Stock::of(&site.service)?.program("ansible-vault");
    command.args(["encrypt_string", "--vault-id", &format!("{label}@{}", file.display())]);
    command.args(["--encrypt-vault-id", label, text]);
    let output = command.stdin(Stdio::null()).output()?;
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{errors}");
    let text = String::from_utf8(output.stdout)?;
    let lines = text.trim_end().lines().map(|line| format!("        {}\n", line.trim()));
    let body: String = lines.skip(1).collect();
    Ok(format!("!vault |\n{body}"))
}

/// A playbook that shows what the values are; they come from vaults of `prod` and `dev`.
fn playbook(prod: &str, dev: &str) -> Value {
    let tasks = "  tasks:\n    - debug: {msg: \"{{ prod }} and {{ dev }}\"}\n";
    let vars = format!("  vars:\n      prod: {prod}\n      dev: {dev}\n");
    crate::inline(&format!("- hosts: all\n  gather_facts: false\n{vars}{tasks}"))
}

#[tokio::test]
async fn vaults_open_with_the_passwords_of_their_labels_and_with_no_other() -> anyhow::Result<()> {
    let site = crate::site(&[])?;
    for (name, credential) in [
        ("prod", json!({"kind": "vault", "password": "of-the-prod-vault"})),
        (
            "prod-labelled",
            json!({"kind": "vault", "password": "of-the-prod-vault", "vault_id": "prod"}),
        ),
        ("dev", json!({"kind": "vault", "password": "of-the-dev-vault"})),
        ("wrong", json!({"kind": "vault", "password": "of-another-vault"})),
    ] {
        site.store(name, &credential).await?;
    }
    let prod = vaulted(&site, "prod", "of-the-prod-vault", "for production")?;
    let dev = vaulted(&site, "dev", "of-the-dev-vault", "for development")?;
    let (both, one) = (playbook(&prod, &dev), playbook(&prod, "none"));
    for (request, ids, password, opens) in [
        (&one, json!([]), Some("prod"), Some("for production and none")),
        (
            &both,
            json!(["prod@prod", "dev@dev"]),
            None,
            Some("for production and for development"),
        ),
        (
            &both,
            json!(["prod-labelled"]),
            Some("dev"),
            Some("for production and for development"),
        ),
        (
            &both,
            json!(["prod@dev", "dev@prod"]),
            None,
            Some("for production and for development"),
        ),
        (&one, json!(["prod@wrong"]), None, None),
        (&one, json!([]), Some("wrong"), None),
        (&one, json!([]), None, None),
    ] {
        let mut request = request.clone();
        request["options"] = json!({"vault_ids": ids});
        if let Some(name) = password {
            request["credentials"] = json!({"vault_password": name});
        }
        let played = site.play(&request).await?;
        match opens {
            Some(told) => ensure!(played.messages() == [told], "{ids} {password:?}: {}", played.log),
            None => {
                let error = played.job["error"].as_str().context("a failed job has an error")?;
                ensure!(error.to_lowercase().contains("vault"), "{ids} {password:?}: {error}");
            }
        }
        let told = format!("{} {}", played.job, played.log);
        ensure!(!told.contains("-vault\""), "{told}");
    }
    Ok(())
}
