//! The run of a job that calls a service.

use std::path::Path;
use std::sync::Arc;

use callboard_core::base::secret::Secret;
use callboard_core::credential::Credential;
use callboard_core::output::LogStore;
use callboard_embedded::FileLogStore;
use callboard_runner_http::HttpRunner;
use callboard_testkit::calls::{Keeper, Run, job, run};
use serde_json::Value;

pub(crate) const TOKEN: &str = "s3cr3t-t0k3n-of-the-service";
pub(crate) const PRIVATE: &str = "security_policy: {network: private}";

/// Makes the store of a job's output.
pub(crate) fn logs(folder: &Path) -> Arc<dyn LogStore> {
    Arc::new(FileLogStore::new(folder.join("logs")))
}

/// Calls a service at an address with a token that is for this address alone.
pub(crate) async fn call(
    address: &str,
    service: &str,
    operation: &str,
    input: Value,
    stop: impl Future<Output = anyhow::Result<()>>,
) -> anyhow::Result<Run> {
    let config = format!("base_url: 'http://{address}/v1', auth: {{type: bearer, credential: t}}");
    let runner = HttpRunner::new(Arc::new(Keeper::of(bearer(address))));
    run(
        &runner,
        job(&registry(service, &config, operation), &input)?,
        logs,
        stop,
    )
    .await
}

pub(crate) fn bearer(host: &str) -> Credential {
    Credential::Bearer {
        token: Secret::new(TOKEN),
        hosts: vec![host.to_owned()],
    }
}

/// Returns a registry of one service with one operation.
pub(crate) fn registry(service: &str, config: &str, operation: &str) -> String {
    format!(
        "services:\n  - name: a\n    {service}\n    runner_config: {{{config}}}\n    operations: [{{name: x, {operation}}}]\n"
    )
}
