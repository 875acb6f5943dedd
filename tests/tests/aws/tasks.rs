//! Containers: jobs that tasks of ECS execute, and that callers only look at.

use std::time::Duration;

use anyhow::{Context, ensure};
use callboard_tests::aws::ecs::{CLUSTER, GROUP, IMAGE};
use callboard_tests::aws::{Ecs, Stack, StackSettings};
use callboard_tests::wait;
use serde_json::{Value, json};
use tokio::sync::mpsc::UnboundedReceiver;

use crate::{LIMIT, until_messages};

/// Makes a registry with one operation for each of these. A script's own arguments are the input's `words`.
fn registry(scripts: &[(&str, &str, Value)]) -> String {
    let operation = |(name, script, more): &(&str, &str, Value)| {
        let config = json!({
            "image": IMAGE, "task_definition": "tool", "command": ["/bin/sh", "-c"], "args": [script, "sh", "--", "{words}"],
        });
        let mut operation = json!({"name": name, "timeout": 600, "runner_config": config});
        for (name, value) in more.as_object().into_iter().flatten() {
            match value.as_object() {
                Some(fields) => fields
                    .iter()
                    .for_each(|(field, value)| operation[name][field] = value.clone()),
                None => operation[name] = value.clone(),
            }
        }
        operation
    };
    let service = json!({
        "name": "tools", "execution_type": "container", "security_policy": {"network": "private", "allowed_images": ["callboard-test/tool"]},
        "operations": scripts.iter().map(operation).collect::<Vec<_>>(),
    });
    json!({"services": [service]}).to_string()
}

fn start(ecs: &Ecs, registry: &str) -> anyhow::Result<Stack> {
    let mut settings = StackSettings::default();
    for (name, value) in [
        ("CALLBOARD_SERVICES", registry),
        ("CALLBOARD_TASK_CLUSTER", CLUSTER),
        ("CALLBOARD_TASK_GROUP", GROUP),
        ("CALLBOARD_TASK_SUBNETS", "subnet-1, subnet-2"),
        ("AWS_ENDPOINT_URL_ECS", &ecs.url),
        ("AWS_ENDPOINT_URL_CLOUDWATCH_LOGS", &ecs.url),
    ] {
        settings.set(name, value);
    }
    Stack::start(&settings)
}

/// Plays EventBridge.
fn deliver(stack: &Stack, mut events: UnboundedReceiver<Value>) {
    let (sqs, url, template) = (
        stack.resources.sqs(),
        stack.resources.calls.url.clone(),
        stack.resources.template.clone(),
    );
    tokio::spawn(async move {
        while let Some(event) = events.recv().await {
            if let Ok(Some(body)) = Ecs::message(&template, &event) {
                let sent = sqs.send_message().queue_url(&url).message_body(body).send().await;
                assert!(sent.is_ok(), "{sent:?}");
            }
        }
    });
}

fn call(operation: &str, words: &str) -> Value {
    json!({"service": "tools", "operation": operation, "input": {"words": words}})
}

#[test]
fn the_event_of_a_task_becomes_a_message_that_names_its_job() -> anyhow::Result<()> {
    let template = callboard_tests::aws::template::Template::load()?;
    let mut event = crate::event("ecs-task-stopped.json")?;
    event["detail"]["clusterArn"] = CLUSTER.into();
    assert_eq!(Ecs::message(&template, &event)?, None, "it is of another stack");
    event["detail"]["group"] = GROUP.into();
    let message = Ecs::message(&template, &event)?.context("a message")?;
    let message = callboard_aws::message::parse(&message)?;
    assert_eq!(event["detail"]["startedBy"], message.job_id.to_string());
    assert!(message.look);
    event["detail"]["lastStatus"] = "RUNNING".into();
    assert_eq!(Ecs::message(&template, &event)?, None);
    Ok(())
}

