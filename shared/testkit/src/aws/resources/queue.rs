//! The queues.

use std::collections::HashMap;

use anyhow::Context;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::QueueAttributeName;
use serde_json::json;

use super::Queue;
use crate::aws::template::{Part, Template};

type Attributes = HashMap<QueueAttributeName, String>;

/// Makes queues whose names share a prefix.
pub(super) struct Queues<'a> {
    pub(super) client: &'a Client,
    pub(super) template: &'a Template,
    pub(super) name: String,
}

impl Queues<'_> {
    /// Makes a queue, and its dead-letter queue for messages that were received too often.
    pub(super) async fn create_with_dead_letters(&self, id: &str) -> anyhow::Result<(Queue, Queue)> {
        let properties = self.template.properties(id)?;
        let target = properties.text("/RedrivePolicy/deadLetterTargetArn")?;
        let dead_id = target
            .strip_suffix(".Arn")
            .with_context(|| format!("{target} is no queue's ARN"))?;
        let dead = self
            .create(dead_id, attributes(&self.template.properties(dead_id)?)?)
            .await?;
        Ok((self.create_with(id, &dead).await?, dead))
    }

    /// Makes a queue with a dead-letter queue that is there.
    pub(super) async fn create_with(&self, id: &str, dead: &Queue) -> anyhow::Result<Queue> {
        let properties = self.template.properties(id)?;
        let mut attributes = attributes(&properties)?;
        let visibility: u32 = properties.number("/VisibilityTimeout")?;
        attributes.insert(QueueAttributeName::VisibilityTimeout, visibility.to_string());
        let redrive = json!({
            "deadLetterTargetArn": dead.arn,
            "maxReceiveCount": properties.number::<u32>("/RedrivePolicy/maxReceiveCount")?,
        });
        attributes.insert(QueueAttributeName::RedrivePolicy, redrive.to_string());
        self.create(id, attributes).await
    }

    async fn create(&self, id: &str, attributes: Attributes) -> anyhow::Result<Queue> {
        let create = self.client.create_queue().queue_name(format!("{id}-{}", self.name));
        let url = create.set_attributes(Some(attributes)).send().await?.queue_url;
        let url = url.context("a queue has a URL")?;
        let arn = QueueAttributeName::QueueArn;
        let get = self.client.get_queue_attributes().queue_url(&url);
        let found = get.attribute_names(arn.clone()).send().await?.attributes;
        let arn = found
            .and_then(|mut found| found.remove(&arn))
            .context("a queue has an ARN")?;
        Ok(Queue { url, arn })
    }
}

fn attributes(properties: &Part<'_>) -> anyhow::Result<Attributes> {
    let retention: u32 = properties.number("/MessageRetentionPeriod")?;
    let encrypted = properties.flag("/SqsManagedSseEnabled")?;
    Ok(HashMap::from([
        (QueueAttributeName::MessageRetentionPeriod, retention.to_string()),
        (QueueAttributeName::SqsManagedSseEnabled, encrypted.to_string()),
    ]))
}
