//! The registry of services in an object of the bucket, which changes while the functions run.

use std::time::Duration;

use anyhow::{Context, ensure};
use callboard_tests::aws::{Function, FunctionError, Stack};
use callboard_tests::{Client, wait};
use serde_json::{Value, json};

use crate::calls::Service;
use crate::{event, jobs, start_with};

const KEY: &str = "config/services.yml";

#[tokio::test]
async fn a_registry_in_the_bucket_is_read_again_and_one_that_is_not_valid_changes_nothing() -> anyhow::Result<()> {
    let service = Service::start().await?;
    let stack = start_with(&[("CALLBOARD_SERVICES_KEY", KEY)])?;
    let client = stack.client();
    let call = |name: &str| json!({"service": name, "operation": "echo", "input": {}});
    check_unread(&stack, &call("first")).await?;

    put(&stack, &service.registry("first")).await?;
    until_listed(&client, "first").await?;
    let job = client.run(&call("first")).await?;
    ensure!(job["status"] == "successful", "{job}");
    put(&stack, &service.registry("second")).await?;
    until_listed(&client, "second").await?;

    put(&stack, "services:\n  - name: third\n    operations: none\n").await?;
    let finding = finding(&stack).await?;
    let detail = finding["detail"].as_str().unwrap_or_default();
    ensure!(
        finding["status"] == "fault" && detail.contains("config/services.yml:3:"),
        "{finding}"
    );
    let logged = || stack.query.log().contains("config/services.yml:3:");
    wait::until("the log names the line", logged).await?;
    ensure!(listed(&client).await?["services"][0]["name"] == "second");
    put(&stack, &service.registry("second")).await?;
    ensure!(self::finding(&stack).await?["status"] == "ok");
    Ok(())
}

/// Without a registry, nothing is said of services, nothing is recorded, and everything else answers.
async fn check_unread(stack: &Stack, call: &Value) -> anyhow::Result<()> {
    let client = stack.client();
    let submitted = client.post("/api/v1/jobs", call.to_string()).await?;
    for answer in [submitted, client.get("/api/v1/services").await?] {
        ensure!(
            answer.status == 503 && answer.body["type"] == "urn:callboard:problem:unavailable",
            "{answer:?}"
        );
    }
    let mut asked = event("eventbridge-job.json")?;
    asked["detail"] = call.clone();
    let error = stack.submit.invoke(asked).await.err().context("the event is lost")?;
    ensure!(error.is::<FunctionError>(), "{error:#}");
    ensure!(jobs(&client).await?.is_empty());
    let logged = || stack.submit.log().contains("there is no such object in the bucket");
    wait::until("the log says what is missing", logged).await?;
    ensure!(finding(stack).await?["status"] == "fault");
    client.submit(&json!({"playbook": "hello.yml"})).await.map(drop)
}

#[tokio::test]
async fn a_registry_in_a_variable_and_in_the_bucket_at_once_is_refused() -> anyhow::Result<()> {
    let resources = callboard_tests::aws::Resources::create().await?;
    let mut environment = resources.environment("QueryFunction")?;
    environment.insert("CALLBOARD_SERVICES_KEY".to_owned(), KEY.to_owned());
    environment.insert("CALLBOARD_SERVICES".to_owned(), "services: []".to_owned());
    let query = Function::start("query", &environment).await?;
    ensure!(query.invoke(&event("http-list.json")?).await.is_err());
    let told = "CALLBOARD_SERVICES and CALLBOARD_SERVICES_KEY are both set";
    wait::until("the function says why it does not start", || query.log().contains(told)).await
}

async fn put(stack: &Stack, text: &str) -> anyhow::Result<()> {
    let put = stack.resources.s3().put_object().bucket(&stack.resources.bucket);
    put.key(KEY).body(text.as_bytes().to_vec().into()).send().await?;
    Ok(())
}

async fn listed(client: &Client) -> anyhow::Result<Value> {
    Ok(client.get("/api/v1/services").await?.body)
}

/// Waits until the API lists a service.
async fn until_listed(client: &Client, name: &str) -> anyhow::Result<()> {
    let waiting = async {
        while listed(client).await?["services"][0]["name"] != name {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        anyhow::Ok(())
    };
    let limit = Duration::from_secs(120);
    tokio::time::timeout(limit, waiting)
        .await
        .with_context(|| format!("{name} is never listed"))?
}

/// Returns what the doctor finds of the registry.
async fn finding(stack: &Stack) -> anyhow::Result<Value> {
    let findings = stack.query.invoke(event("doctor.json")?).await?;
    let mut findings = findings.as_array().into_iter().flatten();
    let found = findings.find(|finding| finding["check"] == "services");
    found.cloned().context("the doctor says nothing of services")
}
