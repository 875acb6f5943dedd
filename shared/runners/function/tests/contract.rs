//! The contract of runners, on the function runner with a service that stands for AWS Lambda: what the suite asks of jobs, AWS's
//! emulator cannot do for two jobs at once.

use std::path::Path;
use std::sync::Arc;

use callboard_core::base::secret::Secret;
use callboard_core::credential::AwsKeys;
use callboard_core::output::LogStore;
use callboard_embedded::FileLogStore;
use callboard_identity::Endpoints;
use callboard_runner_function::{FunctionRunner, Settings};
use callboard_testkit::calls::{Calling, Keeper};
use http::StatusCode;
use tokio::net::TcpListener;

const SECRET: &str = "correct-horse-battery";

fn logs(folder: &Path) -> Arc<dyn LogStore> {
    Arc::new(FileLogStore::new(folder.to_owned()))
}

async fn make() -> anyhow::Result<(Calling, ())> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?.to_string();
    let registry = "services:\n  - name: a\n    execution_type: function\n    security_policy: {network: private}\n    runner_config: {function: f}\n    operations: [{name: x}]\n";
    let keeper = Keeper {
        own: Some(AwsKeys {
            access_key_id: "AKIAOFTHEWORKER".to_owned(),
            secret_access_key: Secret::new(SECRET),
            session_token: None,
            region: Some("eu-west-1".to_owned()),
        }),
        ..Keeper::default()
    };
    let settings = Settings {
        endpoints: Endpoints::at(format!("http://{address}")),
        metadata_host: address,
    };
    let runner = Arc::new(FunctionRunner::new(Arc::new(keeper), settings)?);
    let failure = (
        StatusCode::OK,
        [
            ("x-amz-function-error", "Handled"),
            ("content-type", "application/json"),
        ],
        r#"{"errorType": "E", "errorMessage": "it was to fail"}"#,
    );
    let registry = (registry.to_owned(), SECRET);
    Ok((Calling::new(listener, failure, runner, registry, logs), ()))
}

callboard_testkit::runner_contract!(make);
