//! The HTTP API of the real program: submitting, listing, reading output and events, and its own description.
//!
//! Most of it holds on AWS as well: see `api_on_aws`.

mod access;
mod access_here;
mod answers;
mod attempts;
mod audit;
mod concurrency;
mod credentials;
mod description;
mod events;
mod follow;
mod health;
mod idempotency;
mod keys;
mod list;
mod logs;
mod policy;
mod record;
mod request_ids;
mod submit;
mod tokens;

use std::fs;

use anyhow::Context;
use callboard_tests::client::names;
use callboard_tests::{Service, wait};
use serde_json::Value;
use tempfile::TempDir;

/// Starts what asks for keys; returns the operator's, the first that there is.
async fn start_with_key() -> anyhow::Result<(Service, TempDir, String)> {
    let (service, data) = start(&[])?;
    with_key(service, data).await
}

/// Starts what a policy holds for, and asks for keys; returns the operator's.
async fn start_with_policy(policy: &Value) -> anyhow::Result<(Service, TempDir, String)> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("policy.yml");
    // JSON is also valid YAML
    fs::write(&file, policy.to_string())?;
    let arguments = ["--workers", "2", "--policy", &file.display().to_string()];
    let service = Service::start_in(&folder.path().join("data"), &arguments)?;
    with_key(service, folder).await
}

async fn with_key(service: Service, data: TempDir) -> anyhow::Result<(Service, TempDir, String)> {
    let made = service.client().post("/api/v1/keys", access::ADMIN).await?;
    let key = made.body["key"].as_str().context("no key was made")?;
    let key = key.to_owned();
    // the service looks every few seconds whether there is one
    wait::until_async("a key is asked for", async || {
        Ok(service.client().get("/api/v1/jobs").await?.status == 401)
    })
    .await?;
    Ok((service, data, key))
}

/// Starts what a test asks; the folder is the test's own.
fn start(arguments: &[&str]) -> anyhow::Result<(Service, TempDir)> {
    Service::start(arguments)
}
