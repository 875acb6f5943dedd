//! The suite of the HTTP API, on AWS.
//!
//! Two modules are not the same: an HTTP API does not stream, so that to follow a log is another matter, and readiness is
//! that of other parts.

#[path = "../api/access.rs"]
mod access;
#[path = "../api/attempts.rs"]
mod attempts;
#[path = "../api/concurrency.rs"]
mod concurrency;
#[path = "../api/credentials.rs"]
mod credentials;
#[path = "../api/description.rs"]
mod description;
#[path = "../api/events.rs"]
mod events;
mod follow;
mod health;
#[path = "../api/idempotency.rs"]
mod idempotency;
mod identities;
#[path = "../api/list.rs"]
mod list;
#[path = "../api/logs.rs"]
mod logs;
#[path = "../api/record.rs"]
mod record;
#[path = "../api/submit.rs"]
mod submit;

use anyhow::{Context, bail};
use callboard_tests::aws::{Stack, StackSettings};
use callboard_tests::client::names;
use tempfile::TempDir;

/// Starts what asks for keys; returns the operator's, which the function makes for whoever may invoke it.
async fn start_with_key() -> anyhow::Result<(Stack, TempDir, String)> {
    with_key(StackSettings::default()).await
}

/// Starts what a policy holds for, and asks for keys; returns the operator's.
async fn start_with_policy(policy: &serde_json::Value) -> anyhow::Result<(Stack, TempDir, String)> {
    let mut settings = StackSettings {
        workers: 2,
        ..StackSettings::default()
    };
    settings.set("CALLBOARD_POLICY", &policy.to_string());
    with_key(settings).await
}

async fn with_key(mut settings: StackSettings) -> anyhow::Result<(Stack, TempDir, String)> {
    settings.set("CALLBOARD_AUTHORIZATION", "CALLBOARD");
    let stack = Stack::start(&settings)?;
    let key: serde_json::Value = serde_json::from_str(access::ADMIN)?;
    let made = stack.invoke_submit(&serde_json::json!({"create_key": key})).await?;
    let key = made["key"].as_str().context("no key was made")?;
    Ok((stack, tempfile::tempdir()?, key.to_owned()))
}

/// Starts what a test asks for in the words of `callboard serve`; the folder is the test's own.
fn start(arguments: &[&str]) -> anyhow::Result<(Stack, TempDir)> {
    let mut settings = StackSettings::default();
    for pair in arguments.chunks(2) {
        let value = pair.get(1).context("each argument has a value")?;
        match pair[0] {
            "--workers" => settings.workers = value.parse()?,
            "--sync-wait" => settings.set("CALLBOARD_SYNC_WAIT", value),
            other => bail!("there is no {other} on AWS"),
        }
    }
    Ok((Stack::start(&settings)?, tempfile::tempdir()?))
}
