//! What can only be found out when the job runs: it fails, and says why.

use std::path::{Path, PathBuf};

use anyhow::ensure;
use callboard_tests::{Service, playbooks};
use serde_json::json;

#[tokio::test]
async fn a_playbook_that_ansible_cannot_read_fails_with_ansibles_own_message_and_place() -> anyhow::Result<()> {
    let root = tempfile::tempdir()?;
    let folder = folder(root.path(), &[])?;
    std::fs::write(folder.join("malformed.yml"), "- hosts: all\n  tasks: [\n  - debug\n")?;
    std::fs::write(folder.join("misspelt.yml"), "- hosts: all\n  tasks: []\n  taks: []\n")?;
    std::fs::write(folder.join("empty.yml"), "")?;
    let service = Service::start_with(&root.path().join("data"), &folder, &[])?;
    let client = service.client();
    for (playbook, parts) in [
        (
            "malformed.yml",
            ["YAML parsing failed", "malformed.yml, line 3, column 3"],
        ),
        (
            "misspelt.yml",
            [
                "'taks' is not a valid attribute for a Play",
                "misspelt.yml, line 3, column 3",
            ],
        ),
        ("empty.yml", ["Empty playbook", "empty.yml"]),
    ] {
        let job = client.run(&json!({"playbook": playbook})).await?;
        ensure!(job["status"] == "failed" && job["reason"] == "playbook_failed", "{job}");
        let error = job["error"].as_str().unwrap_or_default();
        for part in parts {
            ensure!(error.contains(part), "{playbook} has no {part:?}: {error}");
        }
        let stdout = job["result"]["stdout"].as_str().unwrap_or_default();
        ensure!(job["result"]["rc"] == 4 && stdout.contains("ERROR"), "{job}");
    }
    Ok(())
}

#[tokio::test]
async fn an_inventory_without_hosts_and_a_playbook_that_is_gone_have_reasons_of_their_own() -> anyhow::Result<()> {
    let root = tempfile::tempdir()?;
    let folder = folder(root.path(), &["hello.yml", "wait_for_file.yml"])?;
    let service = Service::start_with(&root.path().join("data"), &folder, &["--workers", "1"])?;
    let client = service.client();
    let empty = json!({"type": "inline", "data": {"web": {"hosts": {"web[3:1]": null}}}});
    let job = client
        .run(&json!({"playbook": "hello.yml", "inventory": empty}))
        .await?;
    ensure!(
        job["status"] == "failed" && job["reason"] == "inventory_invalid",
        "{job}"
    );
    ensure!(
        job["error"].as_str().is_some_and(|error| error.contains("no hosts")),
        "{job}"
    );

    let file = root.path().join("go");
    let before = json!({"playbook": "wait_for_file.yml", "extra_vars": {"file": file}});
    let before = client.submit(&before).await?;
    let late = client.submit(&json!({"playbook": "hello.yml"})).await?;
    std::fs::remove_file(folder.join("hello.yml"))?;
    std::fs::write(&file, "")?;
    ensure!(client.ended(&before).await?["status"] == "successful");
    let job = client.ended(&late).await?;
    ensure!(
        job["status"] == "failed" && job["reason"] == "source_unavailable",
        "{job}"
    );
    ensure!(
        job["error"].as_str().is_some_and(|error| error.contains("hello.yml")),
        "{job}"
    );
    ensure!(job["result"]["rc"].is_null() && job["result"]["stdout"] == "", "{job}");
    Ok(())
}

/// Makes a folder of playbooks with copies of some of the tests'.
fn folder(root: &Path, names: &[&str]) -> anyhow::Result<PathBuf> {
    let folder = root.join("playbooks");
    std::fs::create_dir(&folder)?;
    for name in names {
        std::fs::copy(playbooks().join(name), folder.join(name))?;
    }
    Ok(folder)
}
