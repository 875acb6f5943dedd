//! Circuit breakers: whatever has failed many times in a row is left alone for a while, by all workers.

use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::base::id::Tenant;
use crate::base::store_error::StoreError;
use crate::base::time::Timestamp;

/// How long after a breaker has opened further failures do not count.
const AT_ONCE: Duration = Duration::from_secs(1);

/// When a breaker opens, and for how long.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct BreakerRule {
    /// After how many failures in a row it opens.
    pub failure_threshold: u32,
    /// How long it stays open; then one call is let through.
    pub reset_timeout: Duration,
}

/// The state of a breaker. Calls are let through unless it is open.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Breaker {
    /// How many calls have failed in a row.
    pub failures: u32,
    /// Until when no call is let through, since the last failure or since a call was let through to try.
    pub open_until: Option<Timestamp>,
}

/// Whether a call is let through.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Admission {
    /// The call is let through.
    Closed,
    /// This call alone is let through, to try.
    Trial,
    /// The call is not let through before this time.
    Open(Timestamp),
}

impl Breaker {
    /// Decides about a call. After a trial, others wait for its end, or for as long again.
    pub fn admit(&mut self, rule: BreakerRule, now: Timestamp) -> Admission {
        match self.open_until {
            None => Admission::Closed,
            Some(until) if now < until => Admission::Open(until),
            Some(_) => {
                self.open_until = Some(now + rule.reset_timeout);
                Admission::Trial
            }
        }
    }

    /// Notes how a call has ended. Success closes the breaker, however it stood.
    pub fn note(&mut self, failed: bool, rule: BreakerRule, now: Timestamp) {
        if !failed {
            *self = Self::default();
            return;
        }
        let until = now + rule.reset_timeout;
        // of calls that fail at the same time, one opens it
        if self.open_until.is_some_and(|open| open + AT_ONCE > until) {
            return;
        }
        self.failures = self.failures.saturating_add(1);
        if self.failures >= rule.failure_threshold {
            self.open_until = Some(until);
        }
    }
}

/// Keeps breakers by name. Each method changes a breaker in one step, whoever else does.
#[async_trait]
pub trait BreakerStore: Send + Sync {
    /// Decides about a call; a breaker that does not exist is closed.
    async fn admit(
        &self,
        tenant: &Tenant,
        name: &str,
        rule: BreakerRule,
        now: Timestamp,
    ) -> Result<Admission, StoreError>;

    /// Notes how a call has ended; returns the breaker as it stands then.
    async fn note(
        &self,
        tenant: &Tenant,
        name: &str,
        failed: bool,
        rule: BreakerRule,
        now: Timestamp,
    ) -> Result<Breaker, StoreError>;
}
