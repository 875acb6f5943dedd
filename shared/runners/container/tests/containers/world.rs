//! A real engine, and the run of a job in it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use async_trait::async_trait;
use bollard::Docker;
use bollard::models::ContainerSummary;
use bollard::query_parameters::ListContainersOptionsBuilder;
use callboard_core::base::id::Tenant;
use callboard_core::base::secret::Secret;
use callboard_core::credential::{AwsKeys, CloudRef, Credential, CredentialKind, CredentialRef, SecretError, Secrets};
use callboard_core::job::Job;
use callboard_core::output::{LogKey, LogStore, Output, OutputLimits, Stream};
use callboard_core::request::{JobRequest, Kinds};
use callboard_core::run::{Ended, Runner, Stop, StopReason};
use callboard_embedded::FileLogStore;
use callboard_kind_service::in_force::InForce;
use callboard_kind_service::kind::Services;
use callboard_kind_service::registry::Registry;
use callboard_runner_container::ContainerRunner;
use callboard_testkit::contract::samples::{HOUR, now};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::watch;

pub(crate) const TOKEN: &str = "s3cr3t-t0k3n-of-the-service";
pub(crate) const IMAGE: &str = "callboard-test/tool:1";
pub(crate) const IMAGE_WITH_VOLUME: &str = "callboard-test/tool:volume";
const GRACE: Duration = Duration::from_secs(2);

/// Keeps one token.
struct Keeper;

#[async_trait]
impl Secrets for Keeper {
    async fn resolve(&self, _: &Tenant, _: &CredentialRef, _: &[CredentialKind]) -> Result<Credential, SecretError> {
        Ok(Credential::Bearer {
            token: Secret::new(TOKEN),
            hosts: Vec::new(),
        })
    }

    async fn cloud(&self, _: &Tenant, _: &CloudRef, _: &str) -> Result<AwsKeys, SecretError> {
        Err(SecretError::new("there is no cloud"))
    }
}

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
    folder: TempDir,
}

/// A run of a job: its end, and what is kept.
pub(crate) struct Run {
    pub(crate) ended: Ended,
    pub(crate) stdout: String,
    pub(crate) events: String,
}

impl Run {
    pub(crate) fn result(&self) -> anyhow::Result<Value> {
        Ok(serde_json::to_value(&self.ended.outcome)?)
    }
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
        let runner = ContainerRunner::new(Arc::new(Keeper), Some(engine.to_owned()), instance.clone(), GRACE);
        let docker = Docker::connect_with_host(&address()?)?;
        Ok(Self {
            runner: Arc::new(runner),
            instance,
            docker: docker.negotiate_version().await?,
            folder,
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
        let mut job = Job::new(Tenant::default(), request, now(), HOUR);
        job.state.attempt = 1;
        let work = std::mem::take(&mut job.request.work);
        let logs = self.logs(&self.folder.path().join("logs"));
        let output = Output::new(logs.clone(), job.id, 1, OutputLimits::default());
        let (stopper, stopped) = watch::channel(None);
        let stopping = async {
            stop.await?;
            stopper.send_replace(Some(StopReason::Shutdown));
            std::future::pending::<anyhow::Result<()>>().await
        };
        let ended = tokio::select! {
            ended = self.runner.run(&job, work, &output, Stop::new(stopped)) => ended,
            failed = stopping => return Err(failed.err().context("nothing stops the job")?),
        };
        output.close(true, Duration::from_secs(30)).await?;
        let read = async |stream| {
            let key = LogKey {
                job: job.id,
                attempt: 1,
                stream,
            };
            anyhow::Ok(String::from_utf8_lossy(&logs.read(key, 0..u64::MAX).await?).into_owned())
        };
        Ok(Run {
            ended,
            stdout: read(Stream::Stdout).await?,
            events: read(Stream::Events).await?,
        })
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
    let registry = Registry::parse(&[("services.yml".to_owned(), text.clone())]);
    let registry = registry.map_err(|faults| anyhow::anyhow!("{text}\n{faults:?}"))?;
    let services = Services::new(Arc::new(InForce::new(registry)), Arc::default());
    let kinds = Kinds::new(Arc::new(services), Vec::new());
    let read = kinds.read(&json!({"service": "a", "operation": "x", "input": input}));
    Ok(read.map_err(|faults| anyhow::anyhow!("{faults:?}"))?.request)
}

/// Returns an operation that runs a script by the image's shell.
pub(crate) fn script(script: &str) -> String {
    let script = script.replace('{', "{{").replace('}', "}}");
    let config = json!({"image": IMAGE, "pull": "never", "command": ["/bin/sh", "-c"], "args": [script]});
    format!("runner_config: {config}")
}

pub(crate) async fn never() -> anyhow::Result<()> {
    std::future::pending().await
}

/// A service that limits nothing.
pub(crate) const PLAIN: &str = "type: tool";
