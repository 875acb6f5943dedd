//! What the service does not take, because it could not keep it.

use std::path::Path;

use anyhow::ensure;
use callboard_tests::client::Answer;
use callboard_tests::{Client, Finished, Service, callboard};
use reqwest::Method;
use serde_json::json;

/// Has a worker run a job until the file is there; returns its id.
async fn start_waiting(client: &Client, file: &Path) -> anyhow::Result<String> {
    let request = json!({"playbook": "wait_for_file.yml", "extra_vars": {"file": file}, "inventory": "waiting,"});
    let id = client.submit(&request).await?;
    client.until(&id, |job| job["status"] == "running").await?;
    Ok(id)
}

fn busy(answer: &Answer) -> anyhow::Result<()> {
    ensure!(answer.status == 429, "{answer:?}");
    ensure!(answer.header("retry-after").parse::<u32>().is_ok(), "{answer:?}");
    Ok(())
}

#[tokio::test]
async fn a_full_queue_takes_no_more_and_then_does_again() -> anyhow::Result<()> {
    let (service, data) = Service::start(&["--workers", "1", "--max-queued", "2"])?;
    let (client, file) = (service.client(), data.path().join("go"));
    start_waiting(&client, &file).await?;
    let hello = json!({"playbook": "hello.yml"});
    let mut accepted = Vec::new();
    let full = loop {
        let answer = client
            .post_once("/api/v1/jobs", &format!("key-{}", accepted.len()), &hello)
            .await?;
        if answer.status != 202 {
            break answer;
        }
        accepted.push(answer.body["job_id"].as_str().unwrap_or_default().to_owned());
        ensure!(accepted.len() < 10, "the queue has no end");
    };
    busy(&full)?;
    std::fs::write(&file, "")?;
    for id in &accepted {
        ensure!(client.ended(id).await?["status"] == "successful");
    }
    // the key of the refused one is free
    let later = client
        .post_once("/api/v1/jobs", &format!("key-{}", accepted.len()), &hello)
        .await?;
    ensure!(
        later.status == 202 && later.header("idempotency-replayed").is_empty(),
        "{later:?}"
    );
    Ok(())
}

#[tokio::test]
async fn no_more_follow_than_may() -> anyhow::Result<()> {
    let (service, data) = Service::start(&["--max-followers", "1"])?;
    let (client, file) = (service.client(), data.path().join("go"));
    let id = start_waiting(&client, &file).await?;
    let path = format!("/api/v1/jobs/{id}/logs?follow=true");
    let first = client.request(Method::GET, &path).send().await?;
    ensure!(first.status() == 200);
    busy(&client.get(&path).await?)?;
    std::fs::write(&file, "")?;
    client.ended(&id).await?;
    first.bytes().await?;
    ensure!(client.get(&path).await?.status == 200);
    Ok(())
}

/// A job that waits is queued again, and runs once all the same; one that has ended is not.
#[tokio::test]
async fn a_job_that_waits_can_be_redriven_and_runs_once() -> anyhow::Result<()> {
    let (service, data) = Service::start(&["--workers", "1"])?;
    let (client, file) = (service.client(), data.path().join("go"));
    start_waiting(&client, &file).await?;
    let id = client.submit(&json!({"playbook": "hello.yml"})).await?;
    for _ in 0..3 {
        let answer = client.post(&format!("/api/v1/jobs/{id}/redrive"), "").await?;
        ensure!(answer.status == 202 && answer.body["status"] == "pending", "{answer:?}");
    }
    let redriven = Finished::from(callboard(data.path())?.args(["redrive", &id]).output()?);
    ensure!(redriven.code == 0, "{redriven:?}");
    std::fs::write(&file, "")?;
    let job = client.ended(&id).await?;
    ensure!(job["status"] == "successful" && job["attempt"] == 1, "{job}");
    let late = client.post(&format!("/api/v1/jobs/{id}/redrive"), "").await?;
    ensure!(late.status == 409, "{late:?}");
    let none = "/api/v1/jobs/01a1faf8-50a0-70a1-801c-2d3e4f506172/redrive";
    ensure!(client.post(none, "").await?.status == 404);
    Ok(())
}
