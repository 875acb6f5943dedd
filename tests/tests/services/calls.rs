//! Calls of each execution type, from the request to the record.

use anyhow::ensure;
use callboard_testkit::calls::{JSON, Server};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::{World, echo};

#[tokio::test]
async fn a_call_over_http_is_a_job_with_a_record_of_its_kind() -> anyhow::Result<()> {
    let (server, address) = Server::start(&[(200, JSON, r#"{"id": 7}"#)]).await?;
    let world = World::start(&echo(&address))?;
    let client = world.service.client();
    let request = json!({
        "service": "echo", "operation": "say", "input": {"text": "hello"},
        "options": {"correlation_id": "c-1", "entity_type": "order", "entity_pk": "42", "labels": {"team": "web"}},
    });
    let job = client.run(&request).await?;
    for (field, value) in [
        ("status", json!("successful")),
        ("kind", json!("http")),
        ("service", json!("echo")),
        ("operation", json!("say")),
        ("execution_type", json!("http")),
        ("input", json!({"text": "hello"})),
        ("attempt", json!(1)),
    ] {
        ensure!(job[field] == value, "{field}: {job}");
    }
    ensure!(
        job["options"]["correlation_id"] == "c-1" && job["options"]["labels"]["team"] == "web",
        "{job}"
    );
    let result = &job["result"];
    ensure!(
        result["output"] == json!({"id": 7}) && result["status_code"] == 200,
        "{result}"
    );
    ensure!(result["stdout"] == r#"{"id": 7}"#, "{result}");
    let id = job["job_id"].as_str().unwrap_or_default();
    let told = client.get(&format!("/api/v1/jobs/{id}/results")).await?.body;
    ensure!(
        told["output"] == result["output"] && told["output_truncated"] == false && told["failures"] == json!([]),
        "{told}"
    );
    let hosts = client.get(&format!("/api/v1/jobs/{id}/hosts")).await?.body;
    ensure!(hosts["hosts"] == json!([]), "{hosts}");
    ensure!(
        result["called"].as_str().is_some_and(|called| called.ends_with("/say")),
        "{result}"
    );
    ensure!(server.requests()[0].path == "/say", "{:?}", server.seen());
    let id = job["job_id"].as_str().unwrap_or_default();
    let names: Vec<Value> = client
        .events(id)
        .await?
        .into_iter()
        .map(|event| event["event"].clone())
        .collect();
    assert_eq!(names, ["call_started", "call_answered"]);
    Ok(())
}

#[tokio::test]
async fn what_a_request_has_wrong_is_refused_with_its_place() -> anyhow::Result<()> {
    let world = World::start(&echo("127.0.0.1:1"))?;
    let client = world.service.client();
    for (request, pointer, told) in [
        (
            json!({"service": "ech", "operation": "say"}),
            "/service",
            "known are echo",
        ),
        (
            json!({"service": "echo", "operation": "sing"}),
            "/operation",
            "known are say",
        ),
        (json!({"service": "echo", "operation": "say"}), "/input", "text"),
        (
            json!({"service": "echo", "operation": "say", "input": {"text": 1}}),
            "/input/text",
            "string",
        ),
        (
            json!({"service": "echo", "operation": "say", "input": {"text": "a"}, "inptu": 1}),
            "/inptu",
            "known",
        ),
        (
            json!({"service": "echo", "operation": "say", "input": {"text": "a"}, "options": {"forks": 1}}),
            "/options/forks",
            "known",
        ),
        (
            json!({"service": "echo", "playbook": "hello.yml"}),
            "/service",
            "another kind",
        ),
    ] {
        let answer = client.post("/api/v1/jobs", request.to_string()).await?;
        assert_eq!(
            answer.status,
            StatusCode::UNPROCESSABLE_ENTITY,
            "{request}: {}",
            answer.body
        );
        let error = &answer.body["errors"][0];
        ensure!(
            error["pointer"] == pointer && error["detail"].as_str().is_some_and(|detail| detail.contains(told)),
            "{request}: {error}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn a_program_gets_its_arguments_whatever_they_look_like() -> anyhow::Result<()> {
    let registry = "services:
  - name: tools
    execution_type: shell
    security_policy: {allowed_commands: [/usr/bin/printf, /bin/false], network: none, resource_limits: {processes: 20}}
    operations:
      - name: show
        input_schema: {type: object, required: [text], properties: {text: {type: string}}}
        runner_config: {command: /usr/bin/printf, args: ['%s', '--', '{text}']}
      - {name: fail, runner_config: {command: /bin/false}}
";
    let world = World::start(registry)?;
    let client = world.service.client();
    let text = "$(touch /tmp/x); `id` && rm -rf ~ | \"'\n -n ü";
    let job = client
        .run(&json!({"service": "tools", "operation": "show", "input": {"text": text}}))
        .await?;
    ensure!(job["status"] == "successful" && job["kind"] == "shell", "{job}");
    ensure!(
        job["result"]["stdout"].as_str().is_some_and(|out| out.ends_with(text)),
        "{job}"
    );
    ensure!(job["result"]["exit_code"] == 0, "{job}");
    ensure!(
        job["result"]["isolation"]
            .as_array()
            .is_some_and(|means| !means.is_empty()),
        "{job}"
    );
    let job = client.run(&json!({"service": "tools", "operation": "fail"})).await?;
    ensure!(job["status"] == "failed" && job["reason"] == "exit_code", "{job}");
    ensure!(job["result"]["exit_code"] == 1, "{job}");
    Ok(())
}

#[tokio::test]
async fn lists_have_every_kind_and_filter_by_what_is_called() -> anyhow::Result<()> {
    let (_server, address) = Server::start(&[(200, JSON, "{}")]).await?;
    let registry = format!(
        "{}  - name: tools
    execution_type: shell
    security_policy: {{allowed_commands: [/bin/true]}}
    operations: [{{name: nothing, runner_config: {{command: /bin/true}}}}]
",
        echo(&address)
    );
    let world = World::start(&registry)?;
    let client = world.service.client();
    let call = json!({"service": "echo", "operation": "say", "input": {"text": "a"}});
    let program = json!({"service": "tools", "operation": "nothing"});
    let ids = [
        client.run(&json!({"playbook": "hello.yml"})).await?,
        client.run(&call).await?,
        client.run(&program).await?,
    ]
    .map(|job| job["job_id"].as_str().unwrap_or_default().to_owned());
    for (query, expected) in [
        ("", vec![2, 1, 0]),
        ("?kind=ansible", vec![0]),
        ("?kind=http", vec![1]),
        ("?kind=container", vec![]),
        ("?service=tools", vec![2]),
        ("?service=echo&operation=say&kind=http", vec![1]),
        ("?service=echo&operation=sing", vec![]),
        ("?kind=shell&status=successful", vec![2]),
    ] {
        let list = client.get(&format!("/api/v1/jobs{query}")).await?.body;
        let found: Vec<&str> = list["jobs"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|job| job["job_id"].as_str())
            .collect();
        let expected: Vec<&str> = expected.into_iter().map(|at: usize| ids[at].as_str()).collect();
        assert_eq!(found, expected, "{query}: {list}");
    }
    let items = client.get("/api/v1/jobs").await?.body;
    let item = &items["jobs"][2];
    ensure!(
        item["kind"] == "ansible" && item["playbook"] == "hello.yml" && item["service"].is_null(),
        "{item}"
    );
    let item = &items["jobs"][1];
    ensure!(
        item["service"] == "echo" && item["operation"] == "say" && item["playbook"].is_null(),
        "{item}"
    );
    for (query, parameter) in [("?kind=htp", "kind"), ("?operation=say", "operation")] {
        let answer = client.get(&format!("/api/v1/jobs{query}")).await?;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(answer.body["errors"][0]["parameter"], parameter);
    }
    Ok(())
}

#[tokio::test]
async fn very_many_calls_are_in_flight_at_once() -> anyhow::Result<()> {
    // it never answers
    let (server, address) = Server::start(&[]).await?;
    let world = World::start(&echo(&address))?;
    let client = world.service.client();
    let call = json!({"service": "echo", "operation": "say", "input": {"text": "a"}});
    let mut ids = Vec::new();
    for _ in 0..100 {
        ids.push(client.submit(&call).await?);
    }
    let seen = || async { Ok(server.asked() == 100) };
    crate::eventually("all are in flight", seen).await?;
    let canceled = client.delete(&format!("/api/v1/jobs/{}", ids[7])).await?;
    ensure!(canceled.status.is_success(), "{}", canceled.body);
    let job = client.ended(&ids[7]).await?;
    ensure!(job["status"] == "canceled", "{job}");
    Ok(())
}
