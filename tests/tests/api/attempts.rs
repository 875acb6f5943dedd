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
    ensure!(
        first["attempt"] == 1 && first["next_attempt"] == 2 && first["complete"] == false,
        "{first}"
    );
    ensure!(
        second["next_attempt"].is_null() && second["complete"] == true,
        "{second}"
    );
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
            ["attempt", "started_at", "finished_at", "reason", "error", "retried"]
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

/// There is no third attempt, attempts are counted from 1, and a counter alone belongs to none of them.
async fn refused(client: &Client, id: &str) -> anyhow::Result<()> {
    for (query, status, kind) in [
        ("logs?attempt=3", 404, "no-such-attempt"),
        ("events?attempt=3", 404, "no-such-attempt"),
        ("logs?attempt=0", 422, "invalid-query"),
        ("events?after=3", 422, "invalid-query"),
    ] {
        let answer = client.get(&format!("/api/v1/jobs/{id}/{query}")).await?;
        let expected = format!("urn:callboard:problem:{kind}");
        ensure!(answer.status == status && answer.body["type"] == expected, "{answer:?}");
        ensure!(
            status == 404 || answer.body["errors"][0]["parameter"] == "attempt",
            "{answer:?}"
        );
    }
    Ok(())
}

/// One follower heeds the fields of the page, the other the links, and both begin before the job does.
#[tokio::test]
async fn whoever_follows_through_a_retry_sees_each_event_of_each_attempt_once() -> anyhow::Result<()> {
    let (service, data) = crate::start(&["--workers", "1"])?;
    let client = service.client();
    let request = json!({
        "playbook": "die_once.yml", "extra_vars": {"file": data.path().join("died")}, "options": {"max_attempts": 2},
    });
    let id = client.submit(&request).await?;
    let (by_fields, by_links) = tokio::try_join!(follow_fields(&client, &id), follow_links(&client, &id))?;
    let mut every = Vec::new();
    for attempt in [1, 2] {
        let page = events(&client, &id, &format!("attempt={attempt}&limit=1000")).await?;
        every.extend(page["events"].as_array().into_iter().flatten().map(identity));
    }
    ensure!(
        every.iter().filter(|(counter, _)| counter == "1").count() == 2,
        "{every:?}"
    );
    assert_eq!(by_fields, every);
    assert_eq!(by_links, every);
    Ok(())
}

/// Polls with what the page says: its attempt and counter, or the attempt that followed.
async fn follow_fields(client: &Client, id: &str) -> anyhow::Result<Vec<(String, String)>> {
    let (mut found, mut attempt, mut after) = (Vec::new(), json!(0), json!(0));
    loop {
        let page = events(client, id, &format!("attempt={attempt}&after={after}&limit=2&wait=25")).await?;
        found.extend(page["events"].as_array().into_iter().flatten().map(identity));
        if page["complete"] == true {
            return Ok(found);
        }
        (attempt, after) = match &page["next_attempt"] {
            Value::Null => (page["attempt"].clone(), page["next_after"].clone()),
            next => (next.clone(), json!(0)),
        };
    }
}

/// Goes where the pages lead, from the plain path on.
async fn follow_links(client: &Client, id: &str) -> anyhow::Result<Vec<(String, String)>> {
    let (mut found, mut path) = (Vec::new(), format!("/api/v1/jobs/{id}/events?limit=3&wait=25"));
    loop {
        let answer = client.get(&path).await?;
        ensure!(answer.status == 200, "{path}: {answer:?}");
        found.extend(answer.body["events"].as_array().into_iter().flatten().map(identity));
        let next = answer
            .header("link")
            .split(", ")
            .find(|link| link.ends_with("rel=\"next\""));
        ensure!(
            next.is_none() == (answer.body["complete"] == true),
            "{path}: {answer:?}"
        );
        match next.and_then(|link| link.strip_prefix('<')?.split_once('>')) {
            Some((next, _)) => next.clone_into(&mut path),
            None => return Ok(found),
        }
    }
}

fn identity(event: &Value) -> (String, String) {
    (event["counter"].to_string(), event["uuid"].to_string())
}

async fn log(client: &Client, id: &str, query: &str) -> anyhow::Result<String> {
    let path = format!("/api/v1/jobs/{id}/logs?{query}");
    let answer = client.request(Method::GET, &path).send().await?.error_for_status()?;
    Ok(answer.text().await?)
}

async fn events(client: &Client, id: &str, query: &str) -> anyhow::Result<Value> {
    Ok(client.get(&format!("/api/v1/jobs/{id}/events?{query}")).await?.body)
}
