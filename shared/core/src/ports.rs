//! What the domain needs of the outside world. Every adapter passes the contract suite of its port.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::access::CloudRef;
use crate::credential::{Credential, CredentialKind, CredentialSummary};
use crate::history::{HistoryPage, HistoryQuery};
use crate::id::{JobId, LeaseToken, Tenant};
use crate::job::{CancelRequest, Job, Lease};
use crate::outcome::Outcome;
use crate::progress::Progress;
use crate::reference::CredentialRef;
use crate::secret::Secret;
use crate::time::Timestamp;

/// What lies under an error of an adapter.
pub type Source = Box<dyn std::error::Error + Send + Sync>;

/// What can go wrong with a store or a queue.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// There is no such thing, or no longer.
    #[error("not found")]
    NotFound,
    /// The state does not allow it, or somebody else was faster.
    #[error("conflict with the present state")]
    Conflict,
    /// The store could not be asked; trying again may help.
    #[error("the store is unavailable")]
    Unavailable(#[source] Source),
    /// The store does not take such a call: a permission, a name or a setting is wrong. Trying again does not help.
    #[error("the store rejects the call")]
    Rejected(#[source] Source),
    /// The store holds something that cannot be read.
    #[error("the store holds something unreadable")]
    Corrupt(#[source] Source),
}

impl StoreError {
    /// Tells whether the same call may succeed later.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }
}

/// Keeps the records of jobs. Every write after a claim is conditional on the lease token.
#[async_trait]
pub trait JobStore: Send + Sync {
    /// Adds a job, pending or refused; `Conflict` if the id is taken.
    async fn create(&self, job: &Job) -> Result<(), StoreError>;

    /// Returns a job; an expired one is `NotFound`.
    async fn get(&self, id: JobId, now: Timestamp) -> Result<Job, StoreError>;

    /// Returns one page of a tenant's jobs, newest first.
    async fn list(&self, query: &HistoryQuery, now: Timestamp) -> Result<HistoryPage, StoreError>;

    /// Notes that the queue has the job's id.
    async fn mark_dispatched(&self, id: JobId) -> Result<(), StoreError>;

    /// Starts an attempt and returns the job as claimed; `Conflict` unless it is pending, `NotFound` if it has expired. A
    /// claim that fails leaves the job as it was.
    async fn claim(&self, id: JobId, lease: Lease, now: Timestamp) -> Result<Job, StoreError>;

    /// Extends a lease and records progress; answers whether a cancel was asked for. `Conflict` if the lease is lost.
    async fn renew(
        &self,
        id: JobId,
        lease: Lease,
        progress: Option<Progress>,
    ) -> Result<Option<CancelRequest>, StoreError>;

    /// Takes a running job from a worker whose lease has run out, so that its end can be written; `Conflict` if the
    /// lease is not `expired` any more.
    async fn seize(&self, id: JobId, expired: Lease, lease: Lease) -> Result<(), StoreError>;

    /// Writes the final state, once; `Conflict` if the lease is lost.
    async fn finish(&self, id: JobId, token: LeaseToken, outcome: Outcome, now: Timestamp) -> Result<(), StoreError>;

    /// Makes a running job pending and undispatched again, or canceled if that was asked for; `Conflict` if the lease
    /// is lost.
    async fn release(&self, id: JobId, token: LeaseToken) -> Result<(), StoreError>;

    /// Ends a pending job, or marks a running one; returns the job after it. `Conflict` if it has ended.
    async fn request_cancel(&self, id: JobId, cancel: CancelRequest) -> Result<Job, StoreError>;

    /// Returns up to `limit` running jobs whose lease has ended before `now`.
    async fn expired_leases(&self, now: Timestamp, limit: u32) -> Result<Vec<Job>, StoreError>;

    /// Returns up to `limit` pending jobs created before `before` that the queue was not given.
    async fn undispatched(&self, before: Timestamp, limit: u32) -> Result<Vec<JobId>, StoreError>;
}

/// Carries job ids to workers, each at least once. Receiving is the adapter's own matter.
#[async_trait]
pub trait JobQueue: Send + Sync {
    /// Sends an id, to be received after `delay` at the earliest.
    async fn send(&self, id: JobId, delay: Duration) -> Result<(), StoreError>;
}

/// One of the byte streams that an attempt leaves.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Stream {
    /// What Ansible printed, byte for byte, with its ANSI sequences.
    Stdout,
    /// The events, one JSON object a line, ordered by counter.
    Events,
    /// Where each event ends in `Events`: 8 bytes each, little-endian.
    EventIndex,
}

impl Stream {
    /// Every stream.
    pub const ALL: [Self; 3] = [Self::Stdout, Self::Events, Self::EventIndex];
}

/// Names one stream of one attempt.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct LogKey {
    /// The job.
    pub job: JobId,
    /// Its attempt, from 1.
    pub attempt: u32,
    /// The stream.
    pub stream: Stream,
}

