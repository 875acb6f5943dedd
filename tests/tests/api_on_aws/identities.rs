//! Identities of AWS as the policy maps them.

use anyhow::ensure;
use callboard_core::base::time::{Clock, SystemClock};
use callboard_tests::aws::{Stack, StackSettings};
use serde_json::{Value, json};

/// Starts a stack with a rule for identities.
fn start(arn: &str, scopes: &[&str]) -> anyhow::Result<Stack> {
    let rule = json!({"arn": arn, "tenant": "web", "scopes": scopes});
    let mut settings = StackSettings::default();
    settings.set("CALLBOARD_POLICY", &json!({"callers": {"iam": [rule]}}).to_string());
    Stack::start(&settings)
}

#[tokio::test]
async fn an_identity_may_what_the_first_rule_that_fits_grants() -> anyhow::Result<()> {
    let stack = start(
        "arn:aws:iam::*:user/tester",
        &["jobs:read[own]", "jobs:run[playbook=hello.yml]"],
    )?;
    let client = stack.client();
    let job = client.submit(&json!({"playbook": "hello.yml"})).await?;
    let record = client.ended(&job).await?;
    let by = record["submitted_by"].as_str().unwrap_or_default();
    ensure!(
        by.starts_with("arn:aws:iam::") && by.ends_with(":user/tester"),
        "{record}"
    );
    let told = client.get("/api/v1/session").await?.body;
    ensure!(told["subject"] == by && told["tenant"] == "web", "{told}");
    ensure!(
        client.post("/api/v1/session", "").await?.status == 404,
        "its session is its signature"
    );
    for refused in [
        client
            .post("/api/v1/jobs", json!({"playbook": "count.yml"}).to_string())
            .await?,
        client.get("/api/v1/jobs").await?,
        client.get("/api/v1/credentials").await?,
    ] {
        ensure!(refused.status == 403, "{refused:?}");
    }
    Ok(())
}

#[tokio::test]
async fn an_identity_that_no_rule_fits_is_refused() -> anyhow::Result<()> {
    let stack = start("arn:aws:iam::*:user/somebody-else", &["admin"])?;
    let refused = stack.client().get("/api/v1/jobs").await?;
    let detail = refused.body["detail"].as_str().unwrap_or_default();
    ensure!(refused.status == 403 && detail.contains("callers"), "{refused:?}");
    ensure!(stack.client().get("/health/live").await?.status == 200);
    Ok(())
}

#[tokio::test]
async fn an_event_comes_as_the_policy_says() -> anyhow::Result<()> {
    let mut settings = StackSettings::default();
    let callers = json!({
        "eventbridge": {"tenant": "web", "scopes": ["jobs:run[playbook=hello.yml]"]},
        "iam": [{"arn": "arn:aws:iam::*:user/tester", "tenant": "web", "scopes": ["admin"]}],
    });
    settings.set("CALLBOARD_POLICY", &json!({"callers": callers}).to_string());
    let stack = Stack::start(&settings)?;
    let mut event: Value = serde_json::from_str(include_str!("../../../events/eventbridge-job.json"))?;
    event["time"] = json!(SystemClock.now());
    event["detail"] = json!({"playbook": "hello.yml"});
    let made = stack.invoke_submit(&event).await?;
    let record = stack
        .client()
        .ended(made["job_id"].as_str().unwrap_or_default())
        .await?;
    ensure!(
        record["submitted_by"] == "eventbridge" && record["status"] == "successful",
        "{record}"
    );
    event["id"] = json!("4f7f0f3e-8f7a-4a6e-9a55-0d5b6a5a1c11");
    event["detail"] = json!({"playbook": "count.yml"});
    let refused = stack.invoke_submit(&event).await?;
    let error = refused["error"].as_str().unwrap_or_default();
    ensure!(
        refused["reason"] == "request_invalid" && error.contains("covers"),
        "{refused}"
    );
    Ok(())
}
