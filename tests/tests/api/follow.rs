//! `GET /api/v1/jobs/{job_id}/logs?follow=true`.

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

#[tokio::test]
async fn who_follows_resumes_where_the_connection_was_lost() -> anyhow::Result<()> {
    let (service, data) = crate::start(&["--workers", "1"])?;
    let client = service.client();
    let file = data.path().join("go");
    let running = wait_for(&client, &file).await?;
    let mut first = follow(&client, &running).await?;
    let begun = read_until(&mut first, "TASK [Wait until the file is there]").await?;
    drop(first);
    for (range, start) in [
        (format!("bytes={}-", begun.len()), Some(begun.len())),
        ("bytes=0-".to_owned(), Some(0)),
        ("bytes=0-9".to_owned(), None),
    ] {
        let answer = resume(&client, &running, &range).await?;
        let expected = start.map(|start| format!("bytes {start}-9007199254740991/*"));
        let content_range = answer
            .headers()
            .get("content-range")
            .and_then(|value| value.to_str().ok());
        ensure!(content_range == expected.as_deref(), "{range}: {answer:?}");
        ensure!(
            answer.status() == if start.is_some() { 206 } else { 200 },
            "{range}: {answer:?}"
        );
    }
    let mut resumed = resume(&client, &running, &format!("bytes={}-", begun.len())).await?;
    let mut late = resume(&client, &running, &format!("bytes={}-", begun.len() + 10)).await?;
    std::fs::write(&file, "")?;
    let (resumed, late) = (rest(&mut resumed).await?, rest(&mut late).await?);
    let all = client.logs(&running).await?;
    ensure!([begun.as_slice(), &resumed].concat() == all);
    ensure!(late == all[begun.len() + 10..]);

    client.ended(&running).await?;
    let ended = resume(&client, &running, "bytes=5-").await?;
    let content_range = format!("bytes 5-{}/{}", all.len() - 1, all.len());
    ensure!(
        ended
            .headers()
            .get("content-range")
            .is_some_and(|value| *value == content_range),
        "{ended:?}"
    );
    ensure!(ended.bytes().await? == all[5..]);
    let nothing = resume(&client, &running, &format!("bytes={}-", all.len())).await?;
    ensure!(nothing.status() == 416, "{nothing:?}");
    Ok(())
}

async fn resume(client: &Client, id: &str, range: &str) -> anyhow::Result<Response> {
    let path = format!("/api/v1/jobs/{id}/logs?follow=true");
    Ok(client.request(Method::GET, &path).header("range", range).send().await?)
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
