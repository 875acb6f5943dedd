//! `{"callboard": "doctor"}`: what is wrong with a deployment.

use anyhow::Context;
use callboard_tests::aws::Stack;
use serde_json::{Value, json};

use crate::{event, start};

#[tokio::test]
async fn the_doctor_names_damaged_records_and_what_cannot_be_asked() -> anyhow::Result<()> {
    let stack = start()?;
    let client = stack.client();
    let id = client.submit(&json!({"playbook": "hello.yml"})).await?;
    client.ended(&id).await?;
    let sound = findings(&stack).await?;
    assert!(sound.iter().all(|finding| finding["status"] == "ok"), "{sound:?}");
    let table = &stack.resources.table;
    let update = stack.resources.dynamodb().update_item().table_name(table);
    let update = update
        .key("pk", text(&format!("JOB#{id}")))
        .key("sk", text("JOB"))
        .update_expression("SET created_at = :text")
        .expression_attribute_values(":text", text("yesterday"));
    update.send().await?;
    let damaged = findings(&stack).await?;
    let records = finding(&damaged, "records")?;
    assert_eq!(
        (&records["status"], &records["about"]),
        (&json!("fault"), &json!([id])),
        "{records}"
    );
    stack.resources.delete_table().await?;
    let gone = findings(&stack).await?;
    for check in ["records", "dead_letters"] {
        let found = finding(&gone, check)?;
        assert_eq!(found["status"], "fault", "{found}");
        assert!(found["remedy"].is_string(), "{found}");
    }
    assert_eq!(finding(&gone, "output")?["status"], "ok", "{gone:?}");
    Ok(())
}

async fn findings(stack: &Stack) -> anyhow::Result<Vec<Value>> {
    let answer = stack.query.invoke(event("doctor.json")?).await?;
    answer.as_array().cloned().with_context(|| answer.to_string())
}

fn finding<'a>(findings: &'a [Value], check: &str) -> anyhow::Result<&'a Value> {
    let found = findings.iter().find(|finding| finding["check"] == check);
    found.with_context(|| format!("no {check} in {findings:?}"))
}

fn text(text: &str) -> aws_sdk_dynamodb::types::AttributeValue {
    aws_sdk_dynamodb::types::AttributeValue::S(text.to_owned())
}
