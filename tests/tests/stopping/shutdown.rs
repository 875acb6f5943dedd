//! SIGTERM and SIGINT to the service, and what it finds when it starts again.

use std::path::{Path, PathBuf};

use anyhow::ensure;
use callboard_tests::daemon;
use callboard_tests::{Client, Service, processes, wait};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::{check_end, follow, nothing_lives};

#[tokio::test]
async fn sigterm_stops_jobs_after_the_grace_and_leaves_nothing_running() -> anyhow::Result<()> {
    let (mut service, data) = Service::start(&["--workers", "2", "--shutdown-grace", "2"])?;
    let client = service.client();
    let daemon::Two { once, again, markers } = daemon::start_two(&client, data.path()).await?;
    let pending = client.submit(&json!({"playbook": "hello.yml"})).await?;
    let followers = [follow(&client, &once), follow(&client, &pending)];

    service.signal(Signal::TERM)?;
    refuses(&client).await?;
    ensure!(service.wait()?.code() == Some(0), "{}", service.log());
    for marker in &markers {
        nothing_lives(marker)?;
    }
    ensure!(!work_folder(&service).exists(), "the folder of running jobs is left");
    for follower in followers {
        follower.await?;
    }

    let service = Service::start_in(data.path(), &[])?;
    let client = service.client();
    let stopped = client.job(&once).await?;
    check_end(&stopped, "failed", "shutdown")?;
    let stdout = stopped["result"]["stdout"].as_str().unwrap_or_default();
    ensure!(stdout.contains("TASK [Go on until stopped]"), "{stdout}");
    ensure!(client.ended(&pending).await?["status"] == "successful");
    daemon::runs(&client, &again, &markers[1]).await?;
    let second = client.job(&again).await?;
    ensure!(second["attempt"] == 2 && second["status"] == "running", "{second}");
    client.delete(&format!("/api/v1/jobs/{again}")).await?;
    check_end(&client.ended(&again).await?, "canceled", "canceled_by_request")
}

#[tokio::test]
async fn a_job_may_end_within_the_grace_unless_a_second_signal_comes_and_history_survives() -> anyhow::Result<()> {
    let (mut service, data) = Service::start(&["--shutdown-grace", "600"])?;
    let client = service.client();
    let file = data.path().join("go");
    let request = json!({"playbook": "wait_for_file.yml", "extra_vars": {"file": file}});
    let patient = client.submit(&request).await?;
    task_runs(&file).await?;
    service.signal(Signal::INT)?;
    refuses(&client).await?;
    std::fs::write(&file, "")?;
    ensure!(service.wait()?.code() == Some(0), "{}", service.log());

    let mut service = Service::start_in(data.path(), &["--shutdown-grace", "600"])?;
    let client = service.client();
    let done = client.job(&patient).await?;
    ensure!(done["status"] == "successful", "{done}");
    let (log, events) = (client.logs(&patient).await?, client.events(&patient).await?);
    ensure!(!log.is_empty() && !events.is_empty());
    let marker = data.path().join("marker").display().to_string();
    let stopped = daemon::start(&client, &marker, &json!({})).await?;
    daemon::runs(&client, &stopped, &marker).await?;
    service.signal(Signal::INT)?;
    refuses(&client).await?;
    service.signal(Signal::INT)?;
    ensure!(service.wait()?.code() == Some(0), "{}", service.log());
    nothing_lives(&marker)?;

    let service = Service::start_in(data.path(), &[])?;
    let client = service.client();
    check_end(&client.job(&stopped).await?, "failed", "shutdown")?;
    ensure!(client.job(&patient).await? == done, "a record changed");
    ensure!(client.logs(&patient).await? == log && client.events(&patient).await? == events);
    ensure!(client.get("/api/v1/jobs").await?.body["total"] == 2);
    ensure!(client.get("/api/v1/jobs?status=running").await?.body["total"] == 0);
    Ok(())
}

/// Waits until the service takes no more jobs, and checks how it says so.
async fn refuses(client: &Client) -> anyhow::Result<()> {
    let hello = json!({"playbook": "hello.yml", "inventory": ""}).to_string();
    let refused = loop {
        let answer = client.post("/api/v1/jobs", hello.clone()).await?;
        if answer.status != 422 {
            break answer;
        }
    };
    ensure!(
        refused.status == 503 && refused.content_type == "application/problem+json",
        "{refused:?}"
    );
    ensure!(refused.header("retry-after").parse::<u32>().is_ok(), "{refused:?}");
    let ready = client.get("/health/ready").await?;
    ensure!(ready.status == 503 && ready.body["status"] == "draining", "{ready:?}");
    ensure!(client.get("/health/live").await?.status == 200);
    let list: Value = client.get("/api/v1/jobs").await?.body;
    ensure!(list["total"].is_u64(), "{list}");
    Ok(())
}

async fn task_runs(file: &Path) -> anyhow::Result<()> {
    let marker = file.display().to_string();
    wait::until("the task runs", || !processes::with_marker(&marker).is_empty()).await
}

fn work_folder(service: &Service) -> PathBuf {
    let user = rustix::process::getuid().as_raw();
    PathBuf::from(format!("/var/tmp/cb-{user}/{}", service.pid()))
}
