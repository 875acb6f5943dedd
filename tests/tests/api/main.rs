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
mod pipelines;
mod policy;
mod record;
mod relaunch;
mod request_ids;
mod results;
mod retries;
mod sessions;
mod stream;
mod stream_here;
mod submit;
mod tokens;
mod workflow;

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use callboard_core::base::time::{Clock, SystemClock};
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

/// Sets back by two hours when a session was made.
async fn set_back(_service: &Service, data: &Path, id: &str) -> anyhow::Result<()> {
    let made = SystemClock.now() - Duration::from_secs(2 * 3600);
    let database = rusqlite::Connection::open(data.join("callboard.db"))?;
    let set = "UPDATE api_keys SET key = json_set(key, '$.created_at', ?2) WHERE id = ?1";
    anyhow::ensure!(database.execute(set, [id, &made.to_string()])? == 1);
    Ok(())
}

/// Returns whether a text is in the log or in anything that is stored.
async fn keeps(service: &Service, data: &Path, text: &str) -> anyhow::Result<bool> {
    Ok(service.log().contains(text) || !callboard_tests::data::files_with(data, text.as_bytes())?.is_empty())
}
