//! The notify function: copies new entries of the audit log from the table's stream to a bucket that keeps them unchanged.

mod batch;

use callboard_aws::{AuditBucket, sdk_config};
use callboard_core::base::store_error::StoreError;
use callboard_lambda::{required, start_logging};
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::{Value, json};

use crate::batch::Batch;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    start_logging();
    let bucket = &AuditBucket::new(&sdk_config().await, required("CALLBOARD_AUDIT_BUCKET")?);
    let function = |event: LambdaEvent<Batch>| async move { Ok::<_, Error>(copy(bucket, &event.payload).await?) };
    lambda_runtime::run(service_fn(function)).await
}

/// Copies the entries of a batch into one object. If that fails, Lambda delivers the batch again.
async fn copy(bucket: &AuditBucket, batch: &Batch) -> Result<Value, StoreError> {
    let entries = batch.entries();
    if let Some(name) = batch.name()
        && !entries.is_empty()
    {
        bucket.keep(&name, entries.concat()).await?;
        tracing::info!(
            audit.object = name,
            audit.entries = entries.len(),
            "entries of the audit log are copied"
        );
    }
    Ok(json!({"entries": entries.len()}))
}
