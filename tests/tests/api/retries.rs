//! `options.retry`: jobs that are tried again by themselves.

use std::path::Path;

use anyhow::{Context, ensure};
use callboard_tests::client::hosts;
use reqwest::StatusCode;
use serde_json::{Value, json};

/// Fails on the host `b` as often as `failures` says, so that it does not come to `c`.
const PLAYBOOK: &str = "- hosts: all
  gather_facts: false
  serial: 1
  tasks:
    - ansible.builtin.shell: echo >> '{{ file }}'; [ \"$(wc -l < '{{ file }}')\" -gt {{ failures }} ]
      when: inventory_hostname == 'b'
";

fn failing(file: &Path, failures: u32, retry: &Value) -> Value {
    json!({
        "source": {"type": "inline", "content": PLAYBOOK}, "inventory": "a,b,c,",
        "extra_vars": {"file": file, "failures": failures}, "options": {"connection": "local", "retry": retry},
    })
}

#[tokio::test]
async fn a_job_is_tried_again_where_it_failed_as_one_job_with_attempts() -> anyhow::Result<()> {
    let (service, data) = crate::start(&["--workers", "1"])?;
    let client = service.client();
    let retry = json!({"count": 3, "pause": 0, "hosts": "failed"});
    let job = client.run(&failing(&data.path().join("b"), 2, &retry)).await?;
    ensure!(job["status"] == "successful" && job["attempt"] == 3, "{job}");
    ensure!(hosts(&job) == ["b", "c"], "{job}");
    let attempts = job["attempts"].as_array().context("attempts")?;
    for attempt in &attempts[..2] {
        ensure!(
            attempt["retried"] == true && attempt["reason"] == "playbook_failed",
            "{job}"
        );
        ensure!(attempt["left"] == json!({"limit": "b,c"}), "{job}");
    }
    ensure!(
        attempts[2]["retried"] == false && attempts[2].get("left").is_none(),
        "{job}"
    );
    let id = job["job_id"].as_str().context("an id")?;
    for (attempt, has_first) in [(1, true), (2, false), (3, false)] {
        let printed = client.log_of(id, attempt).await?;
        ensure!(printed.contains(": [a]") == has_first, "{attempt}: {printed}");
    }
    // what was asked for is what is shown, and what is repeated
    ensure!(job["options"]["limit"].is_null(), "{job}");
    let again = client.post(&format!("/api/v1/jobs/{id}/relaunch"), "{}").await?;
    let again = client.ended(again.body["job_id"].as_str().context("an id")?).await?;
    ensure!(again["attempt"] == 1 && hosts(&again) == ["a", "b", "c"], "{again}");
    ensure!(again["options"] == job["options"], "{again}");
    Ok(())
}

#[tokio::test]
async fn a_job_is_tried_again_as_often_and_for_what_its_request_says() -> anyhow::Result<()> {
    let (service, data) = crate::start(&["--workers", "1"])?;
    let client = service.client();
    for (name, retry, attempts) in [
        ("often", json!({"count": 2, "pause": 0}), 3),
        ("never", json!({"count": 2, "pause": 0, "on": ["hosts_unreachable"]}), 1),
    ] {
        let job = client.run(&failing(&data.path().join(name), 9, &retry)).await?;
        ensure!(job["status"] == "failed" && job["attempt"] == attempts, "{name}: {job}");
        ensure!(
            hosts(&job) == ["a", "b", "c"] && job["reason"] == "playbook_failed",
            "{name}: {job}"
        );
    }

    // the pause is told, and no worker is held for as long
    let paused = client
        .submit(&failing(
            &data.path().join("paused"),
            9,
            &json!({"count": 1, "pause": 3600}),
        ))
        .await?;
    let waits = client
        .until(&paused, |job| job["blocked_on"]["type"] == "due_at")
        .await?;
    ensure!(
        waits["attempt"] == 1 && waits["blocked_on"]["due_at"].is_string(),
        "{waits}"
    );
    let other = client.run(&json!({"playbook": "hello.yml"})).await?;
    ensure!(other["status"] == "successful", "{other}");
    let canceled = client.delete(&format!("/api/v1/jobs/{paused}")).await?;
    ensure!(canceled.body["status"] == "canceled", "{canceled:?}");
    // so is a short one, and a job that is canceled in it is known to have failed where it did
    let retry = json!({"count": 1, "pause": 60, "hosts": "failed"});
    let short = client.submit(&failing(&data.path().join("short"), 9, &retry)).await?;
    let waits = client
        .until(&short, |job| job["blocked_on"]["type"] == "due_at")
        .await?;
    ensure!(
        waits["blocked_on"]["due_at"] == waits["attempts"][0]["again_at"],
        "{waits}"
    );
    client.delete(&format!("/api/v1/jobs/{short}")).await?;
    let path = format!("/api/v1/jobs/{short}/relaunch");
    let again = client
        .post(&path, r#"{"hosts": "failed", "extra_vars": {"failures": 0}}"#)
        .await?;
    let again = client.ended(again.body["job_id"].as_str().context("an id")?).await?;
    ensure!(
        again["status"] == "successful" && hosts(&again) == ["b", "c"],
        "{again}"
    );

    for (retry, pointer) in [
        (json!({}), "/options/retry/count"),
        (json!({"count": 0}), "/options/retry/count"),
        (json!({"count": 1, "pause": -1}), "/options/retry/pause"),
        (json!({"count": 1, "on": ["timeout"]}), "/options/retry/on/0"),
        (json!({"count": 1, "on": []}), "/options/retry/on"),
        (json!({"count": 1, "hosts": "some"}), "/options/retry/hosts"),
        (json!({"count": 1, "times": 2}), "/options/retry/times"),
        (json!(3), "/options/retry"),
    ] {
        let request = failing(Path::new("/"), 0, &retry);
        let refused = client.post("/api/v1/jobs", request.to_string()).await?;
        ensure!(
            refused.status == StatusCode::UNPROCESSABLE_ENTITY && refused.body["errors"][0]["pointer"] == pointer,
            "{retry}: {refused:?}"
        );
    }
    Ok(())
}
