//! Sweeps over damaged items of DynamoDB.

use std::collections::HashMap;
use std::sync::Arc;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use callboard_aws::{DynamoDbCounterStore, DynamoDbSlotStore, S3LogStore};
use callboard_core::base::id::JobId;
use callboard_testkit::contract::damaged_records::sweeps_do_the_rest;

/// What is written of a job: an id that is none, and attributes of another type.
const FORMS: [&str; 2] = [
    "SET job_id = :text",
    "SET lease_token = :text, lease_beat = :text, due = :text, created_at = :text, retention = :text",
];

#[tokio::test]
async fn a_sweep_does_the_rest_where_items_are_damaged() -> anyhow::Result<()> {
    let (store, resources) = crate::records::make().await?;
    let logs = S3LogStore::new(&resources.config, resources.bucket.clone());
    let slots = DynamoDbSlotStore::new(&resources.config, resources.table.clone());
    let counters = DynamoDbCounterStore::new(&resources.config, resources.table.clone());
    let client = Client::new(&resources.config);
    sweeps_do_the_rest(
        Arc::new(store),
        Arc::new(slots),
        Arc::new(counters),
        Arc::new(logs),
        FORMS.len(),
        async |job: JobId, form| {
            let text = |text: String| AttributeValue::S(text);
            let key = HashMap::from([
                ("pk".to_owned(), text(format!("JOB#{job}"))),
                ("sk".to_owned(), text("JOB".to_owned())),
            ]);
            let update = client.update_item().table_name(&resources.table).set_key(Some(key));
            let update = update.update_expression(FORMS[form]);
            let update = update.expression_attribute_values(":text", text(format!("damaged {job}")));
            update.send().await?;
            Ok(())
        },
    )
    .await
}
