//! `GET /api/v1/jobs/{id}/logs?follow=true`.

use std::path::Path;

use anyhow::{Context, ensure};
use callboard_tests::Client;
use reqwest::{Method, Response};
use serde_json::json;

#[tokio::test]
async fn following_a_log_delivers_everything_as_it_comes_and_ends_with_the_job() -> anyhow::Result<()> {
    let (service, data) = crate::start(&["--workers", "1"])?;
    let client = service.client();
    let (first, second) = (data.path().join("first"), data.path().join("second"));
    let running = wait_for(&client, &first).await?;
    let pending = wait_for(&client, &second).await?;
    let mut of_running = follow(&client, &running).await?;
    let mut of_pending = follow(&client, &pending).await?;

    let mut begun = read_until(&mut of_running, "TASK [Wait until the file is there]").await?;
    ensure!(client.job(&running).await?["status"] == "running");
    std::fs::write(&first, "")?;
    begun.extend(rest(&mut of_running).await?);
    ensure!(
        client.job(&running).await?["status"] == "successful",
        "the log ended before its job"
    );
    ensure!(begun == client.logs(&running).await?);

    let mut begun = read_until(&mut of_pending, "TASK [Wait until the file is there]").await?;
    ensure!(client.job(&pending).await?["status"] == "running");
    std::fs::write(&second, "")?;
    begun.extend(rest(&mut of_pending).await?);
    ensure!(begun == client.logs(&pending).await?);

    let mut of_ended = follow(&client, &running).await?;
    ensure!(rest(&mut of_ended).await? == client.logs(&running).await?);
    Ok(())
}

#[tokio::test]
async fn following_a_pending_job_ends_when_it_is_canceled() -> anyhow::Result<()> {
    let (service, data) = crate::start(&["--workers", "1"])?;
    let client = service.client();
    let file = data.path().join("go");
    wait_for(&client, &file).await?;
    let pending = wait_for(&client, &file).await?;
    let mut followed = follow(&client, &pending).await?;
    client.delete(&format!("/api/v1/jobs/{pending}")).await?;
    ensure!(rest(&mut followed).await?.is_empty());
    Ok(())
}

async fn wait_for(client: &Client, file: &Path) -> anyhow::Result<String> {
    let request = json!({"playbook": "wait_for_file.yml", "extra_vars": {"file": file}});
    client.submit(&request).await
}

async fn follow(client: &Client, id: &str) -> anyhow::Result<Response> {
    let path = format!("/api/v1/jobs/{id}/logs?follow=true");
    let answer = client.request(Method::GET, &path).send().await?;
    Ok(answer.error_for_status()?)
}

async fn read_until(answer: &mut Response, text: &str) -> anyhow::Result<Vec<u8>> {
    let mut read = Vec::new();
    while !String::from_utf8_lossy(&read).contains(text) {
        let chunk = answer.chunk().await?;
        read.extend(chunk.with_context(|| format!("the log ended before {text}"))?);
    }
    Ok(read)
}

async fn rest(answer: &mut Response) -> anyhow::Result<Vec<u8>> {
    let mut read = Vec::new();
    while let Some(chunk) = answer.chunk().await? {
        read.extend(chunk);
    }
    Ok(read)
}
