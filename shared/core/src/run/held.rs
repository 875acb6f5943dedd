//! The leases that workers of a process hold.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use crate::base::id::LeaseToken;

/// The leases that workers of this process hold. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Held(Arc<Mutex<HashSet<LeaseToken>>>);

impl Held {
    /// Returns whether a worker of this process holds the lease.
    #[must_use]
    pub fn has(&self, token: LeaseToken) -> bool {
        self.with(|held| held.contains(&token))
    }

    pub(super) fn hold(&self, token: LeaseToken) -> Holding {
        self.with(|held| held.insert(token));
        Holding(self.clone(), token)
    }

    fn with<T>(&self, change: impl FnOnce(&mut HashSet<LeaseToken>) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Holds a lease until it is dropped, including by a panic.
pub(super) struct Holding(Held, LeaseToken);

impl Drop for Holding {
    fn drop(&mut self) {
        self.0.with(|held| held.remove(&self.1));
    }
}
