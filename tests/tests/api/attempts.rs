//! Jobs that are started more than once: what their records, logs and events tell of each attempt.

use anyhow::ensure;
use callboard_tests::Client;
use reqwest::Method;
use serde_json::{Value, json};

use crate::names;

#[tokio::test]
async fn each_attempt_is_in_the_record_and_its_output_and_events_can_be_read() -> anyhow::Result<()> {
    let (service, data) = crate::start(&["--workers", "1"])?;
    let client = service.client();
    let request = json!({
        "playbook": "die_once.yml", "extra_vars": {"file": data.path().join("died")}, "options": {"max_attempts": 3},
    });
    let job = client.run(&request).await?;
    ensure!(job["status"] == "successful" && job["attempt"] == 2, "{job}");
    check_attempts(&job)?;
    let id = job["job_id"].as_str().unwrap_or_default();
    let listed = client.get("/api/v1/jobs").await?.body;
    ensure!(listed["jobs"][0]["attempt"] == 2, "{listed}");

    let (first, second) = (
        log(&client, id, "attempt=1").await?,
        log(&client, id, "attempt=2").await?,
    );
    ensure!(
        first.contains("PLAY [Die once]") && !first.contains("went on"),
        "{first}"
    );
    ensure!(
        second.contains("went on") && second == log(&client, id, "").await?,
        "{second}"
    );
    ensure!(first == log(&client, id, "attempt=1&follow=true").await?);

    let (first, second) = (
        events(&client, id, "attempt=1").await?,
        events(&client, id, "attempt=2").await?,
    );
    ensure!(first["complete"] == true && first["attempt"] == 1, "{first}");
    ensure!(
        second == events(&client, id, "").await? && second["attempt"] == 2,
        "{second}"
    );
    ensure!(first["events"][0]["uuid"] != second["events"][0]["uuid"]);
    let is_stats = |page: &Value| page["events"].to_string().contains("playbook_on_stats");
    ensure!(!is_stats(&first) && is_stats(&second));
    refused(&client, id).await
}

fn check_attempts(job: &Value) -> anyhow::Result<()> {
    let attempts = job["attempts"].as_array().map(Vec::as_slice).unwrap_or_default();
    let [first, second] = attempts else {
        anyhow::bail!("two attempts were to be expected: {job}");
    };
    for (attempt, number) in attempts.iter().zip(1..) {
        assert_eq!(
            names(attempt),
            ["attempt", "started_at", "finished_at", "reason", "error"]
        );
        ensure!(attempt["attempt"] == number, "{attempt}");
    }
    ensure!(
        first["reason"] == "runner_error" && first["error"].is_string(),
        "{first}"
    );
    ensure!(first["started_at"].as_str() <= first["finished_at"].as_str(), "{first}");
    ensure!(first["finished_at"].as_str() <= second["started_at"].as_str(), "{job}");
    ensure!(second["reason"].is_null() && second["error"].is_null(), "{second}");
    ensure!(
        second["started_at"] == job["started_at"] && second["finished_at"] == job["finished_at"],
        "{job}"
    );
    Ok(())
}

/// There is no third attempt, and attempts are counted from 1.
async fn refused(client: &Client, id: &str) -> anyhow::Result<()> {
    for what in ["logs", "events"] {
        for (number, status, kind) in [(3, 404, "no-such-attempt"), (0, 422, "invalid-query")] {
            let answer = client
                .get(&format!("/api/v1/jobs/{id}/{what}?attempt={number}"))
                .await?;
            let expected = format!("urn:callboard:problem:{kind}");
            ensure!(answer.status == status && answer.body["type"] == expected, "{answer:?}");
        }
    }
    Ok(())
}

async fn log(client: &Client, id: &str, query: &str) -> anyhow::Result<String> {
    let path = format!("/api/v1/jobs/{id}/logs?{query}");
    let answer = client.request(Method::GET, &path).send().await?.error_for_status()?;
    Ok(answer.text().await?)
}

async fn events(client: &Client, id: &str, query: &str) -> anyhow::Result<Value> {
    Ok(client.get(&format!("/api/v1/jobs/{id}/events?{query}")).await?.body)
}
