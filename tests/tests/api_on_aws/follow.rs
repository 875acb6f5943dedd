//! `GET /api/v1/jobs/{job_id}/logs?follow=true`, which answers when the job has ended.

use anyhow::ensure;
use callboard_tests::Client;
use reqwest::Method;
use serde_json::json;

#[tokio::test]
async fn following_a_log_answers_with_everything_when_the_job_has_ended() -> anyhow::Result<()> {
    let (stack, data) = crate::start(&["--workers", "1"])?;
    let client = stack.client();
    let file = data.path().join("go");
    let request = json!({"playbook": "wait_for_file.yml", "extra_vars": {"file": file}});
    let running = client.submit(&request).await?;
    client.until(&running, |job| job["status"] == "running").await?;
    let (followed, written) = tokio::join!(follow(&client, &running), tokio::fs::write(&file, ""));
    written?;
    ensure!(client.job(&running).await?["status"] == "successful");
    let followed = followed?;
    ensure!(!followed.is_empty() && followed == client.logs(&running).await?);
    ensure!(follow(&client, &running).await? == followed);
    Ok(())
}

#[tokio::test]
async fn following_a_pending_job_ends_when_it_is_canceled() -> anyhow::Result<()> {
    let (stack, data) = crate::start(&["--workers", "1"])?;
    let client = stack.client();
    let file = data.path().join("go");
    let request = json!({"playbook": "wait_for_file.yml", "extra_vars": {"file": file}});
    client.submit(&request).await?;
    let pending = client.submit(&request).await?;
    let path = format!("/api/v1/jobs/{pending}");
    let (followed, canceled) = tokio::join!(follow(&client, &pending), client.delete(&path));
    ensure!(canceled?.status.is_success() && followed?.is_empty());
    Ok(())
}

async fn follow(client: &Client, id: &str) -> anyhow::Result<Vec<u8>> {
    let path = format!("/api/v1/jobs/{id}/logs?follow=true");
    let answer = client.request(Method::GET, &path).send().await?;
    Ok(answer.error_for_status()?.bytes().await?.to_vec())
}
