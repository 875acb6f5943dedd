//! Jobs from EventBridge and EventBridge Scheduler. Nobody waits for the answer; it is for the log and for people who invoke the
//! function by hand.

use callboard_core::access::Requester;
use callboard_core::base::store_error::StoreError;
use callboard_core::submit::Submitter;
use callboard_submit::trigger::JobEvent;
use serde_json::{Value, json};

/// Accepts the request of an event.
///
/// # Errors
/// The store is unavailable: Lambda invokes the function again with the same event.
pub(crate) async fn accept(submitter: &Submitter, by: &Requester, event: JobEvent) -> Result<Value, StoreError> {
    let job = submitter.accept(by, event.id, Ok(event.request)).await?;
    let outcome = job.state.outcome.as_ref();
    Ok(json!({
        "job_id": job.id,
        "status": job.state.status,
        "reason": outcome.and_then(|outcome| outcome.reason.clone()),
        "error": outcome.and_then(|outcome| outcome.error.as_deref()),
    }))
}
