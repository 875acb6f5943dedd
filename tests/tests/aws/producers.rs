//! Where jobs come from: the API, schedules, events, messages of other systems.

use anyhow::{Context, ensure};
use aws_sdk_dynamodb::types::AttributeValue;
use callboard_tests::log::json_lines;
use reqwest::Method;
use serde_json::{Value, json};

use crate::{event, jobs, messages, start, text, until_messages};

#[tokio::test]
async fn a_request_goes_through_every_part_to_its_answer() -> anyhow::Result<()> {
    let stack = start()?;
    let (client, resources) = (stack.client(), &stack.resources);
    let request = json!({"playbook": "hello.yml", "extra_vars": {"name": "AWS"}});
    let id = client.submit(&request).await?;
    let job = client.ended(&id).await?;
    assert_eq!((&job["status"], &job["attempt"]), (&json!("successful"), &json!(1)));
    assert_eq!(job["result"]["stats"]["localhost"]["ok"], 1);
    let output = client.logs(&id).await?;
    assert_eq!(job["result"]["stdout"], String::from_utf8(output)?);
    check_usage(&job)?;
    let events = client.events(&id).await?;
    assert_eq!(
        events.last().map(|event| &event["event"]),
        Some(&json!("playbook_on_stats"))
    );

    let key = |name: &str, value: String| (name.to_owned(), AttributeValue::S(value));
    let get = resources.dynamodb().get_item().table_name(&resources.table);
    let get = get.set_key(Some([key("pk", format!("JOB#{id}")), key("sk", "JOB".into())].into()));
    let item = get.send().await?.item.unwrap_or_default();
    assert!(item["expires_at"].as_n().is_ok(), "{item:?}");
    assert!(!item.contains_key("active_pk"), "{item:?}");
    let list = resources.s3().list_objects_v2().bucket(&resources.bucket);
    let objects = list.prefix(format!("logs/{id}/")).send().await?;
    assert_eq!(objects.key_count(), Some(2), "{objects:?}");
    until_messages(resources, &resources.jobs, 0).await?;
    assert_eq!(messages(resources, &resources.dead_jobs).await?, 0);
    Ok(())
}

#[tokio::test]
async fn a_schedule_and_an_event_become_one_job_each_however_often_they_are_delivered() -> anyhow::Result<()> {
    let stack = start()?;
    let client = stack.client();
    for file in ["scheduler-job.json", "eventbridge-job.json"] {
        let event = event(file)?;
        let first = stack.submit.invoke(event.clone()).await?;
        let again = stack.submit.invoke(event).await?;
        assert_eq!(first["job_id"], again["job_id"]);
        let job = client.ended(text(&first, "job_id")?).await?;
        assert_eq!(
            (&job["status"], &job["attempt"]),
            (&json!("successful"), &json!(1)),
            "{job}"
        );
    }
    assert_eq!(jobs(&client).await?.len(), 2);
    let bad = json!({"schedule_arn": "arn", "scheduled_time": "2026-11-21T02:00:00Z", "job": {"playbok": "hello.yml"}});
    let refused = stack.submit.invoke(bad).await?;
    let job = client.job(text(&refused, "job_id")?).await?;
    assert_eq!(
        (&job["status"], &job["reason"]),
        (&json!("failed"), &json!("request_invalid"))
    );
    assert!(text(&job, "error")?.contains("/playbok"), "{job}");
    Ok(())
}

/// What the job used: its own part as everywhere, and what the function's time costs.
fn check_usage(job: &Value) -> anyhow::Result<()> {
    let usage = &job["usage"];
    let number = |name: &str| usage[name].as_f64().with_context(|| format!("{name} of {usage}"));
    let (duration, billed, memory) = (
        number("duration_seconds")?,
        number("billed_seconds")?,
        number("memory_size_mib")?,
    );
    ensure!(
        duration > 0.0 && (duration..duration + 0.0011).contains(&billed),
        "{usage}"
    );
    ensure!(
        number("cpu_seconds")? > 0.0 && number("peak_memory_bytes")? > 1e6,
        "{usage}"
    );
    ensure!(usage["output_bytes"] == job["result"]["stdout_bytes"], "{usage}");
    // what it costs in us-east-1, on either processor
    let gib_seconds = billed * memory / 1024.0;
    let usd = usage["cost"]["usd"].as_f64().context("a cost")?;
    let rates = [0.000_013_333_4, 0.000_016_666_7];
    ensure!(
        rates.iter().any(|rate| (usd - gib_seconds * rate).abs() < 1e-9),
        "{usage}"
    );
    let table = usage["cost"]["price_table"].as_str().unwrap_or_default();
    ensure!(table.starts_with("aws-lambda/us-east-1/"), "{usage}");
    Ok(())
}

#[tokio::test]
async fn a_request_is_followed_through_the_logs_of_the_functions_by_its_id() -> anyhow::Result<()> {
    let stack = start()?;
    let client = stack.client();
    let request = client
        .request(Method::POST, "/api/v1/jobs")
        .header("x-request-id", "deploy-42");
    let answer = client.send(request.json(&json!({"playbook": "hello.yml"}))).await?;
    assert_eq!(answer.headers["x-request-id"], "deploy-42");
    let id = text(&answer.body, "job_id")?;
    client.ended(id).await?;
    let read = client.get(&format!("/api/v1/jobs/{id}")).await?;
    ensure!(!read.headers["x-request-id"].is_empty(), "{read:?}");
    let log = stack.log();
    let lines = json_lines(&log);
    let has = |message: &str, request: Option<&str>| {
        lines
            .iter()
            .any(|line| line["message"] == message && line["job.id"] == id && line["request.id"].as_str() == request)
    };
    ensure!(has("job recorded", Some("deploy-42")), "{log}");
    ensure!(has("job started", None) && has("job ended", None), "{log}");
    Ok(())
}

#[tokio::test]
async fn messages_of_other_systems_become_jobs_and_bad_ones_are_recorded() -> anyhow::Result<()> {
    let stack = start()?;
    let (client, resources) = (stack.client(), &stack.resources);
    let bodies = [
        r#"{"playbook": "hello.yml"}"#,
        r#"{"playbook": "hello.yml", "options": {"forks": 0}}"#,
        "{not JSON",
    ];
    for body in bodies {
        let send = resources.sqs().send_message().queue_url(&resources.intake.url);
        send.message_body(body).send().await?;
    }
    until_messages(resources, &resources.intake, 0).await?;
    let mut found = Vec::new();
    for job in jobs(&client).await? {
        let job = client.ended(text(&job, "job_id")?).await?;
        let error = job["error"].as_str().unwrap_or_default().to_owned();
        found.push((text(&job, "status")?.to_owned(), job["reason"].clone(), error));
    }
    assert_eq!(found.len(), bodies.len());
    assert_eq!(found.iter().filter(|(status, ..)| status == "successful").count(), 1);
    for part in ["/options/forks", "not acceptable JSON"] {
        let refused = found.iter().find(|(.., error)| error.contains(part));
        assert_eq!(
            refused.map(|(_, reason, _)| reason),
            Some(&json!("request_invalid")),
            "{found:?}"
        );
    }
    assert_eq!(messages(resources, &resources.dead_intake).await?, 0);
    Ok(())
}
