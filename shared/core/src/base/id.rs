//! Identifiers as newtypes, so that one cannot be passed in place of another.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;
use uuid::fmt::Hyphenated;

use crate::base::time::Timestamp;

/// A job's identifier: a UUIDv7, so that ids sort by submission time.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(transparent)]
pub struct JobId(Uuid);

impl JobId {
    /// How old an event may be whose time its job's id begins with. No AWS queue keeps an event longer.
    pub const MAX_EVENT_AGE: Duration = Duration::from_secs(14 * 24 * 3600);
    /// How far ahead of the clock the time of such an event may be.
    pub const MAX_EVENT_AHEAD: Duration = Duration::from_secs(3600);

    /// Makes a new id from the current time and randomness.
    #[must_use]
    pub fn new() -> Self {
        Self(Uuid::now_v7())
    }

    /// Makes the id for an event that `key` names and that happened at `at`. Every delivery of the same event gets the same id, so
    /// that the store accepts the job only once.
    #[must_use]
    pub fn of_event(at: Timestamp, key: &str) -> Self {
        let digest = Sha256::digest(key.as_bytes());
        let mut random = [0; 10];
        random.copy_from_slice(&digest[..10]);
        let millis = u64::try_from(at.as_millis()).unwrap_or(0);
        Self(uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid())
    }

    /// Returns the smallest id that begins with an instant: all ids of earlier instants are less.
    #[must_use]
    pub fn first_of(at: Timestamp) -> Self {
        let millis = u64::try_from(at.as_millis()).unwrap_or(0);
        Self(uuid::Builder::from_unix_timestamp_millis(millis, &[0; 10]).into_uuid())
    }

    /// Returns a fraction from 0 to 1 that differs from job to job, to spread out what many jobs do.
    #[must_use]
    pub fn spread(&self) -> f64 {
        f64::from(self.as_bytes()[15]) / 256.0
    }

    /// Returns the instant that the id begins with.
    #[must_use]
    pub fn time(&self) -> Timestamp {
        let mut millis = [0; 8];
        millis[2..].copy_from_slice(&self.as_bytes()[..6]);
        Timestamp::from_millis(i64::try_from(u64::from_be_bytes(millis)).unwrap_or(i64::MAX))
    }

    /// Returns the id's 16 bytes, big-endian; they sort like the ids.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }

    /// Restores an id from its 16 bytes.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Uuid::from_bytes(bytes))
    }
}

impl Default for JobId {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for JobId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // only one spelling is valid: with hyphens and without braces
        text.parse::<Hyphenated>().map(|id| Self(id.into_uuid()))
    }
}

/// The owner of jobs, credentials and keys. There is one tenant, `default`, until a key or the policy names others.
#[derive(Clone, Debug, Eq, Hash, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Tenant(String);

impl Tenant {
    /// Returns the tenant's name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for Tenant {
    fn default() -> Self {
        Self("default".to_owned())
    }
}

impl From<String> for Tenant {
    fn from(name: String) -> Self {
        Self(name)
    }
}

/// A text that is no name of a tenant.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("must have small letters, digits and hyphens, at most 63, and begin with a letter or a digit")]
pub struct NotATenant;

impl FromStr for Tenant {
    type Err = NotATenant;

    fn from_str(text: &str) -> Result<Self, NotATenant> {
        let is_of_names = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let fits = (1..=63).contains(&text.len()) && text.bytes().all(is_of_names) && !text.starts_with('-');
        fits.then(|| Self(text.to_owned())).ok_or(NotATenant)
    }
}

/// Proof of a claim: every write by a worker is conditional on the token of the lease it holds.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LeaseToken(Uuid);

impl LeaseToken {
    /// Makes a unique token.
    #[must_use]
    pub fn new() -> Self {
        Self(Uuid::new_v4())
    }
}

impl Default for LeaseToken {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Display for LeaseToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for LeaseToken {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Uuid::try_parse(text).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_of_an_event_tells_its_time_and_is_the_same_each_time() {
        let at = Timestamp::from_millis(1_763_672_400_123);
        let id = JobId::of_event(at, "a rule");
        assert_eq!((id, id.time()), (JobId::of_event(at, "a rule"), at));
        assert_ne!(id, JobId::of_event(at, "another"));
        assert_ne!(id, JobId::of_event(at + Duration::from_secs(60), "a rule"));
        assert_eq!(Uuid::from_bytes(*id.as_bytes()).get_version_num(), 7);
    }
}
