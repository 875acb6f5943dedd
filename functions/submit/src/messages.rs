//! Jobs from other systems that arrive in the intake queue: each message is a job request.

use anyhow::Context;
use aws_lambda_events::sqs::{SqsEvent, SqsMessage};
use callboard_core::access::Requester;
use callboard_core::base::id::JobId;
use callboard_core::base::json;
use callboard_core::base::time::Timestamp;
use callboard_core::submit::Submitter;
use callboard_lambda::batch_response;
use callboard_submit::trigger::job_id;
use futures_util::future::join_all;
use serde_json::Value;

/// Accepts a batch, and answers which messages must be delivered again. A message that is not a valid request is recorded
/// as refused and is not delivered again: it would be just as invalid next time.
pub(crate) async fn accept(submitter: &Submitter, by: &Requester, batch: SqsEvent) -> anyhow::Result<Value> {
    let accepted = join_all(batch.records.iter().map(|message| accept_one(submitter, by, message))).await;
    Ok(serde_json::to_value(batch_response(&batch.records, &accepted))?)
}

async fn accept_one(submitter: &Submitter, by: &Requester, message: &SqsMessage) -> anyhow::Result<()> {
    let body = json::parse(message.body.as_deref().unwrap_or_default().as_bytes());
    let job = submitter.accept(by, id(message)?, body).await?;
    tracing::info!(message.id = message.message_id, job.id = %job.id, "a message became a job");
    Ok(())
}

/// Makes the id of a message's job. A message keeps its id and its sending time in every delivery.
pub(crate) fn id(message: &SqsMessage) -> anyhow::Result<JobId> {
    let sent = message
        .attributes
        .get("SentTimestamp")
        .context("the message has no SentTimestamp")?;
    let sent = sent.parse().context("the message's SentTimestamp is no number")?;
    let id = message.message_id.as_deref().context("the message has no id")?;
    Ok(job_id(Timestamp::from_millis(sent), id))
}
