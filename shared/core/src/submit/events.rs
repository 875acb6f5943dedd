//! Accepting what an event asks for, which nobody waits to hear about.

use std::time::Duration;

use super::check::check_credentials;
use super::error::SubmitError;
use super::idempotency_store::{IdempotencyKey, NotAKey};
use super::once::{Reserved, digest};
use super::submitter::Submitter;
use crate::base::fields::FieldError;
use crate::base::id::{JobId, Tenant};
use crate::base::json::JsonError;
use crate::base::store_error::StoreError;
use crate::job::Job;
use crate::request::JobRequest;
use serde_json::Value;

/// The field of an event or a message that holds its idempotency key.
pub const KEY_FIELD: &str = "idempotency_key";
/// How many faults the record of a refused request names.
const MAX_FAULTS_TOLD: usize = 20;

impl Submitter {
    /// Accepts what an event asks for: a request that is not valid is recorded as a job that failed. The same event delivered
    /// again, with the same `id`, changes nothing; its job is returned, as is the job of an event before with the same
    /// `idempotency_key`.
    ///
    /// # Errors
    /// The store is unavailable; deliver the event again.
    pub async fn accept(&self, tenant: Tenant, id: JobId, body: Result<Value, JsonError>) -> Result<Job, StoreError> {
        let (key, body) = take_key(body);
        let body = match body {
            Ok(body) => body,
            Err(error) => {
                let text = format!("The request is not acceptable JSON: {}.", error.message);
                return self.refuse(tenant, id, self.kinds.outline(&Value::Null), text).await;
            }
        };
        let key = match key {
            Ok(key) => key,
            Err(text) => return self.refuse(tenant, id, self.kinds.outline(&body), text).await,
        };
        let Some(key) = key else {
            return match self.judge(&tenant, &body).await? {
                Ok(request) => self.create_or_get(self.job(id, tenant, request)).await,
                Err(text) => self.refuse(tenant, id, self.kinds.outline(&body), text).await,
            };
        };
        let ledger = self.ledger(&tenant, &key);
        let now = self.clock.now();
        let id = match ledger.reserve(id, digest(body.clone()), Duration::ZERO, now).await? {
            Reserved::Ours => id,
            Reserved::Theirs(job) => return Ok(*job),
            Reserved::Abandoned(id) => id,
            Reserved::InFlight => return Err(StoreError::Unavailable(Box::new(SubmitError::InFlight))),
            Reserved::Other => {
                let text = format!("The {KEY_FIELD} {:?} stands for another request.", key.as_str());
                return self.refuse(tenant, id, self.kinds.outline(&body), text).await;
            }
        };
        match self.judge(&tenant, &body).await {
            Ok(Ok(request)) => self.create_or_get(self.job(id, tenant, request)).await,
            Ok(Err(text)) => {
                ledger.free(id).await;
                self.refuse(tenant, id, self.kinds.outline(&body), text).await
            }
            Err(error) => {
                ledger.free(id).await;
                Err(error)
            }
        }
    }

    /// Reads a request, or says what is wrong with it.
    async fn judge(&self, tenant: &Tenant, body: &Value) -> Result<Result<JobRequest, String>, StoreError> {
        let faults = match self.kinds.read(body) {
            Ok(read) => match check_credentials(&*self.credentials, tenant, &read.secrets).await? {
                faults if faults.is_empty() => return Ok(Ok(read.request)),
                faults => faults,
            },
            Err(faults) => faults,
        };
        Ok(Err(told(&faults)))
    }

    /// Records a job that was never to start.
    async fn refuse(&self, tenant: Tenant, id: JobId, request: JobRequest, error: String) -> Result<Job, StoreError> {
        tracing::warn!(job.id = %id, error, "a request is refused");
        let mut job = self.job(id, tenant, request);
        job.state.refuse(error, job.created_at);
        match self.store.create(&job).await {
            Ok(()) => Ok(job),
            Err(StoreError::Conflict) => self.store.get(id, job.created_at).await,
            Err(error) => Err(error),
        }
    }
}

type Keyed = (Result<Option<IdempotencyKey>, String>, Result<Value, JsonError>);

/// Takes the idempotency key out of an event's request, or says what is wrong with it.
fn take_key(body: Result<Value, JsonError>) -> Keyed {
    let mut body = body;
    let taken = match &mut body {
        Ok(Value::Object(fields)) => fields.remove(KEY_FIELD),
        _ => None,
    };
    let key = match taken {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => text.parse().map(Some).map_err(|error: NotAKey| error.to_string()),
        Some(_) => Err("must be a text".to_owned()),
    };
    let key = key.map_err(|error| format!("The request is not valid: /{KEY_FIELD} {error}."));
    (key, body)
}

fn told(faults: &[FieldError]) -> String {
    let told = faults.iter().take(MAX_FAULTS_TOLD);
    let told: Vec<String> = told
        .map(|fault| format!("{} {}", fault.pointer, fault.detail))
        .collect();
    let more = match faults.len().saturating_sub(MAX_FAULTS_TOLD) {
        0 => String::new(),
        number => format!("; and {number} more"),
    };
    format!("The request is not valid: {}{more}.", told.join("; "))
}
