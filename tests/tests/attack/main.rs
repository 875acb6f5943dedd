//! What nobody sends who means well: foreign hosts and origins, false addresses, connections and handshakes that hold places, bodies
//! that fill memory. The real program stays within its bounds, answers others meanwhile, and its jobs run.

mod bodies;
mod connections;
mod descriptors;
mod followers;
mod forks;
mod hosts;
mod jobs;
mod lists;
mod proxies;
mod tls;

use std::process::Command;

use anyhow::{Context, ensure};
use callboard_tests::{Client, Service, callboard, playbooks, program, wait};
use rustix::process::{Pid, Resource, Rlimit, prlimit};
use serde_json::json;
use tempfile::TempDir;

/// Starts a service that may have so many open files.
fn start_within(files: u32, arguments: &[&str]) -> anyhow::Result<(Service, TempDir)> {
    let data = tempfile::tempdir()?;
    let mut command = Command::new("sh");
    command
        .args([
            "-c",
            "ulimit -n \"$1\" && shift && exec \"$@\"",
            "sh",
            &files.to_string(),
        ])
        .arg(program::path("callboard")?)
        .args(["serve", "--listen", "127.0.0.1:0", "--playbooks"])
        .arg(playbooks())
        .args(arguments)
        .env("CALLBOARD_DATA", data.path());
    Ok((Service::spawn(command)?, data))
}

/// Starts a service that listens on every address of this machine, with a key, which requests that are let in would have to show.
fn start_everywhere(arguments: &[&str]) -> anyhow::Result<(Service, TempDir)> {
    let data = tempfile::tempdir()?;
    let made = callboard(data.path())?
        .args(["keys", "create", "--name", "admin", "--scope", "admin"])
        .output()?;
    ensure!(made.status.success(), "{made:?}");
    let mut command = callboard(data.path())?;
    command
        .args(["serve", "--listen", "0.0.0.0:0", "--playbooks"])
        .arg(playbooks())
        .args(arguments);
    Ok((Service::spawn(command)?, data))
}

/// Changes how many open files a process may have; returns how many it might before.
fn limit_files(pid: u32, files: u64) -> anyhow::Result<u64> {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    let limit = rustix::process::getrlimit(Resource::Nofile);
    let changed = Rlimit {
        current: Some(files),
        ..limit
    };
    let before = prlimit(pid, Resource::Nofile, changed)?;
    before.current.context("a limit")
}

/// Submits a job that cannot be started for want of something, and waits until it is back in the queue; returns its id.
async fn put_back(service: &Service, client: &Client) -> anyhow::Result<String> {
    let id = client.submit(&json!({"playbook": "nothing.yml"})).await?;
    let put_back = || service.log().contains("it could not be started");
    wait::until("the job is put back", put_back).await?;
    let job = client.job(&id).await?;
    ensure!(job["status"] == "pending" && job["attempt"] == 0, "{job}");
    ensure!(job["attempts"] == json!([]), "{job}");
    Ok(id)
}

/// Checks that a job which was put back is successful at its first start.
async fn starts_once(client: &Client, id: &str) -> anyhow::Result<()> {
    let job = client.ended(id).await?;
    ensure!(job["status"] == "successful" && job["attempt"] == 1, "{job}");
    Ok(())
}
