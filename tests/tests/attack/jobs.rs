//! Jobs that turn on what watches over them. They run as the service's user, so they can.

use anyhow::{Context, ensure};
use callboard_tests::{Client, Service, processes, wait};
use rustix::process::Signal;
use serde_json::{Value, json};

/// Runs a job that stops something and cancels it; returns its record once it has ended and nothing of it lives.
async fn cancel(client: &Client, what: &str, how: &str, marker: &str) -> anyhow::Result<Value> {
    let vars = json!({"what": what, "how": how, "marker": marker});
    let id = client
        .submit(&json!({"playbook": "attack/stop.yml", "extra_vars": vars}))
        .await?;
    wait::until("the job has begun", || processes::with_marker(marker).len() >= 2).await?;
    client.delete(&format!("/api/v1/jobs/{id}")).await?;
    let job = client.ended(&id).await?;
    let alive = processes::with_marker(marker);
    ensure!(alive.is_empty(), "these processes are alive: {alive:?}: {job}");
    Ok(job)
}

/// Returns the process id of a service's host.
fn host_of(service: &Service) -> anyhow::Result<u32> {
    let child = |one: &processes::Process| one.parent == service.pid() && !one.zombie;
    let host = processes::descendants(service.pid()).into_iter().find(child);
    Ok(host.context("a host")?.pid)
}

#[tokio::test]
async fn a_job_that_stops_its_supervisor_is_canceled_once_nothing_of_it_lives() -> anyhow::Result<()> {
    let (service, data) = Service::start(&["--grace", "1"])?;
    let client = service.client();
    for how in ["once", "again"] {
        let marker = data.path().join(how).display().to_string();
        let job = cancel(&client, "supervisor", how, &marker).await?;
        ensure!(
            job["status"] == "canceled" && job["cancel"]["outcome"] == "stopped",
            "{job}"
        );
    }
    ensure!(client.run(&json!({"playbook": "hello.yml"})).await?["status"] == "successful");
    Ok(())
}

#[tokio::test]
async fn a_host_that_is_stopped_goes_on_and_a_start_that_comes_too_late_does_nothing() -> anyhow::Result<()> {
    let (service, data) = Service::start(&["--workers", "2"])?;
    let client = service.client();
    let begun = data.path().join("begun");
    processes::signal(host_of(&service)?, Signal::STOP)?;
    let playbook = "- {hosts: all, gather_facts: false, tasks: [{command: {argv: [touch, '{{ begun }}']}}]}";
    let late = json!({"source": {"type": "inline", "content": playbook}, "extra_vars": {"begun": begun}});
    let late = client.submit(&late).await?;
    client.until(&late, |job| job["status"] == "running").await?;
    client.delete(&format!("/api/v1/jobs/{late}")).await?;
    let job = client.ended(&late).await?;
    ensure!(job["status"] == "canceled", "{job}");
    ensure!(
        job["error"]
            .as_str()
            .is_some_and(|error| error.contains("had not started")),
        "{job}"
    );

    ensure!(client.run(&json!({"playbook": "hello.yml"})).await?["status"] == "successful");
    let log = service.log();
    ensure!(
        log.contains("the Ansible host does not answer and is continued"),
        "{log}"
    );
    ensure!(!begun.exists(), "the canceled job has begun");
    Ok(())
}

#[tokio::test]
async fn a_job_that_stops_the_host_ends_in_time_and_others_run() -> anyhow::Result<()> {
    let (service, data) = Service::start(&["--grace", "1"])?;
    let client = service.client();
    let marker = data.path().join("once").display().to_string();
    let vars = json!({"what": "host", "how": "once", "marker": marker});
    let request = json!({"playbook": "attack/stop.yml", "extra_vars": vars, "options": {"timeout": 5}});
    let job = client.run(&request).await?;
    ensure!(job["reason"] == "timeout", "{job}");
    ensure!(processes::with_marker(&marker).is_empty(), "a process is alive: {job}");
    ensure!(client.run(&json!({"playbook": "hello.yml"})).await?["status"] == "successful");
    let ready = client.get("/health/ready").await?;
    ensure!(ready.status == 200, "{ready:?}");
    Ok(())
}