#[tokio::test]
async fn a_container_runs_as_a_task_and_its_end_comes_by_its_event() -> anyhow::Result<()> {
    let (ecs, events) = Ecs::start().await?;
    let json = json!({"runner_config": {"output": "json"}, "output_schema": {"type": "object"}});
    let registry = registry(&[
        (
            "say",
            "echo \"$2\"; echo \"$CALLBOARD_JOB_ID\"; for line in 3 4 5 6 7; do echo $line; done",
            json!({}),
        ),
        ("answer", "echo '{{\"got\": 1}}'", json),
        ("fail", "echo working; echo \"no $2\" >&2; exit 7", json!({})),
    ]);
    let stack = start(&ecs, &registry)?;
    deliver(&stack, events);
    let client = stack.client();
    let said = client.submit(&call("say", "$(id); `id` 'x'")).await?;
    let (answered, failed) = (
        client.submit(&call("answer", "")).await?,
        client.submit(&call("fail", "luck")).await?,
    );
    let job = client.ended(&said).await?;
    let printed = format!("$(id); `id` 'x'\n{said}\n3\n4\n5\n6\n7\n");
    ensure!(job["status"] == "successful" && job["kind"] == "container", "{job}");
    ensure!(
        job["result"]["output"] == printed && job["result"]["exit_code"] == 0,
        "{job}"
    );
    ensure!(client.logs(&said).await? == printed.as_bytes());
    let called = job["result"]["called"].as_str().unwrap_or_default();
    ensure!(
        called.starts_with("callboard-test/tool@sha256:") && called.contains("(tool:7) /bin/sh -c"),
        "{called}"
    );
    ensure!(
        job["result"]["isolation"].to_string().contains("no_capabilities")
            && job["usage"]["cost"]["usd"].as_f64() > Some(0.0),
        "{job}"
    );
    let names: Vec<Value> = client
        .events(&said)
        .await?
        .iter()
        .map(|event| event["event"].clone())
        .collect();
    ensure!(names == ["call_started", "call_answered"], "{names:?}");
    let job = client.ended(&answered).await?;
    ensure!(job["result"]["output"] == json!({"got": 1}), "{job}");
    let job = client.ended(&failed).await?;
    ensure!(
        job["reason"] == "exit_code" && job["error"].to_string().contains("exit code 7: working\\nno luck"),
        "{job}"
    );
    ensure!(
        ecs.asked("RunTask") == 3 && ecs.running() == 0,
        "{} tasks",
        ecs.asked("RunTask")
    );
    until_messages(&stack.resources, &stack.resources.dead_jobs, 0).await
}

#[tokio::test]
async fn a_job_runs_while_its_task_does_and_both_are_canceled() -> anyhow::Result<()> {
    let (ecs, events) = Ecs::start().await?;
    let stack = start(
        &ecs,
        &registry(&[("wait", "echo begun; trap 'exit 3' TERM; sleep 600 & wait", json!({}))]),
    )?;
    deliver(&stack, events);
    let client = stack.client();
    let id = client.submit(&call("wait", "")).await?;
    let job = client.until(&id, |job| job["progress"]["called"].is_string()).await?;
    ensure!(job["status"] == "running" && job["attempt"] == 1, "{job}");
    ensure!(job["progress"]["called"].to_string().contains(" as task "), "{job}");
    let listed = client.get("/api/v1/jobs?status=running&service=tools").await?.body;
    ensure!(listed["jobs"][0]["job_id"] == id.as_str(), "{listed}");
    // the caller has left it: no message of it is being worked on
    until_messages(&stack.resources, &stack.resources.jobs, 0).await?;
    let canceled = client.delete(&format!("/api/v1/jobs/{id}")).await?;
    ensure!(canceled.status == 202, "{canceled:?}");
    let job = client.ended(&id).await?;
    ensure!(
        job["status"] == "canceled" && job["reason"] == "canceled_by_request",
        "{job}"
    );
    ensure!(job["result"]["stdout"] == "begun\n" && job["attempt"] == 1, "{job}");
    ensure!(ecs.running() == 0 && ecs.tasks() == 1 && ecs.asked("StopTask") >= 1);
    Ok(())
}