/// What a stream grows by.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Chunk {
    /// The stream.
    pub stream: Stream,
    /// Where the bytes belong in it.
    pub offset: u64,
    /// The bytes.
    pub bytes: Bytes,
}

/// The end of a stream.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Tail {
    /// Its last bytes.
    pub bytes: Bytes,
    /// How many bytes the stream has in all.
    pub size: u64,
}

/// What a finished attempt left, so that a reader can tell whether it has all of it.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Manifest {
    /// Bytes of `Stdout`.
    pub stdout_bytes: u64,
    /// SHA-256 of `Stdout`, in hex.
    pub stdout_sha256: String,
    /// Bytes of `Events`.
    pub events_bytes: u64,
    /// SHA-256 of `Events`, in hex.
    pub events_sha256: String,
    /// Number of events.
    pub events: u64,
    /// Whether everything that the job printed is there.
    pub complete: bool,
}

/// Keeps what jobs print. A stream grows at its end only, and can be read while it grows.
#[async_trait]
pub trait LogStore: Send + Sync {
    /// Writes chunks, at most one a stream, each at an offset that is its stream's present size; nobody sees one of
    /// them without those before it. Writing the same again changes nothing. `Conflict`, and nothing is written, if
    /// one of them would leave a gap.
    async fn append(&self, job: JobId, attempt: u32, chunks: &[Chunk]) -> Result<(), StoreError>;

    /// Reads what the stream has of a range; what lies beyond its end is left out.
    async fn read(&self, key: LogKey, range: Range<u64>) -> Result<Bytes, StoreError>;

    /// Returns the present size of a stream in bytes; 0 if nothing was written.
    async fn size(&self, key: LogKey) -> Result<u64, StoreError>;

    /// Reads the end of what a stream has: at most `max_bytes`.
    async fn tail(&self, key: LogKey, max_bytes: u64) -> Result<Tail, StoreError> {
        let size = self.size(key).await?;
        let bytes = self.read(key, size.saturating_sub(max_bytes)..size).await?;
        Ok(Tail { bytes, size })
    }

    /// Returns a URL that anybody may read a stream from for a while, where the store has one and the stream is so
    /// large that it is better read from there.
    async fn presign(&self, _key: LogKey, _valid_for: Duration) -> Result<Option<String>, StoreError> {
        Ok(None)
    }

    /// Ends an attempt's streams.
    async fn seal(&self, job: JobId, attempt: u32, manifest: &Manifest) -> Result<(), StoreError>;

    /// Returns the manifest of a sealed attempt.
    async fn manifest(&self, job: JobId, attempt: u32) -> Result<Option<Manifest>, StoreError>;

    /// Forgets everything of a job.
    async fn remove(&self, job: JobId) -> Result<(), StoreError>;
}

/// Keeps credentials. Their values leave it only through [`CredentialStore::get`], which only workers call.
#[async_trait]
pub trait CredentialStore: Send + Sync {
    /// Adds a credential; `Conflict` if the tenant has one of that name.
    async fn create(
        &self,
        tenant: &Tenant,
        name: &str,
        credential: &Credential,
        now: Timestamp,
    ) -> Result<CredentialSummary, StoreError>;

    /// Replaces the value of a credential; `NotFound` if there is none, `Conflict` if it is of another kind.
    async fn rotate(
        &self,
        tenant: &Tenant,
        name: &str,
        credential: &Credential,
        now: Timestamp,
    ) -> Result<CredentialSummary, StoreError>;

    /// Returns what a credential holds; `NotFound` if there is none.
    async fn get(&self, tenant: &Tenant, name: &str) -> Result<Credential, StoreError>;

