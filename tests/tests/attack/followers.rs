//! Followers that read nothing.

use std::time::{Duration, Instant};

use anyhow::ensure;
use callboard_tests::Service;
use callboard_tests::raw::stall;
use reqwest::{Method, StatusCode};
use serde_json::json;

const PLACES: usize = 3;
/// More than the system takes in for a client that does not read it.
const PLAYBOOK: &str = "- hosts: all
  gather_facts: false
  tasks:
    - ansible.builtin.debug: {msg: \"{{ 'x' * 4000000 }}\"}
      loop: [1, 2, 3, 4, 5]
      loop_control: {label: x}
    - ansible.builtin.command:
        argv: [sh, -c, 'while [ ! -e \"$0\" ]; do sleep 0.05; done', '{{ file }}']
";
const MOST: Duration = Duration::from_secs(120);

#[tokio::test]
async fn followers_that_read_nothing_lose_their_places() -> anyhow::Result<()> {
    let (service, data) = Service::start(&["--max-followers", &PLACES.to_string(), "--workers", "1"])?;
    let client = service.client();
    let source = json!({"type": "inline", "content": PLAYBOOK});
    let vars = json!({"file": data.path().join("go")});
    let id = client.submit(&json!({"source": source, "extra_vars": vars})).await?;
    client
        .until(&id, |job| job["progress"]["current_task"] == "ansible.builtin.command")
        .await?;
    let path = format!("/api/v1/jobs/{id}/logs?follow=true");
    let mut stalled = Vec::new();
    for _ in 0..PLACES {
        stalled.push(stall(service.address()?, &id).await?);
    }
    let asked = async || anyhow::Ok(client.request(Method::GET, &path).send().await?.status());
    ensure!(
        asked().await? == StatusCode::TOO_MANY_REQUESTS,
        "there are more places than {PLACES}"
    );
    let deadline = Instant::now() + MOST;
    while asked().await? != StatusCode::OK {
        ensure!(Instant::now() < deadline, "who reads nothing keeps its place");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    std::fs::write(data.path().join("go"), "")?;
    let job = client.ended(&id).await?;
    ensure!(job["status"] == "successful", "{job}");
    drop(stalled);
    Ok(())
}
