//! Accepts the requests of events, for which nobody waits for an answer.

use std::time::Duration;

use serde_json::Value;

use super::check::check_credentials;
use super::error::SubmitError;
use super::idempotency_store::{IdempotencyKey, NotAKey};
use super::once::{Reserved, digest};
use super::submitter::{Submitter, may_run};
use crate::access::Requester;
use crate::audit::{AuditProblem, Deed, NewEntry, note};
use crate::base::fields::FieldError;
use crate::base::id::JobId;
use crate::base::json::JsonError;
use crate::base::store_error::StoreError;
use crate::job::Job;
use crate::request::{JobRequest, Reason};

/// The field of an event or a message that holds its idempotency key.
pub const KEY_FIELD: &str = "idempotency_key";
/// How many faults the record of a refused request names at most.
const MAX_FAULTS_TOLD: usize = 20;

impl Submitter {
    /// Accepts the request of an event; a request that is not valid is recorded as a job that failed. If the same event is
    /// delivered again, with the same `id`, nothing changes and its job is returned. If an earlier event had the same
    /// `idempotency_key`, the job of that event is returned. The audit log has what became of it; of what is delivered twice, it has two
    /// entries.
    ///
    /// # Errors
    /// The store is unavailable, or the request cannot be read at the moment; deliver the event again.
    pub async fn accept(&self, by: &Requester, id: JobId, body: Result<Value, JsonError>) -> Result<Job, StoreError> {
        let job = self.take_in(by, id, body).await?;
        let reason = job.state.outcome.as_ref().and_then(|outcome| outcome.reason.as_ref());
        let invalid = reason.filter(|reason| **reason == Reason::REQUEST_INVALID);
        let problem = invalid.map(|reason| AuditProblem {
            kind: reason.as_str().to_owned(),
            status: None,
        });
        let entry = NewEntry {
            problem,
            ..NewEntry::of(by, Deed::JobSubmit, Some(job.id.to_string()))
        };
        note(&*self.audit, entry).await;
        Ok(job)
    }

    async fn take_in(&self, by: &Requester, id: JobId, body: Result<Value, JsonError>) -> Result<Job, StoreError> {
        let mut body = match body {
            Ok(body) => body,
            Err(error) => {
                let text = format!("The request is not acceptable JSON: {}.", error.message);
                return self.refuse(by, id, &Value::Null, text).await;
            }
        };
        let key = match take_key(&mut body) {
            Ok(key) => key,
            Err(text) => return self.refuse(by, id, &body, text).await,
        };
        let of_caller = key.as_ref().map(|key| key.of(&by.caller));
        let ledger = of_caller.as_ref().map(|key| self.ledger(by.tenant(), key));
        let id = match &ledger {
            None => id,
            Some(ledger) => {
                let now = self.clock.now();
                match ledger.reserve(id, digest(&body), Duration::ZERO, now).await? {
                    Reserved::Ours => id,
                    Reserved::Abandoned(id) => id,
                    Reserved::Theirs(job) => return Ok(*job),
                    Reserved::InFlight => return Err(StoreError::Unavailable(Box::new(SubmitError::InFlight))),
                    Reserved::Other => {
                        let text = format!(
                            "The {KEY_FIELD} {:?} was used for a different request.",
                            key.as_ref().map(IdempotencyKey::as_str).unwrap_or_default()
                        );
                        return self.refuse(by, id, &body, text).await;
                    }
                }
            }
        };
        let judged = self.judge(by, &body).await;
        if let (Some(ledger), Err(_) | Ok(Err(_))) = (&ledger, &judged) {
            ledger.free(id).await;
        }
        match judged? {
            Ok(request) => self.create_or_get(by, self.job(id, by.tenant().clone(), request)).await,
            Err(text) => self.refuse(by, id, &body, text).await,
        }
    }

    /// Reads a request, or says what is wrong with it.
    async fn judge(&self, by: &Requester, body: &Value) -> Result<Result<JobRequest, String>, StoreError> {
        if let Some(lacking) = self.kinds.lacking(body) {
            return Err(StoreError::Unavailable(Box::new(SubmitError::Unavailable(lacking))));
        }
        let faults = match self.kinds.read(body) {
            Ok(read) => {
                if let Err(missing) = may_run(by, &read) {
                    return Ok(Err(missing.to_string()));
                }
                match check_credentials(&*self.credentials, by.tenant(), &read.secrets).await? {
                    faults if faults.is_empty() => {
                        let origin = Some(by.origin());
                        return Ok(Ok(JobRequest { origin, ..read.request }));
                    }
                    faults => faults,
                }
            }
            Err(faults) => faults,
        };
        Ok(Err(told(&faults)))
    }

    /// Records a job that will never start, with what its request was to run.
    async fn refuse(&self, by: &Requester, id: JobId, body: &Value, error: String) -> Result<Job, StoreError> {
        tracing::warn!(job.id = %id, error, "a request is refused");
        let request = JobRequest {
            origin: Some(by.origin()),
            ..self.kinds.outline(body)
        };
        let mut job = self.job(id, by.tenant().clone(), request);
        job.state.refuse(error, job.created_at);
        match self.store.create(&job).await {
            Ok(()) => Ok(job),
            Err(StoreError::Conflict) => self.store.get(id, job.created_at).await,
            Err(error) => Err(error),
        }
    }
}

/// Takes the idempotency key out of an event's request, or says what is wrong with it.
fn take_key(body: &mut Value) -> Result<Option<IdempotencyKey>, String> {
    let taken = body.as_object_mut().and_then(|fields| fields.remove(KEY_FIELD));
    let key = match taken {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => text.parse().map(Some).map_err(|error: NotAKey| error.to_string()),
        Some(_) => Err("must be a text".to_owned()),
    };
    key.map_err(|error| format!("The request is not valid: /{KEY_FIELD} {error}."))
}

fn told(faults: &[FieldError]) -> String {
    let told = faults.iter().take(MAX_FAULTS_TOLD);
    let told: Vec<String> = told.map(FieldError::told).collect();
    let more = match faults.len().saturating_sub(MAX_FAULTS_TOLD) {
        0 => String::new(),
        number => format!("; and {number} more"),
    };
    format!("The request is not valid: {}{more}.", told.join("; "))
}
