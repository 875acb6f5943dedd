//! Messages that no worker could handle: each one in JobsDeadLetterQueue is noted in the record of its job.

use aws_lambda_events::sqs::{SqsEvent, SqsMessage};
use callboard_aws::message::{self, Message};
use callboard_core::access::Requester;
use callboard_core::base::json::JsonError;
use callboard_core::base::store_error::StoreError;
use callboard_core::job::DeadLetter;
use callboard_core::submit::Submitter;
use callboard_lambda::batch_response;
use futures_util::future::join_all;
use serde_json::Value;

use crate::messages;

/// Returns whether a batch comes from the queue with this ARN.
pub(crate) fn are_in(batch: &SqsEvent, arn: &str) -> bool {
    let source = batch
        .records
        .first()
        .and_then(|message| message.event_source_arn.as_deref());
    !arn.is_empty() && source == Some(arn)
}

/// Notes the messages of a batch, and answers which ones must be delivered again.
pub(crate) async fn note(submitter: &Submitter, by: &Requester, batch: SqsEvent) -> anyhow::Result<Value> {
    let noted = join_all(batch.records.iter().map(|message| note_one(submitter, by, message))).await;
    Ok(serde_json::to_value(batch_response(&batch.records, &noted))?)
}

async fn note_one(submitter: &Submitter, by: &Requester, letter: &SqsMessage) -> anyhow::Result<()> {
    let Ok(Message { job_id: id, .. }) = message::parse(letter.body.as_deref().unwrap_or_default()) else {
        let error = JsonError {
            pointer: String::new(),
            message: "a message in the queue of jobs names no job".to_owned(),
        };
        let job = submitter.accept(by, messages::id(letter)?, Err(error)).await?;
        tracing::error!(message.id = letter.message_id, job.id = %job.id, "a message that names no job is given up");
        return Ok(());
    };
    let received = letter.attributes.get("ApproximateReceiveCount");
    let dead = DeadLetter {
        at: submitter.clock.now(),
        receives: received.and_then(|count| count.parse().ok()).unwrap_or(1),
        error: "No worker could begin the job; the log of WorkerFunction, or of CallerFunction for a call, says why."
            .to_owned(),
    };
    match submitter.store.bury(id, dead).await {
        Ok(()) => tracing::error!(job.id = %id, "a message is given up; redriving the job brings it back"),
        Err(StoreError::Conflict | StoreError::NotFound) => {}
        Err(error) => return Err(error.into()),
    }
    Ok(())
}
