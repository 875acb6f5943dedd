//! The contract of runners, on the HTTP runner with a service that does what the suite asks of jobs.

use std::path::Path;
use std::sync::Arc;

use callboard_core::base::secret::Secret;
use callboard_core::credential::Credential;
use callboard_core::output::LogStore;
use callboard_embedded::FileLogStore;
use callboard_runner_http::HttpRunner;
use callboard_testkit::calls::{Calling, Keeper};
use http::StatusCode;
use tokio::net::TcpListener;

const SECRET: &str = "correct-horse-battery";

fn logs(folder: &Path) -> Arc<dyn LogStore> {
    Arc::new(FileLogStore::new(folder.to_owned()))
}

async fn make() -> anyhow::Result<(Calling, ())> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let registry = format!(
        "services:\n  - name: a\n    security_policy: {{network: private}}\n    runner_config: {{base_url: 'http://{address}', auth: {{type: bearer, credential: t}}}}\n    operations: [{{name: x}}]\n"
    );
    let token = Credential::Bearer {
        token: Secret::new(SECRET),
        hosts: Vec::new(),
    };
    let runner = Arc::new(HttpRunner::new(Arc::new(Keeper::of(token))));
    let failure = (StatusCode::NOT_FOUND, [("x-a", ""), ("x-b", "")], "no");
    Ok((Calling::new(listener, failure, runner, (registry, SECRET), logs), ()))
}

callboard_testkit::runner_contract!(make);
