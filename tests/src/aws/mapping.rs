//! Plays Lambda's event source mapping of an SQS queue.

mod event;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{Message, MessageSystemAttributeName};
use futures_util::future::join_all;
use serde_json::Value;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use super::Queue;
use super::lambda::Pool;
use super::template::Part;

/// How long SQS holds a poll open at most while there are no messages, in seconds.
const POLL: i32 = 2;

/// The settings of a mapping from a queue to a function.
#[derive(Clone, Debug)]
pub struct MappingSettings {
    /// The most messages that one invocation gets.
    pub batch_size: u16,
    /// The most invocations that run at the same time.
    pub maximum_concurrency: usize,
    /// How soon a message that was not handled can be received again. On AWS this is the queue's visibility timeout,
    /// which is too long for a test.
    pub retry_after: Duration,
}

/// The mapping, which stops when dropped.
pub struct Mapping(JoinHandle<()>);

struct Source {
    client: Client,
    queue: Queue,
    pool: Pool,
    settings: MappingSettings,
}

impl MappingSettings {
    /// Reads the mapping's properties from the template.
    ///
    /// # Errors
    /// A setting is missing, or the function is not asked to report which messages of a batch have failed.
    pub fn read(properties: &Part<'_>) -> anyhow::Result<Self> {
        let types = properties.list("/FunctionResponseTypes")?;
        let types: anyhow::Result<Vec<_>> = types.iter().map(|kind| kind.text("")).collect();
        ensure!(
            types? == ["ReportBatchItemFailures"],
            "a mapping has other response types"
        );
        Ok(Self {
            batch_size: properties.number("/BatchSize")?,
            maximum_concurrency: properties.number("/ScalingConfig/MaximumConcurrency")?,
            retry_after: Duration::from_secs(1),
        })
    }
}

impl Mapping {
    /// Starts to poll the queue.
    #[must_use]
    pub fn start(client: Client, queue: Queue, pool: Pool, settings: MappingSettings) -> Self {
        let source = Source {
            client,
            queue,
            pool,
            settings,
        };
        Self(tokio::spawn(Arc::new(source).poll()))
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Source {
    async fn poll(self: Arc<Self>) {
        let most = self.settings.maximum_concurrency.min(self.pool.functions().len());
        let slots = Arc::new(Semaphore::new(most));
        while let Ok(slot) = slots.clone().acquire_owned().await {
            match self.receive().await {
                Ok(messages) if messages.is_empty() => {}
                Ok(messages) => {
                    let source = self.clone();
                    tokio::spawn(async move {
                        source.deliver(messages).await;
                        drop(slot);
                    });
                }
                Err(error) => {
                    eprintln!("{}: {error:#}", self.queue.arn);
                    sleep(self.settings.retry_after).await;
                }
            }
        }
    }

    async fn receive(&self) -> anyhow::Result<Vec<Message>> {
        let receive = self.client.receive_message().queue_url(&self.queue.url);
        let received = receive
            .max_number_of_messages(self.settings.batch_size.into())
            .message_system_attribute_names(MessageSystemAttributeName::All)
            .message_attribute_names("All")
            .wait_time_seconds(POLL)
            .send()
            .await?;
        Ok(received.messages.unwrap_or_default())
    }

    /// Invokes the function; deletes the messages that it has handled, and returns the rest to the queue.
    async fn deliver(&self, messages: Vec<Message>) {
        let event = event::make(&messages, &self.queue.arn);
        let answer = self.pool.invoke(event).await;
        let failed = answer.and_then(|answer| failures(&answer, &messages));
        let failed = failed.unwrap_or_else(|error| {
            eprintln!("{}: {error:#}", self.queue.arn);
            messages
                .iter()
                .filter_map(Message::message_id)
                .map(str::to_owned)
                .collect()
        });
        join_all(messages.iter().map(|message| async {
            let again = message.message_id().is_none_or(|id| failed.contains(id));
            if let Err(error) = self.settle(message, again).await {
                eprintln!("{}: {error:#}", self.queue.arn);
            }
        }))
        .await;
    }

    async fn settle(&self, message: &Message, again: bool) -> anyhow::Result<()> {
        let receipt = message.receipt_handle().context("a message has a receipt")?;
        if again {
            let seconds = self.settings.retry_after.as_secs().try_into()?;
            let hide = self.client.change_message_visibility().queue_url(&self.queue.url);
            hide.receipt_handle(receipt).visibility_timeout(seconds).send().await?;
        } else {
            let delete = self.client.delete_message().queue_url(&self.queue.url);
            delete.receipt_handle(receipt).send().await?;
        }
        Ok(())
    }
}

/// Reads which messages of a batch have failed. As in Lambda, an answer that names an unknown message fails the whole batch.
fn failures(answer: &Value, messages: &[Message]) -> anyhow::Result<HashSet<String>> {
    let items = answer["batchItemFailures"].as_array().into_iter().flatten();
    let failed: HashSet<String> = items
        .map(|item| item["itemIdentifier"].as_str().unwrap_or_default().to_owned())
        .collect();
    let known: HashSet<&str> = messages.iter().filter_map(Message::message_id).collect();
    let stranger = failed.iter().find(|id| !known.contains(id.as_str()));
    ensure!(
        stranger.is_none(),
        "the answer names {stranger:?}, which the batch has not"
    );
    Ok(failed)
}
