//! The Ansible host: it is replaced when it dies, its jobs are ended with it, and nothing accumulates.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use callboard_tests::processes::{self, Process};
use callboard_tests::{Client, Service, daemon, wait};
use rustix::process::Signal;
use serde_json::{Value, json};

/// Which processes of a running job are killed.
#[derive(Clone, Copy, Debug)]
enum Victims {
    Everything,
    Host,
    HostAndSupervisor,
    Supervisor,
}

#[tokio::test]
async fn a_job_whose_processes_are_killed_ends_as_runner_error_and_the_next_one_works() -> anyhow::Result<()> {
    let (service, data) = Service::start(&[])?;
    let client = service.client();
    kill(&service, Victims::Everything).await?;
    works(&client).await?;
    for victims in [Victims::Everything, Victims::HostAndSupervisor, Victims::Supervisor] {
        let marker = data.path().join(format!("{victims:?}")).display().to_string();
        let id = start_daemon(&client, &marker, &json!({})).await?;
        kill(&service, victims).await?;
        let job = client.ended(&id).await?;
        ensure!(
            job["status"] == "failed" && job["reason"] == "runner_error",
            "{victims:?}: {job}"
        );
        ensure!(
            job["error"].as_str().is_some_and(|error| error.contains("host died")),
            "{job}"
        );
        let stdout = job["result"]["stdout"].as_str().unwrap_or_default();
        ensure!(stdout.contains("TASK [Go on until stopped]"), "{victims:?}: {stdout}");
        gone(&marker).await?;
        works(&client).await?;
        only_the_host(&service).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_job_outlives_its_host_and_one_that_may_be_started_twice_is() -> anyhow::Result<()> {
    let (service, data) = Service::start(&[])?;
    let client = service.client();
    let marker = data.path().join("orphan").display().to_string();
    let orphan = start_daemon(&client, &marker, &json!({})).await?;
    kill(&service, Victims::Host).await?;
    works(&client).await?;
    ensure!(client.job(&orphan).await?["status"] == "running");
    client.delete(&format!("/api/v1/jobs/{orphan}")).await?;
    let job = client.ended(&orphan).await?;
    ensure!(job["status"] == "canceled", "{job}");
    ensure!(
        processes::with_marker(&marker).is_empty(),
        "the job is canceled and lives"
    );
    only_the_host(&service).await?;

    let marker = data.path().join("again").display().to_string();
    let again = start_daemon(&client, &marker, &json!({"max_attempts": 2})).await?;
    kill(&service, Victims::Everything).await?;
    client.until(&again, |job| job["attempt"] == 2).await?;
    daemon::runs(&client, &again, &marker).await?;
    kill(&service, Victims::Everything).await?;
    let job = client.ended(&again).await?;
    ensure!(job["attempt"] == 2 && job["reason"] == "runner_error", "{job}");
    gone(&marker).await?;
    works(&client).await?;
    only_the_host(&service).await
}

#[tokio::test]
async fn neither_processes_nor_descriptors_nor_folders_accumulate() -> anyhow::Result<()> {
    let (mut service, _data) = Service::start(&[])?;
    let client = service.client();
    many(&client, 5).await?;
    only_the_host(&service).await?;
    let host = host(&service)?;
    let before = [service.pid(), host].map(descriptors);
    let folders = tree(&work_folder(&service))?;
    many(&client, 50).await?;
    only_the_host(&service).await?;
    ensure!(self::host(&service)? == host, "the host was replaced");
    let after = [service.pid(), host].map(descriptors);
    let grown = before.iter().zip(after).any(|(before, after)| after > before + 3);
    ensure!(!grown, "open descriptors grew from {before:?} to {after:?}");
    assert_eq!(tree(&work_folder(&service))?, folders);
    service.signal(Signal::TERM)?;
    service.wait()?;
    ensure!(!work_folder(&service).exists(), "the folder of running jobs is left");
    Ok(())
}

async fn start_daemon(client: &Client, marker: &str, options: &Value) -> anyhow::Result<String> {
    let id = daemon::start(client, marker, options).await?;
    daemon::runs(client, &id, marker).await?;
    Ok(id)
}

/// Kills, and waits until the victims have died: a host takes a moment to die, and no job to fork.
async fn kill(service: &Service, victims: Victims) -> anyhow::Result<()> {
    let host = host(service)?;
    let mut killed = Vec::new();
    for process in processes::descendants(service.pid()) {
        let chosen = match victims {
            Victims::Everything => true,
            Victims::Host => process.pid == host,
            Victims::HostAndSupervisor => process.pid == host || process.parent == host,
            Victims::Supervisor => process.parent == host,
        };
        if chosen {
            processes::signal(process.pid, Signal::KILL)?;
            killed.push(process.pid);
        }
    }
    let lives = |process: &Process| !process.zombie && killed.contains(&process.pid);
    let dead = || !processes::descendants(service.pid()).iter().any(lives);
    wait::until("the killed processes are dead", dead).await
}

/// The host is the service's only living child while no job has lost its own.
fn host(service: &Service) -> anyhow::Result<u32> {
    let children = processes::descendants(service.pid());
    let host = children
        .iter()
        .find(|child| child.parent == service.pid() && !child.zombie);
    Ok(host.context("the service has no host")?.pid)
}

async fn works(client: &Client) -> anyhow::Result<()> {
    let job = client.run(&json!({"playbook": "hello.yml"})).await?;
    ensure!(job["status"] == "successful", "{job}");
    Ok(())
}

async fn many(client: &Client, count: usize) -> anyhow::Result<()> {
    let mut jobs = Vec::new();
    for _ in 0..count {
        jobs.push(client.submit(&json!({"playbook": "hello.yml"})).await?);
    }
    for id in jobs {
        ensure!(client.ended(&id).await?["status"] == "successful");
    }
    Ok(())
}

async fn gone(marker: &str) -> anyhow::Result<()> {
    wait::until("all that the job started is gone", || {
        processes::with_marker(marker).is_empty()
    })
    .await
}

/// Waits until the service's only descendant, zombies included, is its host.
async fn only_the_host(service: &Service) -> anyhow::Result<()> {
    let only = || matches!(processes::descendants(service.pid()).as_slice(), [host] if !host.zombie);
    let waited = wait::until("only the host is left", only).await;
    waited.with_context(|| format!("left are {:?}", processes::descendants(service.pid())))
}

fn descriptors(pid: u32) -> usize {
    std::fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, Iterator::count)
}

fn work_folder(service: &Service) -> PathBuf {
    let user = rustix::process::getuid().as_raw();
    PathBuf::from(format!("/var/tmp/cb-{user}/{}", service.pid()))
}

/// Returns every path below a folder.
fn tree(folder: &Path) -> anyhow::Result<BTreeSet<PathBuf>> {
    let mut found = BTreeSet::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(tree(&path)?);
        }
        found.insert(path);
    }
    Ok(found)
}
