//! Too few processes.

use std::process::Command;

use anyhow::{Context, ensure};
use callboard_tests::processes::descendants;
use callboard_tests::{Service, callboard, playbooks, wait};
use rustix::process::{Resource, geteuid, getrlimit};
use serde_json::json;

/// Nobody on this machine.
const USER: &str = "61337";

/// As a user whose processes are counted, which root's are not, and who may read all the same what root has built.
fn counted(command: &Command) -> Command {
    let mut wrapped = if geteuid().is_root() {
        let mut wrapped = Command::new("setpriv");
        let user = [format!("--reuid={USER}"), format!("--regid={USER}")];
        wrapped.args(user).args([
            "--clear-groups",
            "--inh-caps=-all,+dac_override",
            "--ambient-caps=-all,+dac_override",
            "--bounding-set=-all,+dac_override",
        ]);
        wrapped.arg("--").arg(command.get_program());
        wrapped
    } else {
        Command::new(command.get_program())
    };
    wrapped.args(command.get_args());
    wrapped.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    wrapped
}

/// Changes how many processes the user of a process may have when it forks. Only that user may change it, or who may do anything.
fn limit_processes(pid: u32, processes: &str) -> anyhow::Result<()> {
    let mut command = Command::new("prlimit");
    command.args([format!("--pid={pid}"), format!("--nproc={processes}:")]);
    let status = counted(&command).status()?;
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
    let service = Service::spawn(counted(&command))?;
    let client = service.client();
    client.run(&json!({"playbook": "nothing.yml"})).await?;
    let host = descendants(service.pid())
        .into_iter()
        .find(|child| child.parent == service.pid());
    let host = host.context("the service has no Ansible host")?.pid;
    limit_processes(host, "1")?;
    let id = client.submit(&json!({"playbook": "nothing.yml"})).await?;
    let put_back = || service.log().contains("it could not be started");
    wait::until("the job is put back", put_back).await?;
    let job = client.job(&id).await?;
    ensure!(job["status"] == "pending" && job["attempt"] == 0, "{job}");
    let before = getrlimit(Resource::Nproc).current;
    let before = before.map_or("unlimited".to_owned(), |count| count.to_string());
    limit_processes(host, &before)?;
    let job = client.ended(&id).await?;
    ensure!(job["status"] == "successful" && job["attempt"] == 1, "{job}");
    ensure!(!service.log().contains("died"), "{}", service.log());
    Ok(())
}
