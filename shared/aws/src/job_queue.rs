//! [`JobQueue`] on SQS. Lambda's event source mapping receives the messages.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::QueueAttributeName;
use callboard_core::base::store_error::StoreError;
use callboard_core::base::time::whole_seconds;
use callboard_core::job::{JobQueue, Ticket};
use callboard_core::request::Lane;
use futures_util::future::try_join_all;

use crate::error::aws;
use crate::message;

/// How long a measured queue length is used: asking for it costs as much as sending a message.
const MEASURED_FOR: Duration = Duration::from_secs(5);
/// The counts of waiting messages that SQS keeps.
const COUNTS: [QueueAttributeName; 2] = [
    QueueAttributeName::ApproximateNumberOfMessages,
    QueueAttributeName::ApproximateNumberOfMessagesDelayed,
];
/// The longest delay that SQS allows for a message.
const MAX_DELAY: Duration = Duration::from_secs(900);

/// When the length of each lane's queue was measured, and what it was.
type Lengths = [Option<(Instant, u32)>; Lane::ALL.len()];

/// Sends ids to a queue. A send whose answer was lost is repeated, so an id may arrive twice; the second worker then
/// finds the job claimed.
#[derive(Clone, Debug)]
pub struct SqsQueue {
    client: Client,
    /// The queue of each lane.
    urls: [String; Lane::ALL.len()],
    lengths: Arc<Mutex<Lengths>>,
}

impl SqsQueue {
    /// Uses two standard queues: for jobs that run programs, and for calls.
    #[must_use]
    pub fn new(config: &SdkConfig, programs: String, calls: String) -> Self {
        let client = Client::new(config);
        Self {
            client,
            urls: [programs, calls],
            lengths: Arc::default(),
        }
    }

    fn url(&self, lane: Lane) -> &str {
        &self.urls[lane as usize]
    }

    /// Makes SQS deliver a message that could not be handled again after `delay`, instead of after the queue's
    /// visibility timeout, which is longer than a job may take. `receipt` is the handle of the current delivery.
    ///
    /// # Errors
    /// The message keeps its visibility timeout.
    pub async fn deliver_again(&self, lane: Lane, receipt: &str, delay: Duration) -> Result<(), StoreError> {
        let change = self.client.change_message_visibility().queue_url(self.url(lane));
        let change = change.receipt_handle(receipt).visibility_timeout(seconds(delay));
        change.send().await.map(drop).map_err(aws)
    }
}

impl SqsQueue {
    /// Counts the messages of a lane that wait.
    async fn length(&self, lane: Lane) -> Result<u32, StoreError> {
        let lengths = || self.lengths.lock().unwrap_or_else(PoisonError::into_inner);
        let known = lengths()[lane as usize].filter(|(at, _)| at.elapsed() < MEASURED_FOR);
        if let Some((_, length)) = known {
            return Ok(length);
        }
        let length = self.measure(lane).await?;
        lengths()[lane as usize] = Some((Instant::now(), length));
        Ok(length)
    }

    async fn measure(&self, lane: Lane) -> Result<u32, StoreError> {
        let get = self.client.get_queue_attributes().queue_url(self.url(lane));
        let found = get
            .set_attribute_names(Some(COUNTS.to_vec()))
            .send()
            .await
            .map_err(aws)?;
        let counts = found.attributes.unwrap_or_default();
        let counts = COUNTS.iter().filter_map(|name| counts.get(name)?.parse::<u32>().ok());
        Ok(counts.fold(0, u32::saturating_add))
    }
}

/// Returns whole seconds, rounded up.
fn seconds(span: Duration) -> i32 {
    i32::try_from(whole_seconds(span)).unwrap_or(i32::MAX)
}

#[async_trait]
impl JobQueue for SqsQueue {
    /// Shortens a delay to 15 minutes: a retry that starts early does no harm. Each tenant is a group of messages, so that the queue is a
    /// fair one.
    async fn send(&self, ticket: &Ticket, delay: Duration) -> Result<(), StoreError> {
        let delay = seconds(delay.min(MAX_DELAY));
        let send = self.client.send_message().queue_url(self.url(ticket.lane));
        let send = send.message_group_id(ticket.tenant.as_str());
        let send = send.message_body(message::write(ticket.id)).delay_seconds(delay);
        send.send().await.map(drop).map_err(aws)
    }

    async fn is_longer_than(&self, limit: u32, lane: Option<Lane>) -> Result<bool, StoreError> {
        let length = match lane {
            Some(lane) => self.length(lane).await?,
            None => {
                let lengths = Lane::ALL.map(|lane| self.length(lane));
                try_join_all(lengths).await?.into_iter().fold(0, u32::saturating_add)
            }
        };
        Ok(length > limit)
    }
}
