//! The service dies without a word.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::ensure;
use callboard_tests::{Service, daemon, processes, wait};
use rustix::process::Signal;
use serde_json::json;

use crate::check_end;

/// Takes as long as a lease: half a minute.
#[tokio::test]
async fn jobs_of_a_killed_service_are_ended_with_it_and_found_lost_when_their_lease_is_over() -> anyhow::Result<()> {
    let (mut service, data) = Service::start(&[])?;
    let client = service.client();
    let daemon::Two { once, again, markers } = daemon::start_two(&client, data.path()).await?;
    service.signal(Signal::KILL)?;
    service.wait()?;
    for marker in &markers {
        let gone = || processes::with_marker(marker).is_empty();
        wait::until("the jobs of the killed service are gone", gone).await?;
    }

    let service = Service::start_in(data.path(), &[])?;
    let client = service.client();
    let lost = client.ended(&once).await?;
    check_end(&lost, "failed", "lost")?;
    let stdout = lost["result"]["stdout"].as_str().unwrap_or_default();
    ensure!(stdout.contains("TASK [Go on until stopped]"), "{stdout}");
    let second = client.until(&again, |job| job["attempt"] == 2).await?;
    ensure!(second["status"] == "running", "{second}");
    client.delete(&format!("/api/v1/jobs/{again}")).await?;
    check_end(&client.ended(&again).await?, "canceled", "canceled_by_request")
}

#[tokio::test]
async fn an_agent_with_a_key_and_the_files_of_a_killed_service_go_with_it() -> anyhow::Result<()> {
    let work = tempfile::Builder::new().prefix("w").tempdir_in("/tmp")?;
    let folder = work.path().display().to_string();
    let (mut service, data) = Service::start(&["--work", &folder])?;
    let client = service.client();
    client.store_ssh_key(data.path()).await?;
    let marker = data.path().join("marker").display().to_string();
    let request = json!({
        "playbook": "start_daemon.yml", "extra_vars": {"marker": marker}, "credentials": {"ssh": "key"},
    });
    let id = client.submit(&request).await?;
    daemon::runs(&client, &id, &marker).await?;
    let alive = || processes::with_variable(&format!("TMPDIR={folder}/"));
    let agents = processes::with_marker("ssh-agent");
    ensure!(alive().iter().any(|pid| agents.contains(pid)), "no agent runs");

    service.signal(Signal::KILL)?;
    service.wait()?;
    wait::until("what the service had started is gone", || alive().is_empty()).await?;
    ensure!(processes::with_marker(&marker).is_empty(), "the job lives");
    let files = || walk(work.path());
    wait::until("its files are gone", || files().is_empty()).await?;
    Ok(())
}

/// Returns the files below a folder.
fn walk(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .flat_map(|entry| match entry.path() {
            path if path.is_dir() && !path.is_symlink() => walk(&path),
            path => vec![path],
        })
        .collect()
}
