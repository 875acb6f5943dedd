//! What readiness means on one machine: the store answers and the Ansible host runs.

use std::sync::Arc;

use async_trait::async_trait;
use callboard_ansible::AnsibleRunner;
use callboard_api::{Health, HealthCheck};
use callboard_core::history::HistoryQuery;
use callboard_core::id::Tenant;
use callboard_core::ports::JobStore;
use callboard_core::time::Clock;
use tokio::sync::watch;

/// Checks the parts of `serve`.
pub(crate) struct StandaloneHealth {
    pub(crate) store: Arc<dyn JobStore>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) runner: Arc<AnsibleRunner>,
    pub(crate) draining: watch::Receiver<bool>,
}

#[async_trait]
impl Health for StandaloneHealth {
    async fn check(&self) -> Vec<HealthCheck> {
        let query = HistoryQuery {
            tenant: Tenant::default(),
            status: None,
            dead_letter: false,
            limit: 1,
            offset: 0,
            before: None,
        };
        let store = self.store.list(&query, self.clock.now()).await;
        let host = self.runner.warm_up().await;
        vec![
            HealthCheck {
                name: "store",
                fault: store.err().map(|error| error.to_string()),
            },
            HealthCheck {
                name: "ansible",
                fault: host.err().map(|error| error.to_string()),
            },
        ]
    }

    fn is_draining(&self) -> bool {
        *self.draining.borrow()
    }
}
