//! Nothing of a job reaches another, and nothing of it outlives it.

mod hostile;
mod leftovers;
mod private;
mod together;
mod trees;
mod users;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use callboard_tests::Client;
use serde_json::{Value, json};

/// Runs the playbook that tells everything it can see; returns what it saw, and as what its modules ran.
pub(crate) async fn look(client: &Client) -> anyhow::Result<(Value, String)> {
    let job = client.run(&json!({"playbook": "isolation/look.yml"})).await?;
    anyhow::ensure!(job["status"] == "successful", "{job}");
    let events = client.events(job["job_id"].as_str().context("an id")?).await?;
    let mut results = events.iter().map(|event| &event["event_data"]["res"]);
    let seen = results
        .clone()
        .find_map(|result| result.get("msg").filter(|msg| msg.is_object()));
    let module = results.find_map(|result| result.get("module.stdout")?.as_str());
    Ok((
        seen.context("it saw")?.clone(),
        module.context("it ran a module")?.to_owned(),
    ))
}

/// Returns the folders of a service's running jobs, below the folder that was given with `--work`.
pub(crate) fn job_folders(work: &Path) -> Vec<PathBuf> {
    let below = |folder: PathBuf| {
        fs::read_dir(folder)
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.path())
    };
    let services = below(work.to_owned()).flat_map(below);
    services
        .flat_map(below)
        .filter(|path| !path.ends_with("host"))
        .collect()
}
