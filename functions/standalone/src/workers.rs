//! The loops of `serve`: workers that take jobs from the queue, and the sweep.

use std::time::Duration;

use callboard_core::causes::causes;
use callboard_core::execute::{Limits, Worker};
use callboard_core::ports::StoreError;
use callboard_core::sweep::sweep;
use callboard_embedded::Message;
use tokio::sync::watch;
use tokio::time::sleep;

use crate::parts::Parts;

/// How long a received message stays hidden; a job that runs longer is protected by its lease.
const VISIBILITY: Duration = Duration::from_secs(60);
const FAULT_PAUSE: Duration = Duration::from_secs(1);
const SWEEP_EVERY: Duration = Duration::from_secs(10);
/// Several heartbeats: after a halt of the whole machine, workers come before the sweep.
const PATIENCE: Duration = Duration::from_secs(5);
const DELETE_BATCH: u32 = 500;

/// Takes and executes jobs, one at a time, until `draining` is set.
pub(crate) async fn work(parts: Parts, worker: Worker, mut draining: watch::Receiver<bool>, limits: Limits) {
    loop {
        tokio::select! {
            biased;
            () = set(&mut draining) => return,
            received = parts.queue.receive(VISIBILITY) => match received {
                Ok(message) => execute(&parts, &worker, message, limits.clone()).await,
                Err(error) => {
                    report(&error, "the queue does not answer");
                    sleep(FAULT_PAUSE).await;
                }
            },
        }
    }
}

async fn set(flag: &mut watch::Receiver<bool>) {
    drop(flag.wait_for(|set| *set).await);
}

/// A message is acknowledged unless the store failed; then it comes again. A panic costs one job, not the worker.
async fn execute(parts: &Parts, worker: &Worker, message: Message, limits: Limits) {
    let worker = worker.clone();
    let executed = tokio::spawn(async move { worker.execute(message.job_id, limits).await });
    match executed.await {
        Ok(Err(error)) => return report(&error, "the job could not be claimed or ended"),
        Err(error) => tracing::error!(job.id = %message.job_id, error = %causes(&error), "panic"),
        Ok(Ok(_)) => {}
    }
    if let Err(error) = parts.queue.acknowledge(message).await {
        report(&error, "a message could not be acknowledged");
    }
}

/// Sweeps for ever.
pub(crate) async fn keep_sweeping(parts: Parts) {
    loop {
        match sweep(&*parts.store, &*parts.queue, &*parts.clock, PATIENCE).await {
            Ok(swept) if swept.lost + swept.dispatched > 0 => {
                tracing::warn!(swept.lost, swept.dispatched, "swept");
            }
            Ok(_) => {}
            Err(error) => report(&error, "the sweep failed"),
        }
        if let Err(error) = delete_expired(&parts).await {
            report(&error, "expired jobs could not be deleted");
        }
        sleep(SWEEP_EVERY).await;
    }
}

async fn delete_expired(parts: &Parts) -> Result<(), StoreError> {
    for id in parts.store.delete_expired(parts.clock.now(), DELETE_BATCH).await? {
        parts.logs.remove(id).await?;
    }
    Ok(())
}

fn report(error: &StoreError, message: &str) {
    tracing::error!(error = %causes(error), "{message}");
}
