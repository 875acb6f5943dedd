//! Readiness on one machine: jobs and their output can be stored, and the Ansible host is running.

use std::sync::Arc;

use async_trait::async_trait;
use callboard_ansible::AnsibleRunner;
use callboard_api::{Health, HealthCheck};
use callboard_embedded::{Database, FileLogStore};
use tokio::sync::watch;

/// Checks the parts of `serve`.
pub(crate) struct StandaloneHealth {
    pub(crate) database: Database,
    pub(crate) logs: Arc<FileLogStore>,
    pub(crate) runner: Arc<AnsibleRunner>,
    pub(crate) draining: watch::Receiver<bool>,
}

#[async_trait]
impl Health for StandaloneHealth {
    async fn check(&self) -> Vec<HealthCheck> {
        let host = self.runner.warm_up().await;
        let check = |name, fault| HealthCheck { name, fault };
        vec![
            check("store", self.database.fault().await),
            check("output", self.logs.fault().await),
            check("ansible", host.err().map(|error| error.to_string())),
        ]
    }

    fn is_draining(&self) -> bool {
        *self.draining.borrow()
    }
}
