//! `GET /api/v1/jobs/{job_id}/logs` of jobs that have ended, or not begun.

use std::ops::Range;

use anyhow::ensure;
use callboard_tests::Client;
use reqwest::{Method, StatusCode};
use serde_json::json;

#[tokio::test]
async fn a_log_is_delivered_whole_and_in_ranges() -> anyhow::Result<()> {
    let (service, data) = crate::start(&["--workers", "1"])?;
    let client = service.client();
    let job = client
        .run(&json!({"playbook": "count.yml", "extra_vars": {"numbers": 40}}))
        .await?;
    let path = format!("/api/v1/jobs/{}/logs", job["job_id"].as_str().unwrap_or_default());
    let answer = client.request(Method::GET, &path).send().await?;
    let header = |name| answer.headers().get(name).and_then(|value| value.to_str().ok());
    ensure!(header("content-type") == Some("text/plain; charset=utf-8"));
    ensure!(header("accept-ranges") == Some("bytes"));
    let length = header("content-length").and_then(|text| text.parse().ok());
    let log = answer.bytes().await?;
    ensure!(length == Some(log.len()) && job["result"]["stdout_bytes"] == log.len());
    ensure!(job["result"]["stdout"] == *String::from_utf8_lossy(&log));

    let size = log.len();
    for (range, expected) in [
        ("bytes=0-9".to_owned(), Some(0..10)),
        ("bytes=5-5".to_owned(), Some(5..6)),
        ("bytes=100-".to_owned(), Some(100..size)),
        (format!("bytes=100-{}", size * 2), Some(100..size)),
        (format!("bytes={}-", size - 1), Some(size - 1..size)),
        ("bytes=-7".to_owned(), Some(size - 7..size)),
        (format!("bytes=-{}", size * 2), Some(0..size)),
        ("bytes=9-1".to_owned(), None),
        ("bytes=0-1,5-6".to_owned(), None),
        ("bytes=x".to_owned(), None),
        ("lines=1-2".to_owned(), None),
    ] {
        check_range(&client, &path, &log, &range, expected).await?;
    }
    for range in [
        format!("bytes={size}-"),
        "bytes=-0".to_owned(),
        format!("bytes={}-", u64::MAX),
    ] {
        check_unsatisfiable(&client, &path, &range, size).await?;
    }

    let file = data.path().join("go");
    let long = json!({"playbook": "wait_for_file.yml", "extra_vars": {"file": file}});
    client.submit(&long).await?;
    let pending = client.submit(&long).await?;
    ensure!(client.logs(&pending).await?.is_empty());
    check_unsatisfiable(&client, &format!("/api/v1/jobs/{pending}/logs"), "bytes=0-", 0).await
}

#[tokio::test]
async fn a_log_is_delivered_as_plain_text_without_colours() -> anyhow::Result<()> {
    let (service, data) = crate::start(&[])?;
    let client = service.client();
    let file = data.path().join("go");
    let id = client
        .submit(&json!({"playbook": "wait_for_file.yml", "extra_vars": {"file": file}}))
        .await?;
    let path = format!("/api/v1/jobs/{id}/logs?format=text");
    let followed = client.request(Method::GET, &format!("{path}&follow=true")).send();
    let (followed, written) = tokio::join!(followed, tokio::fs::write(&file, ""));
    written?;
    let followed = followed?.text().await?;
    let job = client.ended(&id).await?;
    let answer = client.request(Method::GET, &path).send().await?;
    ensure!(
        answer
            .headers()
            .get("content-type")
            .is_some_and(|kind| kind == "text/plain; charset=utf-8")
    );
    let text = answer.text().await?;
    let raw = String::from_utf8(client.logs(&id).await?)?;
    ensure!(raw.contains("\u{1b}[") && raw == job["result"]["stdout"], "{raw}");
    ensure!(
        !text.contains('\u{1b}') && text.contains("skipping: ") || text.contains("ok: [localhost]\n"),
        "{text}"
    );
    ensure!(text == followed, "{followed}");
    ensure!(text.lines().count() == raw.lines().count());
    let same = client
        .request(Method::GET, &format!("/api/v1/jobs/{id}/logs?format=raw"))
        .send()
        .await?;
    ensure!(same.text().await? == raw);

    for (query, range, place) in [("format=text", "bytes=0-", "format"), ("format=html", "", "format")] {
        let request = client.request(Method::GET, &format!("/api/v1/jobs/{id}/logs?{query}"));
        let request = if range.is_empty() {
            request
        } else {
            request.header("range", range)
        };
        let refused = client.send(request).await?;
        ensure!(
            refused.status == 422 && refused.body["errors"][0]["parameter"] == place,
            "{refused:?}"
        );
    }
    Ok(())
}

async fn check_range(
    client: &Client,
    path: &str,
    log: &[u8],
    range: &str,
    expected: Option<Range<usize>>,
) -> anyhow::Result<()> {
    let answer = client.request(Method::GET, path).header("range", range).send().await?;
    let status = answer.status();
    let content_range = answer.headers().get("content-range").cloned();
    let body = answer.bytes().await?;
    match expected {
        Some(expected) => {
            let place = format!("bytes {}-{}/{}", expected.start, expected.end - 1, log.len());
            ensure!(status == StatusCode::PARTIAL_CONTENT, "{range}: {status}");
            ensure!(content_range.is_some_and(|found| found == place), "{range}");
            ensure!(body == log[expected], "{range}: other bytes");
        }
        None => {
            ensure!(status == StatusCode::OK && content_range.is_none(), "{range}: {status}");
            ensure!(body == log, "{range}: other bytes");
        }
    }
    Ok(())
}

async fn check_unsatisfiable(client: &Client, path: &str, range: &str, size: usize) -> anyhow::Result<()> {
    let request = client.request(Method::GET, path).header("range", range);
    let answer = client.send(request).await?;
    ensure!(
        answer.status == StatusCode::RANGE_NOT_SATISFIABLE,
        "{range}: {answer:?}"
    );
    ensure!(
        answer.header("content-range") == format!("bytes */{size}"),
        "{range}: {answer:?}"
    );
    ensure!(answer.content_type == "application/problem+json", "{range}: {answer:?}");
    Ok(())
}
