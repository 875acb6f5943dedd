//! Memory of the Rust process while everything that uses memory happens at once.

use std::net::SocketAddr;

use anyhow::{Context, ensure};
use callboard_tests::processes::peak_kib;
use callboard_tests::raw::{allow_connections, ask, connect, request, stall, submission};
use callboard_tests::{Client, Service};
use serde_json::json;
use tokio::task::JoinSet;

use crate::report::{Report, Target};

const IDLE: usize = 400;
const STALLED: usize = 100;
const BODIES: usize = 250;
const MAX_BODY: usize = 6 * 1024 * 1024;
const OBJECTS: usize = 2_000_000;
const LISTS: usize = 1000;
/// Prints 200 MB.
const PLAYBOOK: &str = "- hosts: all
  gather_facts: false
  tasks:
    - ansible.builtin.debug: {msg: \"{{ 'x' * 4000000 }}\"}
      loop: \"{{ range(50) | list }}\"
      loop_control: {label: x}
";

/// The peak resident memory with idle connections, followers that read nothing, much output, large bodies and many lists.
pub(crate) async fn peak(report: &mut Report) -> anyhow::Result<()> {
    allow_connections(4096)?;
    let (service, _data) = Service::start(&["--workers", "2"])?;
    let (client, address) = (service.client(), service.address()?);
    let source = json!({"type": "inline", "content": PLAYBOOK});
    let id = client.submit(&json!({"source": source})).await?;
    client.until(&id, |job| job["status"] == "running").await?;
    let mut held = Vec::new();
    for _ in 0..IDLE {
        held.push(connect(address).await?);
    }
    for _ in 0..STALLED {
        held.push(stall(address, &id).await?);
    }
    tokio::try_join!(bodies(address), objects(address), lists(address), prints(&client, &id))?;
    drop(held);
    report.add(
        "peak under a storm of everything",
        peak_kib(service.pid())? as f64 / 1024.0,
        "MiB",
        Target::AtMost(64.0),
        "4,005 MiB before there were bounds",
    );
    Ok(())
}

async fn prints(client: &Client, id: &str) -> anyhow::Result<()> {
    let job = client.ended(id).await?;
    ensure!(job["status"] == "successful", "{job}");
    Ok(())
}

async fn bodies(address: SocketAddr) -> anyhow::Result<()> {
    let whole = |filler: usize| json!({"playbook": "nothing.yml", "extra_vars": {"a": "x".repeat(filler)}}).to_string();
    let body = submission(whole(MAX_BODY - whole(0).len()).as_bytes());
    all(address, body, BODIES, &[202, 503]).await
}

async fn objects(address: SocketAddr) -> anyhow::Result<()> {
    let objects = vec!["{}"; OBJECTS].join(",");
    let body = submission(format!(r#"{{"playbook": "nothing.yml", "extra_vars": {{"a": [{objects}]}}}}"#).as_bytes());
    all(address, body, 20, &[400, 503]).await
}

async fn lists(address: SocketAddr) -> anyhow::Result<()> {
    let list = request("GET /api/v1/jobs?limit=100 HTTP/1.1", &["Host: localhost"], b"");
    all(address, list, LISTS, &[200]).await
}

/// Sends the same request `times` times at once; a connection may be closed to make room for others.
async fn all(address: SocketAddr, request: Vec<u8>, times: usize, expected: &[u16]) -> anyhow::Result<()> {
    let mut asking = JoinSet::new();
    for _ in 0..times {
        let request = request.clone();
        asking.spawn(async move { ask(address, &request).await });
    }
    while let Some(answer) = asking.join_next().await {
        let status = answer.context("asking")??.status;
        ensure!(status == 0 || expected.contains(&status), "{status}");
    }
    Ok(())
}
