//! The circuit breakers of services.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use callboard_core::base::causes::causes;
use callboard_core::base::id::Tenant;
use callboard_core::base::time::{Clock, Timestamp};
use callboard_core::run::{Admission, Breaker, BreakerRule, BreakerStore};

/// How long a breaker that was seen closed counts as closed without another look.
const SEEN_FOR: Duration = Duration::from_secs(1);

/// Asks and tells the store of breakers, and remembers for a moment which are closed.
pub struct Breakers {
    store: Arc<dyn BreakerStore>,
    clock: Arc<dyn Clock>,
    closed: Mutex<HashMap<(Tenant, String), Duration>>,
}

impl Breakers {
    /// Uses a store.
    #[must_use]
    pub fn new(store: Arc<dyn BreakerStore>, clock: Arc<dyn Clock>) -> Self {
        Self {
            store,
            clock,
            closed: Mutex::default(),
        }
    }

    /// Returns until when a service is not called, if it is down. Where the store does not answer, it is called.
    pub(crate) async fn refusal(&self, tenant: &Tenant, service: &str, rule: BreakerRule) -> Option<Timestamp> {
        let key = (tenant.clone(), service.to_owned());
        let now = self.clock.elapsed();
        if self
            .closed()
            .get(&key)
            .is_some_and(|seen| now.saturating_sub(*seen) < SEEN_FOR)
        {
            return None;
        }
        match self.store.admit(tenant, service, rule, self.clock.now()).await {
            Ok(Admission::Closed) => {
                self.closed().insert(key, now);
                None
            }
            Ok(Admission::Trial) => None,
            Ok(Admission::Open(until)) => Some(until),
            Err(error) => {
                tracing::warn!(service, error = %causes(&error), "whether the service is down could not be looked up; it is called");
                None
            }
        }
    }

    /// Tells how a call has ended.
    pub(crate) async fn note(&self, tenant: &Tenant, service: &str, failed: bool, rule: BreakerRule) {
        let key = (tenant.clone(), service.to_owned());
        let known = self.closed().remove(&key);
        match self.store.note(tenant, service, failed, rule, self.clock.now()).await {
            Ok(breaker) if breaker == Breaker::default() => {
                self.closed().insert(key, known.unwrap_or(self.clock.elapsed()));
            }
            Ok(breaker) if breaker.open_until.is_some() => {
                tracing::warn!(
                    service,
                    breaker.failures,
                    "the service is down, and left alone for a while"
                );
            }
            Ok(_) => {}
            Err(error) => {
                tracing::warn!(service, error = %causes(&error), "how the call ended could not be noted");
            }
        }
    }

    fn closed(&self) -> std::sync::MutexGuard<'_, HashMap<(Tenant, String), Duration>> {
        self.closed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
