//! Executes the jobs of a batch of messages, and answers which messages must be delivered again.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use callboard_ansible::AnsibleRunner;
use callboard_aws::{SqsQueue, message};
use callboard_core::base::causes::causes;
use callboard_core::run::{Disposition, Limits, Worker};
use callboard_lambda::batch_response;
use futures_util::future::join_all;
use lambda_runtime::{Error, LambdaEvent};
use tokio::sync::watch;

/// The delay before a message is delivered again if its job could not be claimed or if it names no job, times the number of
/// deliveries so far.
const RETRY_AFTER: Duration = Duration::from_secs(30);

/// Executes batches.
pub(crate) struct Batches {
    pub(crate) worker: Worker,
    pub(crate) queue: Arc<SqsQueue>,
    /// The runner to clean up after each batch, if `/tmp` belongs to this worker alone.
    pub(crate) to_clean: Option<Arc<AnsibleRunner>>,
    /// Never becomes true: Lambda does not announce shutdowns.
    pub(crate) shutdown: watch::Receiver<bool>,
    /// How long before the invocation's deadline jobs are stopped, so that their end can still be written.
    pub(crate) margin: Duration,
}

impl Batches {
    /// Executes the jobs of a batch all at once, because they share the invocation's deadline.
    pub(crate) async fn execute(&self, event: LambdaEvent<SqsEvent>) -> Result<SqsBatchResponse, Error> {
        let limits = Limits {
            deadline: Some(self.deadline(event.context.deadline())),
            shutdown: self.shutdown.clone(),
        };
        let records = &event.payload.records;
        let executed = join_all(records.iter().map(|message| self.execute_one(message, limits.clone()))).await;
        if let Some(runner) = &self.to_clean
            && let Err(error) = runner.clean().await
        {
            tracing::error!(error = %causes(&error), "what the jobs have left in /tmp could not be removed");
        }
        for (message, _) in records.iter().zip(&executed).filter(|(_, executed)| executed.is_err()) {
            self.deliver_again(message).await;
        }
        Ok(batch_response(records, &executed))
    }

    async fn execute_one(&self, message: &SqsMessage, limits: Limits) -> anyhow::Result<()> {
        let id = message::parse(message.body.as_deref().unwrap_or_default())?;
        if self.worker.execute(id, limits).await? == Disposition::Nothing {
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

    fn deadline(&self, invocation: SystemTime) -> Instant {
        let left = invocation.duration_since(SystemTime::now()).unwrap_or_default();
        Instant::now() + left.saturating_sub(self.margin)
    }
}
