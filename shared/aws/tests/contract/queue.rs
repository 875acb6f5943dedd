//! SQS, with the receiving end that Lambda has otherwise.

use std::time::Duration;

use anyhow::Context;
use async_trait::async_trait;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::MessageSystemAttributeName;
use callboard_aws::{SqsQueue, message};
use callboard_core::base::id::{JobId, Tenant};
use callboard_core::base::store_error::StoreError;
use callboard_core::job::{JobQueue, Ticket};
use callboard_core::request::Lane;
use callboard_testkit::aws::Resources;
use callboard_testkit::contract::job_queue::{TestQueue, VISIBILITY};
use callboard_testkit::contract::samples::ticket;

/// Both ends of a queue.
pub(crate) struct BothEnds {
    sender: SqsQueue,
    client: Client,
    urls: [String; 2],
}

pub(crate) async fn make() -> anyhow::Result<(BothEnds, ())> {
    let resources = Resources::create().await?;
    let (client, urls) = (resources.sqs(), [resources.jobs.url, resources.calls.url]);
    let sender = SqsQueue::new(&resources.config, urls[0].clone(), urls[1].clone());
    Ok((BothEnds { sender, client, urls }, ()))
}

#[async_trait]
impl JobQueue for BothEnds {
    async fn send(&self, ticket: &Ticket, delay: Duration) -> Result<(), StoreError> {
        self.sender.send(ticket, delay).await
    }

    async fn is_longer_than(&self, limit: u32, lane: Option<Lane>) -> Result<bool, StoreError> {
        self.sender.is_longer_than(limit, lane).await
    }
}

#[async_trait]
impl TestQueue for BothEnds {
    type Receipt = String;

    async fn receive(&self, lane: Lane) -> anyhow::Result<Option<(JobId, String)>> {
        let receive = self.client.receive_message().queue_url(&self.urls[lane as usize]);
        let receive = receive.visibility_timeout(VISIBILITY.as_secs().try_into()?);
        let received = receive.send().await?.messages.unwrap_or_default().pop();
        let Some(received) = received else {
            return Ok(None);
        };
        let body = received.body.context("a message has a body")?;
        let receipt = received.receipt_handle.context("a message has a receipt")?;
        Ok(Some((message::parse(&body)?.job_id, receipt)))
    }

    async fn acknowledge(&self, receipt: String) -> anyhow::Result<()> {
        let delete = self.client.delete_message().queue_url(&self.urls[0]);
        delete.receipt_handle(receipt).send().await?;
        Ok(())
    }

    /// LocalStack looks once a second which messages have become visible.
    async fn pass(&self, span: Duration) {
        tokio::time::sleep(span + Duration::from_millis(1_200)).await;
    }
}

#[tokio::test]
async fn the_tenant_is_the_group_of_a_message() -> anyhow::Result<()> {
    let (queue, ()) = make().await?;
    let ticket = Ticket {
        tenant: Tenant::from("web".to_owned()),
        ..ticket(JobId::new())
    };
    queue.send(&ticket, Duration::ZERO).await?;
    let receive = queue.client.receive_message().queue_url(&queue.urls[0]);
    let receive = receive.message_system_attribute_names(MessageSystemAttributeName::MessageGroupId);
    let received = receive.send().await?.messages.unwrap_or_default().pop();
    let attributes = received.context("a message")?.attributes.context("attributes")?;
    assert_eq!(attributes[&MessageSystemAttributeName::MessageGroupId], "web");
    Ok(())
}

#[tokio::test]
async fn a_delay_that_sqs_does_not_take_is_shortened() -> anyhow::Result<()> {
    let (queue, ()) = make().await?;
    queue
        .send(&ticket(JobId::new()), Duration::from_secs(24 * 3600))
        .await?;
    assert!(queue.receive(Lane::Programs).await?.is_none());
    Ok(())
}
