//! Calls of services: jobs that the caller executes.

mod service;

use anyhow::{Context, ensure};
use callboard_tests::aws::{Function, Pool, Stack, StackSettings};
use callboard_tests::log::json_lines;
use callboard_tests::wait;
use serde_json::{Value, json};

pub(crate) use self::service::Service;
use crate::{LIMIT, event, jobs, text, until_messages};

fn settings(service: &Service) -> StackSettings {
    let mut settings = StackSettings::default();
    settings.set("CALLBOARD_SERVICES", &service.registry("shop"));
    settings
}

fn call(operation: &str, number: u32) -> Value {
    json!({"service": "shop", "operation": operation, "input": {"number": number}})
}

#[tokio::test]
async fn a_call_and_a_playbook_go_each_through_its_own_function_to_their_records() -> anyhow::Result<()> {
    let service = Service::start().await?;
    let stack = Stack::start(&settings(&service))?;
    let (client, resources) = (stack.client(), &stack.resources);
    let playbook = client.submit(&json!({"playbook": "hello.yml"})).await?;
    let id = client.submit(&call("echo", 7)).await?;
    let job = client.ended(&id).await?;
    ensure!(job["status"] == "successful" && job["kind"] == "http", "{job}");
    ensure!(job["result"]["output"] == json!({"got": {"number": 7}}), "{job}");
    // the calls of a batch share an invocation, so that its price is none of theirs
    ensure!(
        job["usage"]["cost"].is_null() && job["usage"]["billed_seconds"].is_null(),
        "{job}"
    );
    ensure!(service.asked("echo") == 1);
    let log = String::from_utf8(client.logs(&id).await?)?;
    ensure!(log == r#"{"got":{"number":7}}"#, "{log}");
    let listed = client.get("/api/v1/jobs?service=shop&operation=echo").await?.body;
    ensure!(listed["jobs"][0]["job_id"] == id && listed["total"] == 1, "{listed}");
    ensure!(client.ended(&playbook).await?["status"] == "successful");
    for queue in [&resources.jobs, &resources.calls, &resources.dead_jobs] {
        until_messages(resources, queue, 0).await?;
    }
    let logged = || mentions(&stack.caller, &id) && mentions(&stack.worker, &playbook);
    wait::until("both functions have logged", logged).await?;
    ensure!(!mentions(&stack.caller, &playbook) && !mentions(&stack.worker, &id));
    let path = "/api/v1/services/shop/operations/echo/test";
    let tried = client.post(path, r#"{"input": {"number": 8}}"#).await?;
    ensure!(
        tried.status == 200 && tried.body["result"]["output"]["got"]["number"] == 8,
        "{tried:?}"
    );
    Ok(())
}

/// Returns whether a function's log has a line about a job.
fn mentions(pool: &Pool, job: &str) -> bool {
    json_lines(&pool.log()).iter().any(|line| line["job.id"] == job)
}

#[tokio::test]
async fn a_batch_is_executed_at_once_and_only_the_message_that_names_no_job_comes_again() -> anyhow::Result<()> {
    let service = Service::start().await?;
    let settings = StackSettings {
        callers: 0,
        ..settings(&service)
    };
    let stack = Stack::start(&settings)?;
    let client = stack.client();
    let mut ids = Vec::new();
    for operation in ["slow", "busy", "echo", "echo", "echo", "echo", "echo", "echo", "echo"] {
        ids.push(client.submit(&call(operation, 1)).await?);
    }
    let damaged = stack
        .resources
        .sqs()
        .send_message()
        .queue_url(&stack.resources.calls.url);
    damaged.message_body(r#"{"job": "none"}"#).send().await?;
    let batch = receive(&stack, 10).await?;
    let mut environment = stack.resources.environment("CallerFunction")?;
    environment.extend(settings.environment);
    let caller = Function::start("caller", &environment).await?;
    let invoked = async {
        let answer = caller.invoke(&batch).await?;
        let failed = answer["batchItemFailures"].as_array().cloned().unwrap_or_default();
        let records = batch["Records"].as_array().context("a batch")?;
        let poison = records.iter().find(|record| record["body"] == r#"{"job": "none"}"#);
        let poison = &poison.context("the damaged message is in the batch")?["messageId"];
        ensure!(
            failed == [json!({"itemIdentifier": poison})],
            "{answer} {}",
            caller.log()
        );
        Ok(())
    };
    let others = async {
        for id in &ids[2..] {
            ensure!(client.ended(id).await?["status"] == "successful", "{}", caller.log());
        }
        let slow = client.job(&ids[0]).await?;
        ensure!(slow["status"] == "running", "{slow}");
        client
            .until(&ids[1], |job| job["status"] == "pending" && job["attempt"] == 1)
            .await?;
        service.released.add_permits(1);
        ensure!(client.ended(&ids[0]).await?["status"] == "successful");
        Ok(())
    };
    tokio::try_join!(invoked, others)?;

    // what was handled is deleted by Lambda, so that what is left to receive was sent anew
    let again = receive(&stack, 1).await?;
    ensure!(again.to_string().contains(&ids[1]), "{again}");
    caller.invoke(&again).await?;
    let busy = client.ended(&ids[1]).await?;
    ensure!(busy["status"] == "successful" && busy["attempt"] == 2, "{busy}");
    ensure!(
        busy["attempts"][0]["reason"] == "http_status" && service.asked("busy") == 2,
        "{busy}"
    );
    Ok(())
}

/// Receives so many messages of CallsQueue, as the event that Lambda makes of them.
async fn receive(stack: &Stack, count: usize) -> anyhow::Result<Value> {
    let (mut batch, example) = (event("sqs-calls.json")?, event("sqs-calls.json")?["Records"][0].clone());
    let mut records = Vec::new();
    let receiving = async {
        while records.len() < count {
            let receive = stack.resources.sqs().receive_message();
            let receive = receive.queue_url(&stack.resources.calls.url).wait_time_seconds(1);
            let received = receive.max_number_of_messages(10).send().await?.messages;
            for message in received.unwrap_or_default() {
                let mut record = example.clone();
                record["messageId"] = message.message_id().into();
                record["receiptHandle"] = message.receipt_handle().into();
                record["body"] = message.body().into();
                records.push(record);
            }
        }
        anyhow::Ok(())
    };
    tokio::time::timeout(LIMIT, receiving)
        .await
        .context("too few messages")??;
    batch["Records"] = records.into();
    Ok(batch)
}

#[tokio::test]
async fn events_messages_and_schedules_may_ask_for_calls() -> anyhow::Result<()> {
    let service = Service::start().await?;
    let stack = Stack::start(&settings(&service))?;
    let client = stack.client();
    let mut event_bus = event("eventbridge-job.json")?;
    event_bus["detail"] = call("echo", 1);
    let mut schedule = event("scheduler-job.json")?;
    schedule["job"] = call("echo", 2);
    for event in [event_bus, schedule] {
        let first = stack.submit.invoke(event.clone()).await?;
        let again = stack.submit.invoke(event).await?;
        ensure!(first["job_id"] == again["job_id"], "{first} {again}");
        let job = client.ended(text(&first, "job_id")?).await?;
        ensure!(job["status"] == "successful", "{job}");
    }
    let send = stack
        .resources
        .sqs()
        .send_message()
        .queue_url(&stack.resources.intake.url);
    send.message_body(call("echo", 3).to_string()).send().await?;
    until_messages(&stack.resources, &stack.resources.intake, 0).await?;
    let newest = jobs(&client).await?;
    let job = client.ended(text(&newest[0], "job_id")?).await?;
    ensure!(job["result"]["output"]["got"]["number"] == 3, "{job}");
    ensure!(newest.len() == 3 && service.asked("echo") == 3, "{newest:?}");
    Ok(())
}

#[tokio::test]
async fn a_call_that_would_outlive_its_invocation_is_broken_off_and_says_so() -> anyhow::Result<()> {
    let service = Service::start().await?;
    let mut settings = settings(&service);
    // of the 900 s that the function has, this leaves five
    settings.set("CALLBOARD_DEADLINE_MARGIN", "895");
    let stack = Stack::start(&settings)?;
    let client = stack.client();
    let job = client.run(&call("slow", 1)).await?;
    ensure!(job["status"] == "failed" && job["reason"] == "deadline", "{job}");
    ensure!(text(&job, "error")?.contains("broken off"), "{job}");
    let resources = &stack.resources;
    until_messages(resources, &resources.calls, 0).await?;
    ensure!(service.asked("slow") == 1);
    Ok(())
}
