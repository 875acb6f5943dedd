//! A real engine, and the run of a job in it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use bollard::Docker;
use bollard::models::ContainerSummary;
use bollard::query_parameters::ListContainersOptionsBuilder;
use callboard_core::base::secret::Secret;
use callboard_core::credential::Credential;
use callboard_core::output::LogStore;
use callboard_core::request::JobRequest;
use callboard_embedded::FileLogStore;
use callboard_runner_container::ContainerRunner;
use callboard_testkit::calls::{Keeper, Run, job, never, run};
use serde_json::{Value, json};

pub(crate) const TOKEN: &str = "s3cr3t-t0k3n-of-the-service";
pub(crate) const IMAGE: &str = "callboard-test/tool:1";
pub(crate) const IMAGE_WITH_VOLUME: &str = "callboard-test/tool:volume";
const GRACE: Duration = Duration::from_secs(2);

/// Returns the address of the engine that the tests use.
pub(crate) fn address() -> anyhow::Result<String> {
    let told = "CALLBOARD_TEST_DOCKER names no engine; `python3 tests/emulators.py run -- COMMAND` finds or starts one";
    std::env::var("CALLBOARD_TEST_DOCKER").context(told)
}

/// A runner with a name of its own at an engine.
pub(crate) struct World {
    pub(crate) runner: Arc<ContainerRunner>,
    pub(crate) instance: String,
    pub(crate) docker: Docker,
}

impl World {
    pub(crate) async fn new() -> anyhow::Result<Self> {
        Self::at(&address()?).await
    }

    /// Makes a runner for the engine at an address; the tests themselves ask the real one.
    pub(crate) async fn at(engine: &str) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let name = folder.path().file_name().context("a name")?;
        let instance = name.to_string_lossy().into_owned();
        let keeper = Keeper::of(Credential::Bearer {
            token: Secret::new(TOKEN),
            hosts: Vec::new(),
        });
        let runner = ContainerRunner::new(Arc::new(keeper), Some(engine.to_owned()), instance.clone(), GRACE);
        let docker = Docker::connect_with_host(&address()?)?;
        Ok(Self {
            runner: Arc::new(runner),
            instance,
            docker: docker.negotiate_version().await?,
        })
    }

    /// Runs an operation to its end.
    pub(crate) async fn call(&self, service: &str, operation: &str, input: Value) -> anyhow::Result<Run> {
        self.run(request(service, operation, &input)?, never()).await
    }

    /// Runs a job until it has ended; it is told to stop once `stop` says so.
    pub(crate) async fn run(
        &self,
        request: JobRequest,
        stop: impl Future<Output = anyhow::Result<()>>,
    ) -> anyhow::Result<Run> {
        run(&*self.runner, request, |folder| self.logs(folder), stop).await
    }

    pub(crate) fn logs(&self, folder: &Path) -> Arc<dyn LogStore> {
        Arc::new(FileLogStore::new(folder.to_owned()))
    }

    /// Returns the containers that carry the name of an instance.
    pub(crate) async fn containers(&self, instance: &str) -> anyhow::Result<Vec<ContainerSummary>> {
        let filters = [("label".to_owned(), vec![format!("dev.callboard.instance={instance}")])].into();
        let options = ListContainersOptionsBuilder::default()
            .all(true)
            .filters(&filters)
            .build();
        Ok(self.docker.list_containers(Some(options)).await?)
    }

    /// Waits until this instance has so many containers.
    pub(crate) async fn until_there_are(&self, many: usize) -> anyhow::Result<()> {
        for _ in 0..1200 {
            if self.containers(&self.instance).await?.len() == many {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        anyhow::bail!("there are never {many} containers")
    }
}

/// Makes a request to call an operation of a service.
pub(crate) fn request(service: &str, operation: &str, input: &Value) -> anyhow::Result<JobRequest> {
    let text = format!(
        "services:\n  - name: a\n    execution_type: container\n    {service}\n    operations: [{{name: x, {operation}}}]\n"
    );
    job(&text, input)
}

/// Returns an operation that runs a script by the image's shell.
pub(crate) fn script(script: &str) -> String {
    let script = script.replace('{', "{{").replace('}', "}}");
    let config = json!({"image": IMAGE, "pull": "never", "command": ["/bin/sh", "-c"], "args": [script]});
    format!("runner_config: {config}")
}

/// A service that limits nothing.
pub(crate) const PLAIN: &str = "type: tool";
