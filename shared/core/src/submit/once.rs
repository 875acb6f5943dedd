//! Accepts a request once, however often it is sent under one idempotency key.

use std::time::Duration;

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::idempotency_store::{IdempotencyKey, IdempotencyStore, Reservation};
use crate::base::causes::causes;
use crate::base::hex::hex;
use crate::base::id::{JobId, Tenant};
use crate::base::store_error::StoreError;
use crate::base::time::Timestamp;
use crate::job::{Job, JobStore};

/// How long recording a job may take. After that, the next sender of the same key may record it.
const IN_FLIGHT: Duration = Duration::from_secs(60);

/// An idempotency key, and how long the answer to its submission takes after the job is recorded.
#[derive(Clone, Debug)]
pub struct Once {
    /// The key.
    pub key: IdempotencyKey,
    /// Zero if the answer does not wait for the job.
    pub wait: Duration,
}

/// What an idempotency key stands for.
pub(super) enum Reserved {
    /// The new job.
    Ours,
    /// A job that was accepted before.
    Theirs(Box<Job>),
    /// A job that should have been recorded long ago and was not.
    Abandoned(JobId),
    /// A submission that has not been answered yet.
    InFlight,
    /// Another request.
    Other,
}

impl Reservation {
    /// Returns whether the first submission may still be in progress.
    fn is_in_flight(&self, now: Timestamp) -> bool {
        !self.answered && now < self.at + self.wait + IN_FLIGHT
    }
}

/// The idempotency keys, and the jobs that they stand for.
#[derive(Clone, Copy)]
pub(super) struct Ledger<'a> {
    pub(super) keys: &'a dyn IdempotencyStore,
    pub(super) store: &'a dyn JobStore,
    pub(super) tenant: &'a Tenant,
    pub(super) key: &'a IdempotencyKey,
}

impl Ledger<'_> {
    /// Finds out what the key stands for; reserves it for a new job if it is free.
    pub(super) async fn reserve(
        &self,
        job: JobId,
        request_sha256: String,
        wait: Duration,
        now: Timestamp,
    ) -> Result<Reserved, StoreError> {
        let ours = Reservation {
            job,
            request_sha256,
            at: now,
            wait,
            answered: false,
        };
        let standing = self.keys.reserve(self.tenant, self.key, &ours).await?;
        if standing.request_sha256 != ours.request_sha256 {
            return Ok(Reserved::Other);
        }
        if standing.job == job {
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

    /// Frees the key of a job that will not be made.
    pub(super) async fn free(&self, job: JobId) {
        if let Err(error) = self.keys.free(self.tenant, self.key, job).await {
            tracing::warn!(error = %causes(&error), "an idempotency key could not be freed");
        }
    }

    /// Records that a submission has been answered; its key stands for the answer from now on.
    pub(super) async fn settle(&self, job: JobId) {
        if let Err(error) = self.keys.settle(self.tenant, self.key, job).await {
            tracing::warn!(job.id = %job, error = %causes(&error), "an idempotency key could not be settled; it counts as settled after a while");
        }
    }
}

/// Hashes a request, regardless of the order of its fields.
pub(super) fn digest(body: &Value) -> String {
    let mut sorted = body.clone();
    sorted.sort_all_objects();
    hex(&Sha256::digest(sorted.to_string()))
}
