//! Accepts requests for which nobody waits, and writes to the audit log what became of them.

use callboard_core::access::Requester;
use callboard_core::audit::{AuditLog, Deed, NewEntry, Refusal, note};
use callboard_core::base::id::JobId;
use callboard_core::base::json::JsonError;
use callboard_core::base::store_error::StoreError;
use callboard_core::job::Job;
use callboard_core::request::Reason;
use callboard_core::submit::Submitter;
use serde_json::Value;

/// Accepts the requests of events and messages.
#[derive(Clone, Copy)]
pub(crate) struct Intake<'a> {
    pub(crate) submitter: &'a Submitter,
    pub(crate) audit: &'a dyn AuditLog,
}

impl Intake<'_> {
    /// Accepts a request as [`Submitter::accept`] does. What is delivered twice has two entries, of one job.
    pub(crate) async fn accept(
        self,
        by: &Requester,
        id: JobId,
        body: Result<Value, JsonError>,
    ) -> Result<Job, StoreError> {
        let job = self.submitter.accept(by, id, body).await?;
        let reason = job.state.outcome.as_ref().and_then(|outcome| outcome.reason.as_ref());
        let refusal = reason
            .filter(|reason| **reason == Reason::REQUEST_INVALID)
            .map(|reason| Refusal {
                problem: reason.as_str().to_owned(),
                status: None,
            });
        let entry = NewEntry {
            refusal,
            ..NewEntry::of(by, Deed::JobSubmit, Some(job.id.to_string()))
        };
        note(self.audit, entry).await;
        Ok(job)
    }
}
