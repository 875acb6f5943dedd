//! Leases: the claims of workers on jobs.

use serde::{Deserialize, Serialize};

use crate::base::id::LeaseToken;

/// A worker's claim on a job. It holds while it is renewed, so its watchers need no clock that agrees with the worker's.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Lease {
    /// Proves the claim.
    pub token: LeaseToken,
    /// How often it has been renewed.
    pub beat: u64,
}

impl Lease {
    /// Makes a unique claim.
    #[must_use]
    pub fn new() -> Self {
        Self {
            token: LeaseToken::new(),
            beat: 0,
        }
    }

    /// Returns the claim after its next renewal.
    #[must_use]
    pub fn renewed(self) -> Self {
        Self {
            beat: self.beat + 1,
            ..self
        }
    }
}

impl Default for Lease {
    fn default() -> Self {
        Self::new()
    }
}
