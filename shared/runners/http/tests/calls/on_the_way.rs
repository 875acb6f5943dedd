//! What happens between a call and its end: what is told of it, and what is left of an answer that has none.

use std::time::{Duration, Instant, SystemTime};

use anyhow::ensure;
use callboard_core::base::id::JobId;
use callboard_core::output::{Output, OutputLimits};
use callboard_testkit::calls::{Given, JSON, Server, never};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::world::{PRIVATE, TOKEN, call, logs};

#[tokio::test]
async fn redirects_and_polls_are_told_where_they_bring_something_new() -> anyhow::Result<()> {
    let secret = format!("/v1/there?t={TOKEN}");
    let to: [(&str, &str); 1] = [("location", &secret)];
    let running: Given<'_> = (200, JSON, r#"{"state": "running"}"#);
    let (server, address) = Server::start(&[
        (307, &to, ""),
        (202, JSON, r#"{"status": "/v1/jobs/1"}"#),
        running,
        running,
        (503, &[], ""),
        (200, JSON, r#"{"state": "done"}"#),
    ])
    .await?;
    let poll = "poll: {url_from: /status, interval: 1, until: {properties: {state: {const: done}}}}";
    let operation = format!("runner_config: {{redirects: 1, {poll}}}");
    let run = call(&address, PRIVATE, &operation, json!({}), never()).await?;
    let names = [
        "call_started",
        "call_redirected",
        "call_polled",
        "call_polled",
        "call_polled",
        "call_answered",
    ];
    ensure!(run.names() == names && server.asked() == 6, "{}", run.events);
    let events: Vec<Value> = run.events.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    for (number, event) in events.iter().enumerate() {
        ensure!(event["counter"] == json!(number + 1), "{event}");
    }
    let called = events[1]["called"].as_str().unwrap_or_default();
    ensure!(
        called.starts_with("POST http://") && called.ends_with("/v1/there?t=********"),
        "{called}"
    );
    ensure!(
        events[1]["status_code"] == 307 && events[3]["status_code"] == 503,
        "{}",
        run.events
    );
    ensure!(!run.kept().contains(TOKEN), "{}", run.kept());
    Ok(())
}

#[tokio::test]
async fn the_time_that_a_service_asks_to_wait_until_is_waited_for() -> anyhow::Result<()> {
    let at = httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(3600));
    let headers: [(&str, &str); 1] = [("retry-after", &at)];
    let past: [(&str, &str); 1] = [("retry-after", "Thu, 01 Jan 1970 00:00:00 GMT")];
    let (_server, address) = Server::start(&[(503, &headers, ""), (503, &past, ""), (200, JSON, "{}")]).await?;
    // the pauses would be 0 without what the service asks, and are never longer than a second
    let operation = "max_retries: 2, retry: {initial_interval: 0, max_interval: 1}, idempotent: true";
    let run = call(&address, PRIVATE, operation, json!({}), never()).await?;
    let events: Vec<Value> = run.events.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    let pauses: Vec<f64> = events
        .iter()
        .filter_map(|event| event["pause_seconds"].as_f64())
        .collect();
    ensure!(pauses == [1.0, 0.0], "{pauses:?}");
    Ok(())
}

#[tokio::test]
async fn what_arrived_of_an_answer_that_breaks_off_is_kept_with_its_status() -> anyhow::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?.to_string();
    // the end of what arrives may be the beginning of the secret, and so is held back until it is known not to be
    let body = format!("half an answer and {}", &TOKEN[..10]);
    let answer = format!("HTTP/1.1 201 Created\r\nContent-Length: 1000\r\n\r\n{body}");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _read = stream.read(&mut [0; 4096]).await;
            let _sent = stream.write_all(answer.as_bytes()).await;
        }
    });
    let run = call(&address, PRIVATE, "timeout: 30", json!({}), never()).await?;
    let result = run.result()?;
    ensure!(
        result["reason"] == "service_unreachable" && result["status_code"] == 201,
        "{result}"
    );
    ensure!(
        result["output"] == json!(body) && result["output_truncated"] == true,
        "{result}"
    );
    ensure!(run.stdout == body, "{}", run.stdout);
    let told = format!("the answer broke off after {} bytes.", body.len());
    ensure!(
        result["error"].as_str().is_some_and(|error| error.ends_with(&told)),
        "{result}"
    );
    Ok(())
}

#[tokio::test]
async fn a_pause_of_the_runner_is_no_silence_of_the_job() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let started = Instant::now();
    let output = Output::new(
        logs(folder.path()),
        JobId::from_bytes([1; 16]),
        1,
        OutputLimits::default(),
    );
    let pause = Duration::from_millis(1200);
    output.pause(pause).await;
    let silence = output.silence();
    ensure!(silence + pause <= started.elapsed(), "{silence:?}");
    Ok(())
}
