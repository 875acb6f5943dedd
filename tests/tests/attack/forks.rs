//! Too few processes.

use std::process::Command;

use anyhow::{Context, ensure};
use callboard_tests::processes::descendants;
use callboard_tests::program::wrap;
use callboard_tests::{Service, callboard, playbooks};
use rustix::process::{Resource, geteuid, getrlimit};
use serde_json::json;

/// Nobody on this machine.
const USER: &str = "61337";

/// As a user whose processes are counted, which root's are not, and who may read all the same what root has built.
fn counted(command: Command) -> Command {
    if !geteuid().is_root() {
        return command;
    }
    let mut wrapped = Command::new("setpriv");
    wrapped.args([format!("--reuid={USER}"), format!("--regid={USER}")]);
    wrapped.args([
        "--clear-groups",
        "--inh-caps=-all,+dac_override",
        "--ambient-caps=-all,+dac_override",
        "--bounding-set=-all,+dac_override",
        "--",
    ]);
    wrap(wrapped, &command)
}

/// Changes how many processes the user of a process may have when it forks. Only that user may change it, or who may do anything.
fn limit_processes(pid: u32, processes: &str) -> anyhow::Result<()> {
    let mut command = Command::new("prlimit");
    command.args([format!("--pid={pid}"), format!("--nproc={processes}:")]);
    let status = counted(command).status()?;
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
    let service = Service::spawn(counted(command))?;
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
