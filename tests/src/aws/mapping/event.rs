//! Turns a batch of messages into an event, modelled on `events/sqs-jobs.json`.

use aws_sdk_sqs::types::{Message, MessageAttributeValue};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

/// Makes the event.
pub(super) fn make(messages: &[Message], queue_arn: &str) -> Value {
    let region = queue_arn.split(':').nth(3).unwrap_or_default();
    let records = messages.iter().map(|message| record(message, queue_arn, region));
    json!({"Records": records.collect::<Vec<_>>()})
}

fn record(message: &Message, queue_arn: &str, region: &str) -> Value {
    json!({
        "messageId": message.message_id(),
        "receiptHandle": message.receipt_handle(),
        "body": message.body(),
        "attributes": attributes(message),
        "messageAttributes": message_attributes(message),
        "md5OfBody": message.md5_of_body(),
        "eventSource": "aws:sqs",
        "eventSourceARN": queue_arn,
        "awsRegion": region,
    })
}

fn attributes(message: &Message) -> Map<String, Value> {
    let all = message.attributes().into_iter().flatten();
    all.map(|(name, value)| (name.as_str().to_owned(), value.as_str().into()))
        .collect()
}

fn message_attributes(message: &Message) -> Map<String, Value> {
    let all = message.message_attributes().into_iter().flatten();
    all.map(|(name, value)| (name.clone(), message_attribute(value)))
        .collect()
}

fn message_attribute(value: &MessageAttributeValue) -> Value {
    let mut attribute = json!({
        "stringListValues": [],
        "binaryListValues": [],
        "dataType": value.data_type(),
    });
    if let Some(text) = value.string_value() {
        attribute["stringValue"] = text.into();
    }
    if let Some(bytes) = value.binary_value() {
        attribute["binaryValue"] = STANDARD.encode(bytes).into();
    }
    attribute
}
