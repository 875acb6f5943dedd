//! Executes the jobs of a batch of messages, and answers which messages must be delivered again.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use callboard_aws::SqsQueue;
use callboard_aws::message::{self, Message};
use callboard_core::base::causes::causes;
use callboard_core::base::id::Tenant;
use callboard_core::job::Ticket;
use callboard_core::run::{Disposition, Limits, Worker};
use futures_util::future::join_all;
use tokio::sync::watch;

use crate::batch::batch_response;

/// The delay before a message is delivered again if its job could not be claimed or if it names no job, times the number of
/// deliveries so far.
const RETRY_AFTER: Duration = Duration::from_secs(30);

/// Executes batches.
pub struct Batches {
    worker: Worker,
    queue: Arc<SqsQueue>,
    /// Never becomes true: Lambda does not announce shutdowns.
    shutdown: watch::Sender<bool>,
    /// How long before the invocation's deadline jobs are stopped, so that their end can still be written.
    margin: Duration,
}

impl Batches {
    /// Executes the jobs of a worker's lane, whose messages come from a queue.
    pub(crate) fn new(worker: Worker, queue: Arc<SqsQueue>, margin: Duration) -> Self {
        Self {
            worker,
            queue,
            shutdown: watch::Sender::new(false),
            margin,
        }
    }

    /// Executes the jobs of a batch all at once, because they share the invocation's deadline.
    pub async fn execute(&self, batch: &SqsEvent, deadline: SystemTime) -> SqsBatchResponse {
        let limits = Limits {
            deadline: Some(self.stop_at(deadline)),
            shutdown: self.shutdown.subscribe(),
        };
        let records = &batch.records;
        let executed = join_all(records.iter().map(|message| self.execute_one(message, limits.clone()))).await;
        let failed = records.iter().zip(&executed).filter(|(_, executed)| executed.is_err());
        join_all(failed.map(|(message, _)| self.deliver_again(message))).await;
        batch_response(records, &executed)
    }

    /// Executes the job of a message in a task of its own: a panic costs one attempt, not those of the whole batch.
    async fn execute_one(&self, message: &SqsMessage, limits: Limits) -> anyhow::Result<()> {
        let Message { job_id: id, look } = message::parse(message.body.as_deref().unwrap_or_default())?;
        let group = message.attributes.get("MessageGroupId").cloned();
        let ticket = Ticket {
            id,
            lane: self.worker.lane,
            tenant: group.map(Tenant::from).unwrap_or_default(),
        };
        let worker = self.worker.clone();
        let executed = tokio::spawn(async move {
            if look {
                worker.look(id, limits).await
            } else {
                worker.execute(&ticket, limits).await
            }
        });
        if executed.await?? == Disposition::Nothing {
            tracing::info!(job.id = %id, "the job is not there, has ended, or is another worker's: nothing to do");
        }
        Ok(())
    }

    async fn deliver_again(&self, message: &SqsMessage) {
        let receipt = message.receipt_handle.as_deref().unwrap_or_default();
        let received = message.attributes.get("ApproximateReceiveCount");
        let received: u32 = received.and_then(|count| count.parse().ok()).unwrap_or(1);
        if let Err(error) = self
            .queue
            .deliver_again(self.worker.lane, receipt, RETRY_AFTER * received)
            .await
        {
            let error = causes(&error);
            tracing::warn!(
                message.id = message.message_id,
                %error,
                "the visibility timeout of a message could not be changed; the message is delivered again when that timeout ends"
            );
        }
    }

    fn stop_at(&self, invocation: SystemTime) -> Instant {
        let left = invocation.duration_since(SystemTime::now()).unwrap_or_default();
        Instant::now() + left.saturating_sub(self.margin)
    }
}
