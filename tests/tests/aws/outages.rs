//! What becomes of events while the table cannot be reached.

use callboard_tests::aws::FunctionError;
use serde_json::{Value, json};

use crate::{event, start};

#[tokio::test]
async fn without_the_table_messages_and_events_come_again_and_clients_are_told() -> anyhow::Result<()> {
    let stack = start()?;
    let (client, resources) = (stack.client(), &stack.resources);
    let waiting = client.submit(&json!({"playbook": "hello.yml"})).await?;
    client.ended(&waiting).await?;
    let delete = resources.dynamodb().delete_table().table_name(&resources.table);
    delete.send().await?;

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
