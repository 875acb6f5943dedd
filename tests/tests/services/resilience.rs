//! Retries by the queue, breakers and fallbacks.

use anyhow::ensure;
use callboard_testkit::calls::{JSON, Server};
use serde_json::json;

use crate::{World, echo};

#[tokio::test]
async fn a_retry_is_an_attempt_of_its_own() -> anyhow::Result<()> {
    let answers: [(u16, &[_], &str); 3] = [
        (503, &[], "down"),
        (429, &[("retry-after", "0")], ""),
        (200, JSON, "{}"),
    ];
    let (server, address) = Server::start(&answers).await?;
    let world = World::start(&echo(&address))?;
    let client = world.service.client();
    let call = json!({"service": "echo", "operation": "say", "input": {"text": "a"}});
    let job = client.run(&call).await?;
    ensure!(job["status"] == "successful" && job["attempt"] == 3, "{job}");
    ensure!(server.asked() == 3, "{} requests", server.asked());
    let attempts = &job["attempts"];
    ensure!(
        attempts[0]["retried"] == true && attempts[0]["reason"] == "http_status",
        "{attempts}"
    );
    ensure!(
        attempts[1]["retried"] == true && attempts[2]["retried"] == false,
        "{attempts}"
    );
    let logs = client
        .get(&format!(
            "/api/v1/jobs/{}/events?attempt=1",
            job["job_id"].as_str().unwrap_or_default()
        ))
        .await?
        .body;
    let names: Vec<_> = logs["events"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|event| &event["event"])
        .collect();
    assert_eq!(names, ["call_started", "call_failed", "call_retried"]);
    Ok(())
}

