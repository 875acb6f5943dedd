//! Partial batch responses: the messages of a batch that SQS should deliver again.

use aws_lambda_events::sqs::{BatchItemFailure, SqsBatchResponse, SqsMessage};

/// Names the messages that could not be handled and logs why; all others are done.
#[must_use]
pub fn batch_response(messages: &[SqsMessage], results: &[anyhow::Result<()>]) -> SqsBatchResponse {
    let mut response = SqsBatchResponse::default();
    for (message, result) in messages.iter().zip(results) {
        let Err(error) = result else { continue };
        tracing::error!(
            message.id = message.message_id,
            "a message is left in the queue: {error:#}"
        );
        let mut failure = BatchItemFailure::default();
        failure.item_identifier = message.message_id.clone().unwrap_or_default();
        response.batch_item_failures.push(failure);
    }
    response
}
