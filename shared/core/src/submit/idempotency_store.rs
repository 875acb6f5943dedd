//! Idempotency keys: one submission, however often it is sent.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::access::Caller;
use crate::base::hex::hex;
use crate::base::id::{JobId, Tenant};
use crate::base::store_error::StoreError;
use crate::base::time::Timestamp;

/// How long a key stands for the first request that was sent with it.
pub const KEY_LIFE: Duration = Duration::from_secs(24 * 3600);
const MAX_CHARS: usize = 255;

/// The name that a client gives to a submission: 1 to 255 visible ASCII characters.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct IdempotencyKey(String);

/// The error for a text that is not a key.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("must have 1 to {MAX_CHARS} visible ASCII characters, such as a UUID")]
pub struct NotAKey;

impl IdempotencyKey {
    /// Returns the key as the store has it: what callers of a tenant send is apart, unless they may do everything with its jobs.
    #[must_use]
    pub(super) fn of(&self, caller: &Caller) -> Self {
        if caller.scopes.are_admin() {
            return self.clone();
        }
        let digest = Sha256::digest(caller.subject.as_bytes());
        Self(format!("{}#{}", hex(&digest[..16]), self.0))
    }

    /// Returns the key's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for IdempotencyKey {
    type Err = NotAKey;

    fn from_str(text: &str) -> Result<Self, NotAKey> {
        let visible = text.bytes().all(|byte| byte.is_ascii_graphic());
        if visible && (1..=MAX_CHARS).contains(&text.len()) {
            Ok(Self(text.to_owned()))
        } else {
            Err(NotAKey)
        }
    }
}

impl fmt::Display for IdempotencyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What a key stands for.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Reservation {
    /// The id that the job has, or will have.
    pub job: JobId,
    /// SHA-256 of the request, in hex.
    pub request_sha256: String,
    /// When the key was first used.
    pub at: Timestamp,
    /// How long the answer may take after the job is recorded.
    pub wait: Duration,
    /// Whether the first answer has been given.
    pub answered: bool,
}

impl Reservation {
    /// Returns whether the key is free again.
    #[must_use]
    pub fn is_over(&self, now: Timestamp) -> bool {
        self.at + KEY_LIFE <= now
    }
}

/// Stores keys and what they stand for, per tenant.
#[async_trait]
pub trait IdempotencyStore: Send + Sync {
    /// Reserves a key, unless it has a reservation that is not over at the time of the new one. Returns what the key stands for
    /// from now on.
    async fn reserve(
        &self,
        tenant: &Tenant,
        key: &IdempotencyKey,
        reservation: &Reservation,
    ) -> Result<Reservation, StoreError>;

    /// Records that the first answer has been given, if the key still stands for the job.
    async fn settle(&self, tenant: &Tenant, key: &IdempotencyKey, job: JobId) -> Result<(), StoreError>;

    /// Frees the key, if it still stands for the job.
    async fn free(&self, tenant: &Tenant, key: &IdempotencyKey, job: JobId) -> Result<(), StoreError>;
}
