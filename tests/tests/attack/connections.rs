//! Connections that nobody needs.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::ensure;
use callboard_tests::raw::{allow_connections, ask, connect, connect_from, reply, request};
use callboard_tests::{Client, Service};
use reqwest::Method;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// What was the usual limit of open files, and more connections than that.
const FILES: u32 = 1024;
const IDLE: usize = 1100;
const HALF: &[u8] = b"GET /health/live HTTP/1.1\r\nHost: local";
const UNFINISHED: &[u8] =
    b"POST /api/v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{";

#[tokio::test]
async fn idle_connections_lock_nobody_out_and_jobs_run() -> anyhow::Result<()> {
    allow_connections(4096)?;
    let (service, data) = crate::start_within(FILES, &["--workers", "1"])?;
    let (address, client) = (service.address()?, service.client());
    let file = data.path().join("go");
    let running = client
        .submit(&json!({"playbook": "wait_for_file.yml", "extra_vars": {"file": file}}))
        .await?;
    let path = format!("/api/v1/jobs/{running}/logs?follow=true");
    let followed = client.request(Method::GET, &path).send().await?.error_for_status()?;
    let waiting = client.submit(&json!({"playbook": "hello.yml"})).await?;
    let mut idle = Vec::new();
    for (number, begun) in [b"", HALF, UNFINISHED].into_iter().cycle().take(IDLE).enumerate() {
        let from = Ipv4Addr::new(127, 0, 0, 1 + u8::try_from(number % 5)?);
        let mut stream = connect_from(IpAddr::V4(from), address).await?;
        // it may have made room for another by now
        drop(stream.write_all(begun).await);
        idle.push(stream);
        if number % 100 == 0 {
            lives(address).await?;
        }
    }
    lives(address).await?;
    std::fs::write(&file, "")?;
    let fresh = Client::new(format!("http://{address}"));
    for id in [&running, &waiting] {
        let job = fresh.ended(id).await?;
        ensure!(job["status"] == "successful" && job["attempt"] == 1, "{job}");
    }
    ensure!(
        followed.bytes().await? == fresh.logs(&running).await?,
        "who follows stays"
    );
    ensure!(
        !service.log().contains("no connection can be taken"),
        "{}",
        service.log()
    );
    Ok(())
}

#[tokio::test]
async fn a_request_that_does_not_come_is_not_waited_for_for_ever() -> anyhow::Result<()> {
    let (service, _data) = Service::start(&[])?;
    let address = service.address()?;
    let mut kept = connect(address).await?;
    kept.write_all(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .await?;
    let (mut silent, mut half, mut unfinished) = (
        connect(address).await?,
        connect(address).await?,
        connect(address).await?,
    );
    half.write_all(HALF).await?;
    unfinished.write_all(UNFINISHED).await?;
    let (silent, half, kept, unfinished, dripping, slow) = tokio::try_join!(
        reply(&mut silent),
        reply(&mut half),
        reply(&mut kept),
        reply(&mut unfinished),
        drip(address, HALF, b"h"),
        drip(address, UNFINISHED, b" "),
    )?;
    ensure!(
        (silent.status, half.status, kept.status) == (0, 0, 200),
        "{silent:?} {half:?} {kept:?}"
    );
    ensure!(
        unfinished.problem() == "body-timeout" && unfinished.status == 408,
        "{unfinished:?}"
    );
    ensure!(!dripping.contains("200 OK"), "{dripping}");
    ensure!(slow.is_empty() || slow.contains("body-timeout"), "{slow}");
    Ok(())
}

#[tokio::test]
async fn a_head_larger_than_any_that_is_meant_is_refused() -> anyhow::Result<()> {
    let (service, _data) = Service::start(&[])?;
    let filler = format!("X-Filler: {}", "x".repeat(64 * 1024));
    let head = request("GET /health/live HTTP/1.1", &["Host: localhost", &filler], b"");
    let answer = ask(service.address()?, head).await?;
    ensure!(answer.status == 431 || answer.status == 0, "{answer:?}");
    let many = vec!["X-Filler: x"; 200];
    let head = request(
        "GET /health/live HTTP/1.1",
        &[&["Host: localhost"], &many[..]].concat(),
        b"",
    );
    ensure!(ask(service.address()?, head).await?.status == 431);
    lives(service.address()?).await
}

/// Begins a request and adds to it once a second, until the connection ends; returns what was answered.
async fn drip(address: SocketAddr, begun: &[u8], more: &[u8]) -> anyhow::Result<String> {
    let mut stream: TcpStream = connect(address).await?;
    stream.write_all(begun).await?;
    let (mut reading, mut writing) = stream.split();
    let mut answer = Vec::new();
    let adding = async {
        while writing.write_all(more).await.is_ok() {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    };
    let ended = tokio::time::timeout(Duration::from_secs(120), async {
        tokio::select! {
            _ = reading.read_to_end(&mut answer) => {}
            () = adding => {}
        }
    });
    ensure!(ended.await.is_ok(), "a request that comes byte by byte is waited for");
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

async fn lives(address: SocketAddr) -> anyhow::Result<()> {
    let answer = ask(address, request("GET /health/live HTTP/1.1", &["Host: localhost"], b"")).await?;
    ensure!(answer.status == 200, "{answer:?}");
    Ok(())
}