#[tokio::test]
async fn a_service_that_is_down_is_left_alone_and_another_stands_in() -> anyhow::Result<()> {
    let (server, address) = Server::start(&[(500, &[], "down")]).await?;
    let (other, elsewhere) = Server::start(&[(200, JSON, r#"{"from": "elsewhere"}"#)]).await?;
    let registry = format!(
        "services:
  - name: main
    security_policy: {{network: private}}
    circuit_breaker: {{failure_threshold: 2, reset_timeout: 3600}}
    runner_config: {{base_url: 'http://{address}', method: GET}}
    operations:
      - {{name: get, fallback: {{service: other, operation: get}}}}
      - {{name: alone}}
      - {{name: unsafe, idempotent: false, fallback: {{service: other, operation: get}}, runner_config: {{method: POST}}}}
  - name: other
    security_policy: {{network: private}}
    runner_config: {{base_url: 'http://{elsewhere}', method: GET}}
    operations: [{{name: get}}]
"
    );
    let world = World::start(&registry)?;
    let client = world.service.client();
    let call = |operation: &str| json!({"service": "main", "operation": operation});
    // its effect may have happened, so that nothing stands in for it
    let job = client.run(&call("unsafe")).await?;
    ensure!(job["reason"] == "http_status" && other.asked() == 0, "{job}");
    let job = client.run(&call("get")).await?;
    ensure!(
        job["status"] == "successful" && job["result"]["replaced_by"] == "other/get",
        "{job}"
    );
    ensure!(job["result"]["output"] == json!({"from": "elsewhere"}), "{job}");
    let id = job["job_id"].as_str().unwrap_or_default();
    let events = client.events(id).await?;
    let counters: Vec<_> = events.iter().map(|event| event["counter"].as_u64()).collect();
    assert_eq!(counters, (1..=5).map(Some).collect::<Vec<_>>(), "{events:?}");
    ensure!(events[2]["event"] == "call_replaced", "{events:?}");
    // two failures: the breaker is open
    ensure!(server.asked() == 2, "{} requests", server.asked());
    let job = client.run(&call("alone")).await?;
    ensure!(job["reason"] == "circuit_open", "{job}");
    ensure!(
        job["error"]
            .as_str()
            .is_some_and(|error| error.starts_with("The service main is down")),
        "{job}"
    );
    let job = client.run(&call("unsafe")).await?;
    ensure!(
        job["status"] == "successful",
        "nothing was sent, so that the other may stand in: {job}"
    );
    ensure!(
        server.asked() == 2 && other.asked() == 2,
        "{} {}",
        server.asked(),
        other.asked()
    );
    Ok(())
}

#[tokio::test]
async fn the_events_of_programs_are_numbered_through_what_stands_in() -> anyhow::Result<()> {
    let registry = "services:
  - name: tools
    execution_type: shell
    operations:
      - {name: broken, idempotent: true, fallback: {service: tools, operation: whole}, runner_config: {command: /bin/false}}
      - {name: whole, runner_config: {command: /bin/true}}
";
    let world = World::start(registry)?;
    let client = world.service.client();
    let job = client.run(&json!({"service": "tools", "operation": "broken"})).await?;
    ensure!(job["result"]["replaced_by"] == "tools/whole", "{job}");
    let events = client.events(job["job_id"].as_str().unwrap_or_default()).await?;
    let told: Vec<_> = events
        .iter()
        .map(|event| (event["counter"].as_u64(), event["event"].as_str()))
        .collect();
    let expected = [
        "call_started",
        "call_failed",
        "call_replaced",
        "call_started",
        "call_answered",
    ];
    let expected: Vec<_> = (1..).map(Some).zip(expected.map(Some)).collect();
    assert_eq!(told, expected);
    Ok(())
}

#[tokio::test]
async fn a_job_is_started_again_only_if_what_stands_in_is_idempotent_too() -> anyhow::Result<()> {
    let registry = "services:
  - name: a
    security_policy: {network: private}
    runner_config: {base_url: 'http://127.0.0.1:1', method: GET}
    operations:
      - {name: safe, max_retries: 1}
      - {name: risky, max_retries: 1, fallback: {service: a, operation: charge}}
      - {name: charge, runner_config: {method: POST}}
";
    let world = World::start(registry)?;
    let client = world.service.client();
    for (operation, attempts) in [("safe", json!(2)), ("risky", json!(null))] {
        let call = json!({"service": "a", "operation": operation});
        let id = client.submit(&call).await?;
        let job = client.job(&id).await?;
        assert_eq!(job["options"]["max_attempts"], attempts, "{job}");
        client.delete(&format!("/api/v1/jobs/{id}")).await?;
    }
    let call = json!({"service": "a", "operation": "risky", "options": {"max_attempts": 2}});
    let answer = client.post("/api/v1/jobs", call.to_string()).await?;
    assert_eq!(
        answer.body["errors"][0]["pointer"], "/options/max_attempts",
        "{}",
        answer.body
    );
    Ok(())
}

#[tokio::test]
async fn what_stands_in_is_called_once_whatever_its_retries() -> anyhow::Result<()> {
    let (server, address) = Server::start(&[(503, &[], "down")]).await?;
    let (other, elsewhere) = Server::start(&[(503, &[], "down as well")]).await?;
    let registry = format!(
        "services:
  - name: a
    security_policy: {{network: private}}
    runner_config: {{base_url: 'http://{address}', method: GET}}
    operations: [{{name: get, max_retries: 1, retry: {{initial_interval: 0}}, fallback: {{service: b, operation: get}}}}]
  - name: b
    security_policy: {{network: private}}
    runner_config: {{base_url: 'http://{elsewhere}', method: GET}}
    operations: [{{name: get, max_retries: 9, retry: {{initial_interval: 0}}}}]
"
    );
    let world = World::start(&registry)?;
    let client = world.service.client();
    let job = client.run(&json!({"service": "a", "operation": "get"})).await?;
    ensure!(
        job["reason"] == "http_status" && job["result"]["replaced_by"] == "b/get",
        "{job}"
    );
    ensure!(
        server.asked() == 2 && other.asked() == 1,
        "{} {}",
        server.asked(),
        other.asked()
    );
    Ok(())
}

#[tokio::test]
async fn an_answer_that_is_nested_too_deep_is_kept_as_a_text() -> anyhow::Result<()> {
    let nested = format!("{}1{}", "[".repeat(126), "]".repeat(126));
    let (_server, address) = Server::start(&[(200, JSON, &nested)]).await?;
    let world = World::start(&echo(&address).replace("        output_schema: {type: object}\n", ""))?;
    let client = world.service.client();
    let call = json!({"service": "echo", "operation": "say", "input": {"text": "a"}});
    let job = client.run(&call).await?;
    ensure!(
        job["status"] == "successful" && job["result"]["output"] == nested,
        "{job}"
    );
    Ok(())
}