    /// Returns what may be shown of a credential; `NotFound` if there is none.
    async fn describe(&self, tenant: &Tenant, name: &str) -> Result<CredentialSummary, StoreError>;

    /// Returns what may be shown of every credential of a tenant, by name.
    async fn list(&self, tenant: &Tenant) -> Result<Vec<CredentialSummary>, StoreError>;

    /// Forgets a credential; `NotFound` if there is none.
    async fn remove(&self, tenant: &Tenant, name: &str) -> Result<(), StoreError>;
}

/// Why a credential cannot be had, in words for the person who asks why; never the secret.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct SecretError {
    /// Which credential, and what is wrong with it.
    pub message: String,
    /// What lies under it, for the log.
    #[source]
    pub source: Option<Source>,
}

impl SecretError {
    /// Makes an error without a cause.
    #[must_use]
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            source: None,
        }
    }

    /// Makes an error with its cause.
    #[must_use]
    pub fn caused(message: impl Into<String>, source: impl Into<Source>) -> Self {
        Self {
            message: message.into(),
            source: Some(source.into()),
        }
    }
}

/// Gets at secrets for a job that a worker is about to run, wherever they are kept.
#[async_trait]
pub trait Secrets: Send + Sync {
    /// Returns a credential that a request names, of the kind that its place needs.
    async fn resolve(
        &self,
        tenant: &Tenant,
        reference: &CredentialRef,
        kinds: &[CredentialKind],
    ) -> Result<Credential, SecretError>;

    /// Returns keys for a cloud: those of a credential, or temporary ones of the role that is to be assumed. `session` names
    /// the session in the cloud's own records.
    async fn cloud(&self, tenant: &Tenant, cloud: &CloudRef, session: &str) -> Result<AwsKeys, SecretError>;
}

/// Keys for AWS, as they go into a profile.
#[derive(Clone, Debug)]
pub struct AwsKeys {
    /// The id of the access key.
    pub access_key_id: String,
    /// The access key.
    pub secret_access_key: Secret,
    /// The token of temporary keys.
    pub session_token: Option<Secret>,
    /// The default region.
    pub region: Option<String>,
}

/// An archive that a cache has.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Archive {
    /// The file; it is not to be changed.
    pub path: PathBuf,
    /// When it was put there.
    pub made_at: Timestamp,
}

/// Keeps what sources and their requirements came to, so that a second job need not fetch them again. Keys are paths of
/// letters, digits, `-`, `.` and `/`. What is put under one key is whole for every reader, whoever puts it at the same time.
#[async_trait]
pub trait ArchiveCache: Send + Sync {
    /// Returns an archive, if there is one; a cache that is elsewhere writes it into `folder`.
    async fn get(&self, key: &str, folder: &Path) -> Result<Option<Archive>, StoreError>;

    /// Keeps a file, in place of one that the key had.
    async fn put(&self, key: &str, file: &Path) -> Result<(), StoreError>;
}

/// Why a playbook cannot be run.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum PlaybookError {
    /// There is none of that name.
    #[error("there is no playbook {0:?} in the playbooks folder")]
    NotFound(String),
    /// The name leads out of the folder, or to something that is no file.
    #[error("{0:?} is no file inside the playbooks folder")]
    Outside(String),
}

/// Knows which playbooks there are, where that can be known before a job runs.
pub trait PlaybookCatalog: Send + Sync {
    /// Checks that a playbook is there.
    ///
    /// # Errors
    /// [`PlaybookError`] says why it cannot be run.
    fn check(&self, playbook: &str) -> Result<(), PlaybookError>;
}

/// Executes jobs of one type.
#[async_trait]
pub trait Runner: Send + Sync {
    /// Runs a claimed job to its end, or until `stop` says so, and leaves nothing of it alive.
    ///
    /// The outcome of a job that was stopped is what it would have been otherwise; `stopped` tells the difference.
    async fn run(&self, job: &Job, output: &crate::output::Output, stop: crate::execute::Stop) -> Ended;
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Ended {
    /// What came of it, read without regard to `stop`.
    pub outcome: Outcome,
    /// True when the runner had begun to stop the job before it ended.
    pub stopped: bool,
}
