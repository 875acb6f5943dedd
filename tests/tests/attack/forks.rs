//! Too few processes.

use std::process::Command;

use anyhow::{Context, ensure};
use callboard_tests::processes::descendants;
use callboard_tests::program::as_nobody;
use callboard_tests::{Service, callboard, playbooks};
use rustix::process::{Resource, getrlimit};
use serde_json::json;

/// Changes how many processes the user of a process may have when it forks. Only that user may change it, or who may do anything.
fn limit_processes(pid: u32, processes: &str) -> anyhow::Result<()> {
    let mut command = Command::new("prlimit");
    command.args([format!("--pid={pid}"), format!("--nproc={processes}:")]);
    let status = as_nobody(command).status()?;
    ensure!(status.success(), "prlimit: {status}");
    Ok(())
}

#[tokio::test]
async fn a_job_that_cannot_be_forked_waits_and_then_runs() -> anyhow::Result<()> {
    let data = tempfile::tempdir()?;
    let mut command = callboard(data.path())?;
    command
        .args(["serve", "--listen", "127.0.0.1:0", "--workers", "1", "--playbooks"])
        .arg(playbooks());
    let service = Service::spawn(as_nobody(command))?;
    let client = service.client();
    client.run(&json!({"playbook": "nothing.yml"})).await?;
    let host = descendants(service.pid())
        .into_iter()
        .find(|child| child.parent == service.pid());
    let host = host.context("the service has no Ansible host")?.pid;
    limit_processes(host, "1")?;
    let id = crate::put_back(&service, &client).await?;
    let before = getrlimit(Resource::Nproc).current;
    let before = before.map_or("unlimited".to_owned(), |count| count.to_string());
    limit_processes(host, &before)?;
    crate::starts_once(&client, &id).await?;
    ensure!(!service.log().contains("died"), "{}", service.log());
    Ok(())
}
