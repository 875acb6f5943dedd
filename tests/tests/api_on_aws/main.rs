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
#[path = "../api/relaunch.rs"]
mod relaunch;
#[path = "../api/results.rs"]
mod results;
#[path = "../api/retries.rs"]
mod retries;
#[path = "../api/sessions.rs"]
mod sessions;
#[path = "../api/stream.rs"]
mod stream;
#[path = "../api/submit.rs"]
mod submit;
mod tokens;

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail};
use aws_sdk_dynamodb::types::AttributeValue;
use callboard_core::base::time::{Clock, SystemClock};
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

/// Sets back by two hours when a session was made.
async fn set_back(stack: &Stack, _data: &Path, id: &str) -> anyhow::Result<()> {
    let made = SystemClock.now() - Duration::from_secs(2 * 3600);
    let update = stack
        .resources
        .dynamodb()
        .update_item()
        .table_name(&stack.resources.table);
    let update = update
        .key("pk", AttributeValue::S(format!("KEY#{id}")))
        .key("sk", AttributeValue::S("KEY".to_owned()))
        .update_expression("SET created_at = :made")
        .condition_expression("attribute_exists(pk)")
        .expression_attribute_values(":made", AttributeValue::N(made.as_millis().to_string()));
    update.send().await?;
    Ok(())
}

/// Returns whether a text is in the logs or in the table.
async fn keeps(stack: &Stack, _data: &Path, text: &str) -> anyhow::Result<bool> {
    let scan = stack.resources.dynamodb().scan().table_name(&stack.resources.table);
    let items = scan.send().await?.items.unwrap_or_default();
    Ok(stack.log().contains(text) || format!("{items:?}").contains(text))
}
