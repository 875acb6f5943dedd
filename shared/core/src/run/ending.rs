//! Writes how an attempt ended.

use std::time::Duration;

use super::dispatcher::Dispatcher;
use super::retry::{retry_delay, short_delay};
use super::runner::Detached;
use crate::base::causes::causes;
use crate::base::object::Object;
use crate::base::store_error::StoreError;
use crate::base::time::Timestamp;
use crate::job::{Attempt, CancelRequest, DISPATCH_GRACE, Job, JobStatus, Lease, Outcome};
use crate::request::Reason;

/// For how long a queue can hold a message back: as long as SQS can.
const LONGEST_DELAY: Duration = Duration::from_secs(900);

/// How a job is tried again because its runner says that it may end differently.
#[derive(Clone, Debug)]
pub(crate) struct Again {
    /// After this pause.
    pub(super) pause: Duration,
    /// What the next attempt has to know.
    pub(super) left: Object,
}

/// Writes the end of an attempt: the job's end, or its return to the queue, if its runner says that another attempt
/// may succeed, or its request allows another one. Returns that pause.
///
/// # Errors
/// `Conflict` if the lease is lost; otherwise the store's error.
pub(crate) async fn end_attempt(
    dispatcher: &Dispatcher,
    requeues: bool,
    job: &Job,
    lease: Lease,
    outcome: Outcome,
    again: Option<Again>,
) -> Result<Option<Duration>, StoreError> {
    let retryable = outcome.reason.as_ref().is_some_and(Reason::is_retryable) && job.may_run_again();
    let delay = again
        .as_ref()
        .map(|again| again.pause)
        .or_else(|| retryable.then(|| retry_delay(job)));
    let Some(delay) = delay.filter(|_| job.state.cancel.is_none()) else {
        let reason = outcome.reason.clone();
        let status = outcome.status;
        let (store, now) = (&*dispatcher.store, dispatcher.clock.now());
        let cancel = store.finish(job.id, lease.token, outcome, now).await?;
        if let Some(cancel) = cancel.filter(|_| status != JobStatus::Canceled) {
            tracing::info!(cancel.by = cancel.by, "the cancel came too late: the job had ended");
        }
        tracing::info!(job.status = %status, job.reason = reason.as_ref().map(Reason::as_str), "job ended");
        dispatcher.ended(job).await;
        return Ok(None);
    };
    let now = dispatcher.clock.now();
    let due = due(now, delay);
    let ended = Attempt {
        retried: again.is_some(),
        again_at: again.as_ref().map(|again| now + again.pause),
        left: again.map(|again| again.left).unwrap_or_default(),
        ..Attempt::begun(job.state.attempt, job.state.started_at).ended(&outcome, Some(now))
    };
    if let Some(cancel) = dispatcher.store.release(job.id, lease.token, ended, due).await? {
        return Ok(canceled(dispatcher, job, &cancel).await);
    }
    tracing::warn!(
        job.attempt = job.state.attempt,
        job.reason = outcome.reason.as_ref().map(Reason::as_str),
        "job goes back to the queue"
    );
    queue_again(dispatcher, requeues, job, due, delay).await;
    Ok(Some(delay))
}

/// Returns a job that could not be started to the queue; returns after which pause it may be.
pub(super) async fn put_back(
    dispatcher: &Dispatcher,
    requeues: bool,
    job: &Job,
    lease: Lease,
) -> Result<Option<Duration>, StoreError> {
    let delay = short_delay(job);
    let due = due(dispatcher.clock.now(), delay);
    if let Some(cancel) = dispatcher.store.put_back(job.id, lease.token, due).await? {
        return Ok(canceled(dispatcher, job, &cancel).await);
    }
    tracing::warn!("job goes back to the queue: it could not be started");
    queue_again(dispatcher, requeues, job, due, delay).await;
    Ok(Some(delay))
}

/// Leaves a job to what executes it in place of a worker. After a pause, the sweep queues it for a look: no message waits for that in
/// the queue, where it would look like a job that waits, and might come after the attempt has ended.
pub(super) async fn detach(
    dispatcher: &Dispatcher,
    requeues: bool,
    job: &Job,
    lease: Lease,
    detached: &Detached,
) -> Result<Option<Duration>, StoreError> {
    let due = dispatcher.clock.now() + detached.pause;
    let cancel = dispatcher
        .store
        .detach(job.id, lease.token, detached.by.clone(), due)
        .await?;
    tracing::info!(by = detached.by, "job goes on without a worker");
    // a cancel that came meanwhile is for the next look
    let is_news = cancel.is_some() && job.state.cancel.is_none();
    if is_news || detached.pause.is_zero() {
        queue_again(dispatcher, requeues, job, due, Duration::ZERO).await;
    }
    Ok(Some(detached.pause))
}

/// Passes on the slots of a job that was canceled in the moment in which it was given back; it is not tried again.
async fn canceled(dispatcher: &Dispatcher, job: &Job, cancel: &CancelRequest) -> Option<Duration> {
    tracing::info!(
        cancel.by = cancel.by,
        "the job was canceled when it was to go back to the queue"
    );
    dispatcher.ended(job).await;
    None
}

/// Returns when the sweep queues a job that waits for so long, and that the queue is not known to have by then.
fn due(now: Timestamp, delay: Duration) -> Timestamp {
    if delay > LONGEST_DELAY {
        now + delay
    } else {
        now + delay + DISPATCH_GRACE
    }
}

/// Queues a job that was given back, and is due. If that fails, or the queue cannot keep it for so long, the sweep queues it.
async fn queue_again(dispatcher: &Dispatcher, requeues: bool, job: &Job, due: Timestamp, delay: Duration) {
    if !requeues || delay > LONGEST_DELAY {
        return;
    }
    // it has kept its slots
    if let Err(error) = dispatcher.send(job, due, delay).await {
        tracing::warn!(error = %causes(&error), "the job could not be queued; a later sweep queues it");
    }
}
