//! Playbooks of collections, by their names.

use std::fs;
use std::path::Path;

use anyhow::{Context, ensure};
use callboard_tests::{Service, callboard};
use serde_json::{Value, json};

use crate::say;

/// Puts a collection into a folder of collections; its playbooks `site` and `deploy.web` say where they are from.
fn collection(folder: &Path, name: &str) -> anyhow::Result<()> {
    let root = folder.join("ansible_collections/acme").join(name);
    let galaxy = format!("{{namespace: acme, name: {name}, version: 1.0.0, readme: README.md, authors: [Acme]}}");
    for (path, content) in [
        ("galaxy.yml", &*galaxy),
        ("README.md", ""),
        ("playbooks/site.yml", &say(&format!("site of {name}"))),
        ("playbooks/deploy/web.yml", &say(&format!("web of {name}"))),
    ] {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap_or(&root))?;
        fs::write(path, content)?;
    }
    Ok(())
}

fn told(job: &Value) -> String {
    format!(
        "{}\n{}",
        job["error"].as_str().unwrap_or_default(),
        job["result"]["stdout"].as_str().unwrap_or_default()
    )
}

#[tokio::test]
async fn they_are_found_in_every_collection_that_the_playbooks_folder_leads_to() -> anyhow::Result<()> {
    let (data, folder) = (tempfile::tempdir()?, tempfile::tempdir()?);
    let (playbooks, elsewhere) = (folder.path().join("playbooks"), folder.path().join("elsewhere"));
    collection(&playbooks.join("collections"), "inside")?;
    collection(&playbooks.join("more"), "configured")?;
    collection(&elsewhere, "required")?;
    let required = elsewhere.join("ansible_collections/acme/required");
    let requirements = json!({"collections": [{"name": required, "type": "dir"}]});
    for (name, content) in [
        ("ansible.cfg", "[defaults]\ncollections_path = more\n"),
        ("requirements.yml", &requirements.to_string()),
        ("acme.inside.site", &say("a file of that name")),
    ] {
        fs::write(playbooks.join(name), content)?;
    }
    std::os::unix::fs::symlink(required.join("playbooks/site.yml"), playbooks.join("acme.inside.leak"))?;
    let service = Service::start_with(data.path(), &playbooks, &[])?;
    let client = service.client();
    for (name, expected) in [
        ("acme.configured.site", "site of configured"),
        ("acme.configured.site.yml", "site of configured"),
        ("acme.inside.deploy.web", "web of inside"),
        ("acme.required.site", "site of required"),
        ("acme.inside.site", "a file of that name"),
    ] {
        for request in [
            json!({"playbook": name}),
            json!({"source": {"type": "playbook", "path": name}}),
        ] {
            let job = client.run(&request).await?;
            ensure!(job["status"] == "successful" && job["playbook"] == name, "{job}");
            ensure!(told(&job).contains(&format!("\"msg\": \"{expected}\"")), "{job}");
        }
    }
    let more = playbooks.canonicalize()?.join("more");
    for (name, words) in [
        (
            "acme.configured.nope",
            vec![
                "There is no playbook acme.configured.nope",
                "ansible_collections/acme/configured",
            ],
        ),
        (
            "acme.nope.site",
            vec![
                "acme.nope was looked for in ",
                ", the folder of the installed requirements, ",
                more.to_str().context("a path")?,
            ],
        ),
    ] {
        let job = client.run(&json!({"playbook": name})).await?;
        ensure!(
            job["status"] == "failed" && job["reason"] == "source_unavailable",
            "{job}"
        );
        let error = job["error"].as_str().unwrap_or_default();
        ensure!(
            words.iter().all(|word| error.contains(word)) && error.ends_with('.'),
            "{error}"
        );
        ensure!(!error.contains("/callboard-"), "{error}");
    }
    // what is no name is a path, and those lead nowhere else
    for (name, status) in [
        ("acme.site", 404),
        ("acme.inside.a-b", 404),
        ("acme.inside.leak", 422),
        ("acme.inside/playbooks/site.yml", 404),
        ("../elsewhere/acme.required.site", 422),
    ] {
        let answer = client
            .post("/api/v1/jobs", json!({"playbook": name}).to_string())
            .await?;
        ensure!(answer.status == status, "{name}: {answer:?}");
    }
    Ok(())
}

#[tokio::test]
async fn they_are_found_among_the_collections_of_the_services_user() -> anyhow::Result<()> {
    let (data, folder) = (tempfile::tempdir()?, tempfile::tempdir()?);
    let (playbooks, home) = (folder.path().join("playbooks"), folder.path().join("home"));
    fs::create_dir_all(&playbooks)?;
    collection(&home.join(".ansible/collections"), "own")?;
    let mut command = callboard(data.path())?;
    if std::env::var_os("CALLBOARD_CACHE").is_none() {
        let cache = std::env::home_dir().context("a home")?.join(".cache/callboard");
        command.env("CALLBOARD_CACHE", cache);
    }
    command
        .args(["serve", "--listen", "127.0.0.1:0", "--playbooks"])
        .arg(&playbooks)
        .env("HOME", &home);
    let service = Service::spawn(command)?;
    let job = service.client().run(&json!({"playbook": "acme.own.site"})).await?;
    ensure!(
        job["status"] == "successful" && told(&job).contains("site of own"),
        "{job}"
    );
    let job = service.client().run(&json!({"playbook": "acme.nope.site"})).await?;
    ensure!(
        told(&job).contains("was looked for in ~/.ansible/collections, /usr/share"),
        "{job}"
    );
    Ok(())
}
