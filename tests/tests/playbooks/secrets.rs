//! `no_log` hides a value in every place.

use std::fs;
use std::path::Path;

use anyhow::ensure;
use callboard_tests::Service;
use serde_json::json;

const SECRET: &str = "hunter2-Zq8vXr";

#[tokio::test]
async fn what_no_log_hides_is_in_no_byte_of_anything_that_is_kept_or_told() -> anyhow::Result<()> {
    let (service, data) = Service::start(&[])?;
    let (client, dir) = (service.client(), tempfile::tempdir()?);
    let secrets = dir.path().join("secrets.yml");
    fs::write(&secrets, format!("secret: {SECRET}\n"))?;
    let mut told = String::new();
    for verbosity in [0, 4] {
        let request = json!({
            "playbook": "secrets/no_log.yml", "extra_vars": {"secret_file": secrets, "dir": dir.path()},
            "options": {"verbosity": verbosity, "diff": true},
        });
        let played = crate::play(&client, &request).await?;
        ensure!(played.job["reason"] == "playbook_failed", "{}", played.log);
        let error = played.job["error"].as_str().unwrap_or_default();
        let hidden = error.contains("in task \"Fail with it\"") && error.contains(": the output has been hidden");
        ensure!(hidden, "{}", played.job);
        ensure!(played.job["result"]["stats"]["localhost"]["ok"] == 15, "{}", played.log);
        ensure!(fs::read_to_string(dir.path().join("secret"))? == SECRET);
        let results = client.get(&format!("/api/v1/jobs/{}/results", played.id)).await?.body;
        ensure!(results["output"].is_null(), "{results}");
        told += &format!(
            "{} {} {results} {:?}",
            played.job,
            played.log,
            client.events(&played.id).await?
        );
    }
    told += &service.log();
    if let Some(place) = told.find(SECRET) {
        let before = told.as_bytes()[..place].rchunks(400).next().unwrap_or_default();
        anyhow::bail!("the secret is told after {:?}", String::from_utf8_lossy(before));
    }
    search(data.path())
}

/// Looks for the secret in every file.
fn search(folder: &Path) -> anyhow::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            search(&path)?;
        } else {
            let content = fs::read(&path)?;
            let found = content.windows(SECRET.len()).any(|window| window == SECRET.as_bytes());
            ensure!(!found, "the secret is in {}", path.display());
        }
    }
    Ok(())
}
