//! The readiness check of a function: the table answers.

use std::sync::Arc;

use callboard_api::{Health, HealthCheck};
use callboard_core::base::id::JobId;
use callboard_core::base::store_error::StoreError;
use callboard_core::base::time::Clock;
use callboard_core::job::JobStore;

/// Checks the store. It does not check workers: Lambda starts them when there is a job.
pub(crate) struct StoreHealth {
    pub(crate) store: Arc<dyn JobStore>,
    pub(crate) clock: Arc<dyn Clock>,
}

#[async_trait::async_trait]
impl Health for StoreHealth {
    async fn check(&self) -> Vec<HealthCheck> {
        let fault = match self.store.get(JobId::new(), self.clock.now()).await {
            Ok(_) | Err(StoreError::NotFound) => None,
            Err(error) => Some(error.to_string()),
        };
        vec![HealthCheck { name: "store", fault }]
    }

    fn is_draining(&self) -> bool {
        false
    }
}
