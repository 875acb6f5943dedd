//! Why and how a running job is told to stop.

use std::time::Duration;

use tokio::sync::watch;

use crate::job::CancelRequest;

/// Why a running job must stop.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum StopReason {
    /// Somebody asked for it.
    Canceled(CancelRequest),
    /// It ran longer than this.
    Timeout(Duration),
    /// It was silent for longer than this.
    IdleTimeout(Duration),
    /// The worker's own time has run out.
    Deadline,
    /// The service is shutting down.
    Shutdown,
    /// The lease was lost, so another worker may have the job by now.
    LeaseLost,
}

/// Tells a runner when to stop a job.
#[derive(Clone)]
pub struct Stop(watch::Receiver<Option<StopReason>>);

impl Stop {
    /// Wraps the receiving end of the supervisor's channel.
    #[must_use]
    pub fn new(receiver: watch::Receiver<Option<StopReason>>) -> Self {
        Self(receiver)
    }

    /// Waits until the job must stop; forever if that never happens.
    pub async fn requested(&mut self) {
        if self.0.wait_for(Option::is_some).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
