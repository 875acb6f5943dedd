//! Handshakes, and those that never end.

use std::time::Duration;

use anyhow::{Context, ensure};
use callboard_tests::raw::{allow_connections, connect};
use reqwest::StatusCode;
use rustix::process::Signal;
use rustls::version::{TLS12, TLS13};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::{Files, Pair, lives};

/// What was the usual limit of open files, and more connections than that leaves.
const FILES: u32 = 1024;
const SILENT: usize = 300;
/// The beginning of a first message of 512 bytes.
const BEGUN: &[u8] = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";
/// Only a hang takes longer.
const LIMIT: Duration = Duration::from_secs(120);
const REQUEST: &[u8] = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

/// Reads until the connection ends.
async fn rest(mut stream: impl AsyncRead + Unpin) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = timeout(LIMIT, stream.read_to_end(&mut bytes)).await;
    // a connection that is cut has ended too
    drop(read.context("the connection does not end")?);
    Ok(bytes)
}

#[tokio::test]
async fn jobs_are_submitted_and_followed_by_tls_1_2_and_1_3_and_by_http_1_1_alone() -> anyhow::Result<()> {
    let pair = Pair::new()?;
    let (service, _data) = Files::of(&pair)?.start()?;
    let (address, client) = (service.address()?, pair.client()?);
    for version in [&TLS12, &TLS13] {
        let mut stream = pair.connect(address, version, &["h2", "http/1.1"]).await?;
        let (_, connection) = stream.get_ref();
        let agreed = (connection.protocol_version(), connection.alpn_protocol());
        ensure!(agreed == (Some(version.version), Some(b"http/1.1")), "{agreed:?}");
        stream.write_all(REQUEST).await?;
        let answer = rest(stream).await?;
        ensure!(answer.starts_with(b"HTTP/1.1 200 "), "{}", answer.escape_ascii());
        ensure!(
            pair.connect(address, version, &["h2"]).await.is_err(),
            "HTTP/2 is agreed on"
        );
    }
    let jobs = format!("https://{address}/api/v1/jobs");
    let submitted = client
        .post(&jobs)
        .json(&json!({"playbook": "hello.yml"}))
        .send()
        .await?;
    ensure!(submitted.status() == StatusCode::ACCEPTED, "{submitted:?}");
    let submitted: Value = submitted.json().await?;
    let job = format!("{jobs}/{}", submitted["job_id"].as_str().context("an id")?);
    let followed = client
        .get(format!("{job}/logs?follow=true"))
        .send()
        .await?
        .text()
        .await?;
    ensure!(followed.contains("PLAY RECAP"), "{followed}");
    let record: Value = client.get(&job).send().await?.json().await?;
    ensure!(record["source_ip"] == "127.0.0.1", "{record}");
    Ok(())
}

#[tokio::test]
async fn http_where_tls_is_spoken_gets_no_answer() -> anyhow::Result<()> {
    let pair = Pair::new()?;
    let (service, _data) = Files::of(&pair)?.start()?;
    let address = service.address()?;
    for garbage in [
        REQUEST,
        &[0; 1000],
        &[0xff; 1000],
        b"\x16\x03\x01\xff\xff",
        b"\x80\x2e\x01\x00\x02",
    ] {
        let mut stream = connect(address).await?;
        stream.write_all(garbage).await?;
        stream.shutdown().await?;
        let answer = rest(stream).await?;
        ensure!(!answer.starts_with(b"HTTP"), "{}", answer.escape_ascii());
    }
    ensure!(service.client().get("/health/live").await.is_err());
    lives(&pair.client()?, address).await?;
    ensure!(!service.log().contains("panic"), "{}", service.log());
    Ok(())
}

#[tokio::test]
async fn handshakes_that_never_end_hold_up_nobody_and_are_not_waited_for() -> anyhow::Result<()> {
    let pair = Pair::new()?;
    let (service, _data) = Files::of(&pair)?.start()?;
    let address = service.address()?;
    let mut unfinished = JoinSet::new();
    for number in 0..50 {
        let mut stream = connect(address).await?;
        stream.write_all(&BEGUN[..number % BEGUN.len()]).await?;
        unfinished.spawn(rest(stream));
    }
    // one goes on, a byte a second
    let (reading, mut writing) = connect(address).await?.into_split();
    writing.write_all(BEGUN).await?;
    unfinished.spawn(rest(reading));
    let trickle = tokio::spawn(async move {
        while writing.write_all(b"\0").await.is_ok() {
            sleep(Duration::from_secs(1)).await;
        }
    });
    // these end their handshakes, and send no request, or a part of one
    let silent = pair.connect(address, &TLS13, &[]).await?;
    let mut half = pair.connect(address, &TLS12, &[]).await?;
    half.write_all(&REQUEST[..30]).await?;
    unfinished.spawn(rest(silent));
    unfinished.spawn(rest(half));
    lives(&pair.client()?, address).await?;
    ensure!(
        unfinished.try_join_next().is_none(),
        "another is answered when they have ended"
    );
    while let Some(answer) = unfinished.join_next().await {
        let answer = answer??;
        ensure!(answer.is_empty(), "{}", answer.escape_ascii());
    }
    timeout(LIMIT, trickle).await.context("the trickle does not end")??;
    lives(&pair.client()?, address).await
}

#[tokio::test]
async fn unfinished_handshakes_take_places_and_give_them_up() -> anyhow::Result<()> {
    allow_connections(4096)?;
    let pair = Pair::new()?;
    let files = Files::of(&pair)?;
    let arguments = files.arguments();
    let (service, _data) = crate::start_within(FILES, &arguments.each_ref().map(String::as_str))?;
    let address = service.address()?;
    let mut silent = Vec::new();
    for number in 0..SILENT {
        silent.push(connect(address).await?);
        if number % 100 == 0 {
            lives(&pair.client()?, address).await?;
        }
    }
    lives(&pair.client()?, address).await?;
    ensure!(
        !service.log().contains("no connection can be taken"),
        "{}",
        service.log()
    );
    Ok(())
}

#[tokio::test]
async fn a_service_that_stops_does_not_wait_for_handshakes() -> anyhow::Result<()> {
    let pair = Pair::new()?;
    let (mut service, _data) = Files::of(&pair)?.start()?;
    let (address, mut open) = (service.address()?, Vec::new());
    for number in 0..5 {
        let mut stream = connect(address).await?;
        stream.write_all(&BEGUN[..number]).await?;
        open.push(stream);
    }
    let client = pair.client()?;
    lives(&client, address).await?;
    let idle = pair.connect(address, &TLS13, &[]).await?;
    service.signal(Signal::TERM)?;
    let status = service.wait()?;
    ensure!(status.success(), "{status}: {}", service.log());
    drop((open, idle));
    Ok(())
}
