//! [`JobQueue`] on SQS. Lambda's event source mapping receives.

use std::time::Duration;

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_sqs::Client;
use callboard_core::id::JobId;
use callboard_core::ports::{JobQueue, StoreError};

use crate::error::aws;
use crate::message;

/// SQS hides no message longer.
const MAX_DELAY: Duration = Duration::from_secs(900);

/// Sends ids to a queue. A send whose answer was lost is repeated, so an id may arrive twice: the worker that comes
/// second finds the job claimed.
#[derive(Clone, Debug)]
pub struct SqsQueue {
    client: Client,
    url: String,
}

impl SqsQueue {
    /// Uses a standard queue.
    #[must_use]
    pub fn new(config: &SdkConfig, url: String) -> Self {
        let client = Client::new(config);
        Self { client, url }
    }
}

#[async_trait]
impl JobQueue for SqsQueue {
    /// Shortens a delay to 15 minutes: a retry that starts early does no harm.
    async fn send(&self, id: JobId, delay: Duration) -> Result<(), StoreError> {
        let delay = delay.min(MAX_DELAY);
        let seconds = delay.as_secs() + u64::from(delay.subsec_nanos() > 0);
        let send = self.client.send_message().queue_url(&self.url);
        let send = send.message_body(message::write(id)).delay_seconds(seconds as i32);
        send.send().await.map(drop).map_err(aws)
    }
}
