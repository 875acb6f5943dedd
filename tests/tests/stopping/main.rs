//! Stopping jobs and the service: what was started is gone, and the record says why.

mod cancel;
mod limits;
mod loss;
mod shutdown;
mod together;

use anyhow::ensure;
use callboard_tests::{Client, processes};
use reqwest::Method;
use serde_json::Value;

/// Checks that nothing with the marker is alive at this moment.
fn nothing_lives(marker: &str) -> anyhow::Result<()> {
    let alive = processes::with_marker(marker);
    ensure!(alive.is_empty(), "these processes of {marker} are alive: {alive:?}");
    Ok(())
}

/// Checks how a job ended.
fn check_end(job: &Value, status: &str, reason: &str) -> anyhow::Result<()> {
    ensure!(job["status"] == status && job["reason"] == reason, "{job}");
    ensure!(job["error"].as_str().is_some_and(|error| !error.is_empty()), "{job}");
    ensure!(job["finished_at"].is_string() && job["duration_seconds"].is_number(), "{job}");
    Ok(())
}

/// Follows the log of a job until the service hangs up.
fn follow(client: &Client, id: &str) -> tokio::task::JoinHandle<()> {
    let request = client.request(Method::GET, &format!("/api/v1/jobs/{id}/logs?follow=true"));
    tokio::spawn(async move {
        if let Ok(answer) = request.send().await {
            drop(answer.bytes().await);
        }
    })
}