#[tokio::test]
async fn a_task_whose_event_is_lost_is_looked_at_when_its_time_is_over() -> anyhow::Result<()> {
    let (ecs, _lost) = Ecs::start().await?;
    let stack = start(
        &ecs,
        &registry(&[
            ("short", "echo done", json!({"timeout": 4})),
            ("long", "echo begun; sleep 600", json!({"timeout": 4})),
        ]),
    )?;
    let client = stack.client();
    let (short, long) = (
        client.submit(&call("short", "")).await?,
        client.submit(&call("long", "")).await?,
    );
    let job = client.ended(&short).await?;
    ensure!(
        job["status"] == "successful" && job["result"]["output"] == "done\n",
        "{job}"
    );
    let job = client.ended(&long).await?;
    ensure!(
        job["reason"] == "timeout" && job["error"].to_string().contains("within 4 s"),
        "{job}"
    );
    ensure!(job["result"]["stdout"] == "begun\n" && ecs.running() == 0, "{job}");
    Ok(())
}

#[tokio::test]
async fn a_container_that_fails_is_run_again_and_one_without_room_waits() -> anyhow::Result<()> {
    let (ecs, events) = Ecs::start().await?;
    let again = json!({"idempotent": true, "max_retries": 2, "retry": {"initial_interval": 0}});
    let stack = start(
        &ecs,
        &registry(&[("fail", "exit 7", again), ("say", "echo here", json!({}))]),
    )?;
    deliver(&stack, events);
    let client = stack.client();
    let failed = client.run(&call("fail", "")).await?;
    ensure!(failed["reason"] == "exit_code" && failed["attempt"] == 3, "{failed}");
    ensure!(
        failed["attempts"][1]["retried"] == true && ecs.asked("RunTask") == 3,
        "{failed}"
    );
    ecs.crowd(1);
    let job = client.run(&call("say", "")).await?;
    ensure!(job["status"] == "successful" && job["attempt"] == 1, "{job}");
    ensure!(
        ecs.asked("RunTask") == 5,
        "{} tasks were asked for",
        ecs.asked("RunTask")
    );
    Ok(())
}

#[tokio::test]
async fn the_task_of_a_caller_that_died_before_it_knew_of_it_is_taken_up() -> anyhow::Result<()> {
    let (ecs, events) = Ecs::start().await?;
    // longer than it takes to find that a caller is lost
    let stack = start(&ecs, &registry(&[("long", "sleep 40; echo done", json!({}))]))?;
    deliver(&stack, events);
    let client = stack.client();
    ecs.silence(true);
    let id = client.submit(&call("long", "")).await?;
    wait::until("the task runs", || ecs.running() == 1).await?;
    for function in stack.caller.functions() {
        function.kill()?;
    }
    ecs.silence(false);
    let job = client.ended(&id).await?;
    ensure!(job["status"] == "successful" && job["attempt"] == 1, "{job}");
    ensure!(job["result"]["output"] == "done\n" && ecs.tasks() == 1, "{job}");
    Ok(())
}

