//! What becomes of events while the table cannot be reached.

use aws_sdk_sqs::types::QueueAttributeName;
use callboard_tests::aws::stack::ansible;
use callboard_tests::aws::{Function, FunctionError, Resources};
use serde_json::{Value, json};

use crate::{event, start};

/// What it deletes of its own accord, and SQS therefore does not count, it has sent before.
#[tokio::test]
async fn a_worker_that_cannot_reach_the_table_sends_the_job_anew_for_later() -> anyhow::Result<()> {
    let resources = Resources::create().await?;
    let mut environment = resources.environment("WorkerFunction")?;
    environment.extend(ansible());
    let nowhere = ("AWS_ENDPOINT_URL_DYNAMODB".to_owned(), "http://127.0.0.1:1".to_owned());
    environment.extend([nowhere]);
    let worker = Function::start("worker", &environment).await?;
    let answer = worker.invoke(&event("sqs-jobs.json")?).await?;
    assert!(failed(&answer).is_empty(), "{answer} {}", worker.log());
    let delayed = QueueAttributeName::ApproximateNumberOfMessagesDelayed;
    let asked = resources.sqs().get_queue_attributes().queue_url(&resources.jobs.url);
    let found = asked.attribute_names(delayed.clone()).send().await?.attributes;
    let count = found.and_then(|mut found| found.remove(&delayed));
    assert_eq!(count.as_deref(), Some("1"), "{}", worker.log());
    Ok(())
}

#[tokio::test]
async fn without_the_table_messages_and_events_come_again_and_clients_are_told() -> anyhow::Result<()> {
    let stack = start()?;
    let (client, resources) = (stack.client(), &stack.resources);
    let waiting = client.submit(&json!({"playbook": "hello.yml"})).await?;
    client.ended(&waiting).await?;
    resources.delete_table().await?;

    let batch = event("sqs-intake.json")?;
    let answer = stack.submit.invoke(batch.clone()).await?;
    assert_eq!(failed(&answer), ids(&batch));
    let batch = event("sqs-jobs.json")?;
    let answer = stack.worker.invoke(batch.clone()).await?;
    assert_eq!(failed(&answer), ids(&batch));
    for file in ["eventbridge-job.json", "scheduler-job.json", "sweep.json"] {
        let error = stack.submit.invoke(event(file)?).await.err();
        assert!(error.is_some_and(|error| error.is::<FunctionError>()), "{file}");
    }
    let answer = client.post("/api/v1/jobs", r#"{"playbook": "hello.yml"}"#).await?;
    assert_eq!(
        (answer.status.as_u16(), answer.content_type.as_str()),
        (500, "application/problem+json")
    );
    let answer = client.get(&format!("/api/v1/jobs/{waiting}")).await?;
    assert_eq!(answer.status, 500);
    assert!(!answer.body.to_string().contains(&resources.table), "{}", answer.body);
    assert!(
        stack.log().contains("ResourceNotFoundException"),
        "the log does not tell the cause"
    );
    Ok(())
}

fn failed(answer: &Value) -> Vec<&Value> {
    let items = answer["batchItemFailures"].as_array().into_iter().flatten();
    items.map(|item| &item["itemIdentifier"]).collect()
}

fn ids(batch: &Value) -> Vec<&Value> {
    let records = batch["Records"].as_array().into_iter().flatten();
    records.map(|record| &record["messageId"]).collect()
}
