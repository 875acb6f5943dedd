//! The run of a job that calls a function.

use std::path::Path;
use std::sync::Arc;

use callboard_core::base::secret::Secret;
use callboard_core::credential::{AwsKeys, Credential};
use callboard_core::output::LogStore;
use callboard_embedded::FileLogStore;
use callboard_identity::Endpoints;
use callboard_runner_function::{FunctionRunner, Settings};
use callboard_testkit::calls::{Keeper, Run, job, run};
use serde_json::Value;

pub(crate) const KEY: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
pub(crate) const SESSION: &str = "a-session-token";

/// Makes the store of a job's output.
pub(crate) fn logs(folder: &Path) -> Arc<dyn LogStore> {
    Arc::new(FileLogStore::new(folder.join("logs")))
}

/// Makes the runner of a worker that has an identity in AWS; both clouds are at `address`.
pub(crate) fn runner(address: &str, credential: Option<Credential>) -> anyhow::Result<FunctionRunner> {
    let keeper = Keeper {
        credential,
        own: Some(AwsKeys {
            access_key_id: "ASIAOFTHEWORKER".to_owned(),
            secret_access_key: Secret::new(KEY),
            session_token: Some(Secret::new(SESSION)),
            region: Some("eu-west-1".to_owned()),
        }),
        cloud: None,
    };
    let settings = Settings {
        endpoints: Endpoints::at(format!("http://{address}")),
        metadata_host: address.to_owned(),
    };
    Ok(FunctionRunner::new(Arc::new(keeper), settings)?)
}

/// Calls a function with a runner.
pub(crate) async fn call(
    runner: &FunctionRunner,
    config: &str,
    operation: &str,
    input: &Value,
    stop: impl Future<Output = anyhow::Result<()>>,
) -> anyhow::Result<Run> {
    let registry = format!(
        "services:\n  - name: a\n    execution_type: function\n    security_policy: {{network: private}}\n    runner_config: {{{config}}}\n    operations: [{{name: x, {operation}}}]\n"
    );
    run(runner, job(&registry, input)?, logs, stop).await
}