#[tokio::test]
async fn a_log_that_was_read_in_part_when_its_caller_died_is_read_to_its_end() -> anyhow::Result<()> {
    let (ecs, events) = Ecs::start().await?;
    let registry = registry(&[("count", "for line in 1 2 3 4 5 6 7 8; do echo $line; done", json!({}))]);
    let stack = start(&ecs, &registry)?;
    deliver(&stack, events);
    let client = stack.client();
    ecs.let_read(3);
    let id = client.submit(&call("count", "")).await?;
    client.until(&id, |job| job["status"] == "running").await?;
    let reading = async {
        while client.logs(&id).await? != b"1\n2\n3\n" {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        anyhow::Ok(())
    };
    let read = tokio::time::timeout(LIMIT, reading).await;
    read.context("a part of it is never kept")??;
    for function in stack.caller.functions() {
        function.kill()?;
    }
    ecs.let_read(usize::MAX);
    let job = client.ended(&id).await?;
    ensure!(job["result"]["output"] == "1\n2\n3\n4\n5\n6\n7\n8\n", "{job}");
    ensure!(client.logs(&id).await? == b"1\n2\n3\n4\n5\n6\n7\n8\n");
    let names: Vec<Value> = client
        .events(&id)
        .await?
        .into_iter()
        .map(|event| event["event"].clone())
        .collect();
    ensure!(
        names == ["call_started", "call_answered"] && job["attempt"] == 1,
        "{names:?}"
    );
    Ok(())
}

#[tokio::test]
async fn what_a_task_cannot_be_is_not_started_and_says_why() -> anyhow::Result<()> {
    let (ecs, events) = Ecs::start().await?;
    let config = |field: &str, value: Value| json!({"runner_config": {field: value}});
    let operations = [
        (
            "nameless",
            config("task_definition", Value::Null),
            "source_unavailable",
            "names no task_definition",
        ),
        (
            "unknown",
            config("task_definition", json!("other")),
            "source_unavailable",
            "Unable to describe task definition",
        ),
        (
            "other-image",
            config("image", json!("callboard-test/tool:2")),
            "source_unavailable",
            "no container of the image",
        ),
        (
            "root",
            config("task_definition", json!("tool-as-root")),
            "isolation_unavailable",
            "a user that is not root",
        ),
        (
            "no-logs",
            config("task_definition", json!("tool-without-logs")),
            "source_unavailable",
            "awslogs",
        ),
        (
            "input",
            config("stdin", json!("input")),
            "isolation_unavailable",
            "a standard input",
        ),
        (
            "secret",
            config("environment", json!({"TOKEN": {"credential": "token"}})),
            "request_invalid",
            "the secrets of the task definition",
        ),
    ];
    let scripts: Vec<(&str, &str, Value)> = operations
        .iter()
        .map(|(name, more, ..)| (*name, "true", more.clone()))
        .collect();
    let absent =
        json!({"runner_config": {"image": "callboard-test/absent:1", "task_definition": "tool-without-image"}});
    let mut registry: Value = serde_json::from_str(&registry(&scripts))?;
    let mut second: Value = serde_json::from_str(&self::registry(&[("pull", "true", absent)]))?;
    second["services"][0]["name"] = "absent".into();
    second["services"][0]["security_policy"] = json!({"network": "private"});
    let mut third = second.clone();
    third["services"][0]["name"] = "alone".into();
    third["services"][0]["security_policy"] = json!({});
    for other in [second, third] {
        let services = registry["services"].as_array_mut().context("a list")?;
        services.push(other["services"][0].clone());
    }
    let stack = start(&ecs, &registry.to_string())?;
    deliver(&stack, events);
    let client = stack.client();
    let credential = json!({"name": "token", "kind": "password", "password": "s3cr3t"});
    ensure!(client.post("/api/v1/credentials", credential.to_string()).await?.status == 201);
    for (name, _, reason, told) in &operations {
        let job = client.run(&call(name, "")).await?;
        ensure!(
            job["reason"] == *reason && job["error"].to_string().contains(told),
            "{name}: {job}"
        );
        ensure!(
            job["result"]["no_effect"] == true || *reason == "request_invalid",
            "{name}: {job}"
        );
        ensure!(!job.to_string().contains("s3cr3t"));
    }
    let of = |service: &str| json!({"service": service, "operation": "pull", "input": {"words": ""}});
    let alone = client.run(&of("alone")).await?;
    ensure!(
        alone["reason"] == "isolation_unavailable" && alone["error"].to_string().contains("no network"),
        "{alone}"
    );
    ensure!(ecs.asked("RunTask") == 0);
    let absent = client.run(&of("absent")).await?;
    ensure!(
        absent["reason"] == "source_unavailable" && absent["error"].to_string().contains("could not start: CannotPull"),
        "{absent}"
    );
    Ok(())
}
