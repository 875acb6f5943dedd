//! Submitting a job: read the request, check it, record it once however often it is sent, and give its id to the queue.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::causes::causes;
use crate::dispatch::dispatched;
use crate::fields::{Faults, FieldError};
use crate::id::{JobId, Tenant};
use crate::job::Job;
use crate::json::JsonError;
use crate::policy::Policy;
use crate::ports::{
    CredentialStore, IdempotencyKey, IdempotencyStore, JobQueue, JobStore, NotAKey, PlaybookCatalog, PlaybookError,
    Reservation, StoreError,
};
use crate::request::JobRequest;
use crate::segment::hex;
use crate::source::Source;
use crate::time::{Clock, Timestamp};

/// The field of an event or a message that holds its idempotency key.
pub const KEY_FIELD: &str = "idempotency_key";
/// How long the recording of a job may take, after which whoever sends the same key again may do it.
const IN_FLIGHT: Duration = Duration::from_secs(60);

/// How many faults the record of a refused request names.
const MAX_FAULTS_TOLD: usize = 20;
/// How much of the name of its playbook.
const MAX_PLAYBOOK_CHARS: usize = 200;

/// Why a request was not accepted.
#[derive(Debug, thiserror::Error)]
pub enum SubmitError {
    /// Fields are wrong.
    #[error("the request is not valid")]
    Invalid(Vec<FieldError>),
    /// The playbook cannot be run.
    #[error(transparent)]
    Playbook(#[from] PlaybookError),
    /// The same idempotency key came with another request before.
    #[error("the idempotency key stands for another request")]
    KeyReused,
    /// The first submission with the same idempotency key has not been answered yet.
    #[error("a submission with the same idempotency key is in flight")]
    InFlight,
    /// As many jobs wait as may.
    #[error("the queue is full")]
    QueueFull(u32),
    /// The job could not be recorded.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A job that was accepted.
#[derive(Clone, Debug, PartialEq)]
pub struct Submitted {
    /// The job.
    pub job: Job,
    /// Whether it was accepted before, under the same idempotency key.
    pub replayed: bool,
}

/// An idempotency key, and how long its submission will be in the making after the job is recorded.
#[derive(Clone, Debug)]
pub struct Once {
    /// The key.
    pub key: IdempotencyKey,
    /// Zero if the answer does not wait for the job.
    pub wait: Duration,
}

/// Accepts requests.
#[derive(Clone)]
pub struct Submitter {
    /// Records.
    pub store: Arc<dyn JobStore>,
    /// Where accepted jobs wait.
    pub queue: Arc<dyn JobQueue>,
    /// The playbooks, where they are known before a job runs.
    pub catalog: Option<Arc<dyn PlaybookCatalog>>,
    /// The credentials that requests may name.
    pub credentials: Arc<dyn CredentialStore>,
    /// Idempotency keys.
    pub keys: Arc<dyn IdempotencyStore>,
    /// What requests may reach.
    pub policy: Arc<Policy>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// How long a job is kept after its end.
    pub retention: Duration,
    /// How many jobs may wait when another is submitted; events are taken beyond that, as nobody could send them again.
    pub max_queued: u32,
}

impl Submitter {
    /// Accepts a request: when this returns, the job is recorded and will be run.
    ///
    /// # Errors
    /// [`SubmitError`] says why nothing was recorded.
    pub async fn submit(&self, tenant: Tenant, body: Value, once: Option<&Once>) -> Result<Submitted, SubmitError> {
        let request = JobRequest::parse(&body).map_err(SubmitError::Invalid)?;
        let sha256 = once.map(|_| digest(body));
        let faults = self.check(&tenant, &request).await?;
        if !faults.is_empty() {
            return Err(SubmitError::Invalid(faults));
        }
        self.check_catalog(&request)?;
        let job = Job::new(tenant, request, self.clock.now(), self.retention);
        let (Some(once), Some(sha256)) = (once, sha256) else {
            let job = self.admit(job).await?;
            return Ok(Submitted { job, replayed: false });
        };
        match self.reserve(&job, sha256, once).await? {
            Reserved::Ours => match self.admit(job.clone()).await {
                Ok(job) => Ok(Submitted { job, replayed: false }),
                // the job may be recorded all the same: whoever tries again gets that one, or makes it under its id
                Err(error @ SubmitError::Store(_)) => {
                    self.settle(&job, once).await;
                    Err(error)
                }
                Err(error) => {
                    self.free(&job, &once.key).await;
                    Err(error)
                }
            },
            Reserved::Theirs(job) => Ok(Submitted {
                job: *job,
                replayed: true,
            }),
            Reserved::Abandoned(id) => {
                let job = self.create_or_get(Job { id, ..job }).await?;
                Ok(Submitted { job, replayed: true })
            }
            Reserved::InFlight => Err(SubmitError::InFlight),
            Reserved::Other => Err(SubmitError::KeyReused),
        }
    }

    /// Notes that a submission with an idempotency key has been answered; its key stands for the answer from now on.
    pub async fn settle(&self, job: &Job, once: &Once) {
        if let Err(error) = self.keys.settle(&job.tenant, &once.key, job.id).await {
            tracing::warn!(job.id = %job.id, error = %causes(&error), "a key could not be settled; it will be in time");
        }
    }

    /// Accepts what an event asks for, which nobody waits to hear about: a request that is not valid is recorded as a
    /// job that failed. The same event delivered again, with the same `id`, changes nothing; its job is returned, as is
    /// the job of an event before with the same `idempotency_key`.
    ///
    /// # Errors
    /// The store is unavailable; deliver the event again.
    pub async fn accept(&self, tenant: Tenant, id: JobId, body: Result<Value, JsonError>) -> Result<Job, StoreError> {
        let now = self.clock.now();
        let (key, body) = take_key(body);
        let read = self.read(&tenant, &body).await?;
        let (request, key) = match (read, key) {
            (Ok(request), Ok(key)) => (request, key),
            (Ok(request), Err(error)) => return self.refuse(tenant, id, request, error, now).await,
            (Err((playbook, error)), _) => {
                let request = JobRequest {
                    source: Source::Playbook(playbook),
                    ..JobRequest::default()
                };
                return self.refuse(tenant, id, request, error, now).await;
            }
        };
        let job = Job::with_id(id, tenant, request, now, self.retention);
        let (Some(key), Ok(body)) = (key, body) else {
            return self.create_or_get(job).await;
        };
        let once = Once {
            key,
            wait: Duration::ZERO,
        };
        match self.reserve(&job, digest(body), &once).await? {
            Reserved::Ours => self.create_or_get(job).await,
            Reserved::Theirs(job) => Ok(*job),
            Reserved::Abandoned(id) => self.create_or_get(Job { id, ..job }).await,
            Reserved::InFlight => Err(StoreError::Unavailable(Box::new(SubmitError::InFlight))),
            Reserved::Other => {
                let error = format!("The {KEY_FIELD} {:?} stands for another request.", once.key.as_str());
                self.refuse(job.tenant, id, job.request, error, now).await
            }
        }
    }

    /// Finds out what a key stands for, with a new job if it is free.
    async fn reserve(&self, job: &Job, request_sha256: String, once: &Once) -> Result<Reserved, StoreError> {
        let now = self.clock.now();
        let ours = Reservation {
            job: job.id,
            request_sha256,
            at: now,
            wait: once.wait,
            answered: false,
        };
        let standing = self.keys.reserve(&job.tenant, &once.key, &ours).await?;
        if standing.request_sha256 != ours.request_sha256 {
            return Ok(Reserved::Other);
        }
        if standing.job == job.id {
            return Ok(Reserved::Ours);
        }
        match self.store.get(standing.job, now).await {
            Ok(_) if standing.is_in_flight(now) && !standing.wait.is_zero() => Ok(Reserved::InFlight),
            Ok(job) => Ok(Reserved::Theirs(Box::new(job))),
            Err(StoreError::NotFound) if standing.is_in_flight(now) => Ok(Reserved::InFlight),
            Err(StoreError::NotFound) => Ok(Reserved::Abandoned(standing.job)),
            Err(error) => Err(error),
        }
    }

    async fn free(&self, job: &Job, key: &IdempotencyKey) {
        if let Err(error) = self.keys.free(&job.tenant, key, job.id).await {
            tracing::warn!(error = %causes(&error), "an idempotency key could not be freed");
        }
    }

    /// Records and queues a job, unless too many wait.
    async fn admit(&self, job: Job) -> Result<Job, SubmitError> {
        if self.queue.is_longer_than(self.max_queued).await? {
            return Err(SubmitError::QueueFull(self.max_queued));
        }
        Ok(self.create_or_get(job).await?)
    }

    /// Records and queues a job whose id tells whether it is there already.
    async fn create_or_get(&self, job: Job) -> Result<Job, StoreError> {
        match self.store.create(&job).await {
            Ok(()) => Ok(dispatched(&*self.store, &*self.queue, job).await),
            Err(StoreError::Conflict) => self.store.get(job.id, self.clock.now()).await,
            Err(error) => Err(error),
        }
    }

    /// Records a job that was never to start.
    async fn refuse(
        &self,
        tenant: Tenant,
        id: JobId,
        request: JobRequest,
        error: String,
        now: Timestamp,
    ) -> Result<Job, StoreError> {
        tracing::warn!(job.id = %id, error, "a request is refused");
        let mut job = Job::with_id(id, tenant, request, now, self.retention);
        job.state.refuse(error, now);
        match self.store.create(&job).await {
            Ok(()) => Ok(job),
            Err(StoreError::Conflict) => self.store.get(id, now).await,
            Err(error) => Err(error),
        }
    }

    /// Records a job that the caller will run itself, or dispatch.
    ///
    /// # Errors
    /// [`SubmitError`] says why nothing was recorded.
    pub async fn record(&self, tenant: Tenant, request: JobRequest) -> Result<Job, SubmitError> {
        self.check_catalog(&request)?;
        let job = Job::new(tenant, request, self.clock.now(), self.retention);
        self.store.create(&job).await?;
        Ok(job)
    }

    fn check_catalog(&self, request: &JobRequest) -> Result<(), PlaybookError> {
        match (&self.catalog, request.source.bundled()) {
            (Some(catalog), Some(playbook)) => catalog.check(playbook),
            _ => Ok(()),
        }
    }

    /// Finds what of a request the policy does not allow, and credentials that are not there or are of another kind.
    async fn check(&self, tenant: &Tenant, request: &JobRequest) -> Result<Vec<FieldError>, StoreError> {
        let mut faults = Faults::default();
        self.policy.check(request, &mut faults);
        for named in request.credential_uses() {
            match self.credentials.describe(tenant, &named.name).await {
                Ok(found) if named.kinds.contains(&found.kind) => {}
                Ok(found) => {
                    let wanted: Vec<&str> = named.kinds.iter().map(|kind| kind.as_str()).collect();
                    let wanted = wanted.join(" or ");
                    faults.add(
                        named.pointer,
                        format!(
                            "is a credential of kind {}; here one of kind {wanted} is needed",
                            found.kind
                        ),
                    );
                }
                Err(StoreError::NotFound) => {
                    let how = "POST it to /api/v1/credentials first";
                    faults.add(
                        named.pointer,
                        format!("names no credential that there is ({:?}); {how}", named.name),
                    );
                }
                Err(error) => return Err(error),
            }
        }
        Ok(faults.into_inner())
    }

    /// Reads a request, or says what is wrong with it and, as far as that can be told, which playbook it names.
    async fn read(
        &self,
        tenant: &Tenant,
        body: &Result<Value, JsonError>,
    ) -> Result<Result<JobRequest, (String, String)>, StoreError> {
        let body = match body {
            Ok(body) => body,
            Err(error) => {
                let text = format!("The request is not JSON that can be taken: {}.", error.message);
                return Ok(Err((String::new(), text)));
            }
        };
        let faults = match JobRequest::parse(body) {
            Ok(request) => match self.check(tenant, &request).await? {
                faults if faults.is_empty() => return Ok(Ok(request)),
                faults => faults,
            },
            Err(faults) => faults,
        };
        let playbook = body.get("playbook").and_then(Value::as_str).unwrap_or_default();
        let playbook = playbook.chars().take(MAX_PLAYBOOK_CHARS).collect();
        Ok(Err((playbook, told(&faults))))
    }
}

/// What an idempotency key stands for.
enum Reserved {
    /// The new job.
    Ours,
    /// A job that was accepted before.
    Theirs(Box<Job>),
    /// A job that was to be recorded long ago, and was not.
    Abandoned(JobId),
    /// A submission that is not answered yet.
    InFlight,
    /// Another request.
    Other,
}

impl Reservation {
    /// Tells whether the first submission may still be in the making.
    fn is_in_flight(&self, now: Timestamp) -> bool {
        !self.answered && now < self.at + self.wait + IN_FLIGHT
    }
}

/// Hashes a request, whatever the order of its fields.
fn digest(mut body: Value) -> String {
    body.sort_all_objects();
    hex(&Sha256::digest(body.to_string()))
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
