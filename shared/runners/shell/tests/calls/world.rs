//! The run of a job that starts a real program.

use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use anyhow::Context;
use async_trait::async_trait;
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
use callboard_process::JobFolders;
use callboard_runner_shell::ShellRunner;
use callboard_testkit::contract::samples::{HOUR, now};
use serde_json::{Value, json};
use tokio::sync::watch;

pub(crate) const TOKEN: &str = "s3cr3t-t0k3n-of-the-program";
pub(crate) const GRACE: Duration = Duration::from_secs(2);

/// Keeps one password.
struct Keeper;

#[async_trait]
impl Secrets for Keeper {
    async fn resolve(&self, _: &Tenant, _: &CredentialRef, _: &[CredentialKind]) -> Result<Credential, SecretError> {
        Ok(Credential::Password {
            password: Secret::new(TOKEN),
        })
    }

    async fn cloud(&self, _: &Tenant, _: &CloudRef, _: &str) -> Result<AwsKeys, SecretError> {
        Err(SecretError::new("there is no cloud"))
    }
}

pub(crate) fn launcher() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_callboard-test-launcher"))
}

/// Returns the folders of this process's jobs, which all of its runners share.
pub(crate) fn folders() -> anyhow::Result<Arc<JobFolders>> {
    static SHARED: LazyLock<Result<Arc<JobFolders>, String>> = LazyLock::new(|| {
        let folders = JobFolders::create(Path::new("/tmp"), 40);
        folders.map(Arc::new).map_err(|error| error.to_string())
    });
    SHARED.clone().map_err(anyhow::Error::msg)
}

pub(crate) fn runner(launcher: PathBuf) -> anyhow::Result<ShellRunner> {
    Ok(ShellRunner::new(Arc::new(Keeper), folders()?, GRACE, launcher))
}

/// A service with one operation.
#[derive(Clone, Debug)]
pub(crate) struct Service {
    pub(crate) policy: Value,
    pub(crate) operation: Value,
    pub(crate) input: Value,
    pub(crate) launcher: PathBuf,
}

/// Makes a service that runs a program.
pub(crate) fn program(command: &str, args: &[&str]) -> Service {
    Service {
        policy: json!({}),
        operation: json!({"name": "x", "runner_config": {"command": command, "args": args}}),
        input: json!({}),
        launcher: launcher(),
    }
}

/// Makes a service that runs a script, which is no template.
pub(crate) fn script(text: &str) -> Service {
    let text = text.replace('{', "{{").replace('}', "}}");
    program("/bin/sh", &["-c", &text, "sh"])
}

/// Makes a service that runs a script of Python: in a variable, since an argument in a registry has one line.
pub(crate) fn python(text: &str) -> Service {
    let service = program("/usr/bin/python3", &["-c", "import os; exec(os.environ['SCRIPT'])"]);
    service.config("environment", json!({"SCRIPT": text}))
}

impl Service {
    pub(crate) fn policy(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.policy[name] = value.into();
        self
    }

    pub(crate) fn config(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.operation["runner_config"][name] = value.into();
        self
    }

    pub(crate) fn operation(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.operation[name] = value.into();
        self
    }

    /// Has another launcher start the program.
    pub(crate) fn launcher(mut self, launcher: &Path) -> Self {
        self.launcher = launcher.to_owned();
        self
    }

    pub(crate) fn input(mut self, value: Value) -> Self {
        self.input = value;
        self
    }

    pub(crate) fn request(&self) -> anyhow::Result<JobRequest> {
        let service = json!({
            "name": "a", "execution_type": "shell", "security_policy": self.policy, "operations": [self.operation],
        });
        let text = json!({"services": [service]}).to_string();
        let registry = Registry::parse(&[("services.yml".to_owned(), text.clone())]);
        let registry = registry.map_err(|faults| anyhow::anyhow!("{text}\n{faults:?}"))?;
        let services = Services::new(Arc::new(InForce::new(registry)), Arc::default());
        let kinds = Kinds::new(Arc::new(services), Vec::new());
        let read = kinds.read(&json!({"service": "a", "operation": "x", "input": self.input}));
        Ok(read.map_err(|faults| anyhow::anyhow!("{faults:?}"))?.request)
    }

    pub(crate) async fn run(&self) -> anyhow::Result<Run> {
        self.run_until(std::future::pending()).await
    }

    /// Runs a job; it is told to stop once `stop` says so.
    pub(crate) async fn run_until(&self, stop: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<Run> {
        self.run_by(&runner(self.launcher.clone())?, stop).await
    }

    /// Runs a job by a runner that has run others.
    pub(crate) async fn run_by(
        &self,
        runner: &ShellRunner,
        stop: impl Future<Output = anyhow::Result<()>>,
    ) -> anyhow::Result<Run> {
        let mut job = Job::new(Tenant::default(), self.request()?, now(), HOUR);
        job.state.attempt = 1;
        let work = std::mem::take(&mut job.request.work);
        let folder = tempfile::tempdir()?;
        let logs: Arc<dyn LogStore> = Arc::new(FileLogStore::new(folder.path().join("logs")));
        let output = Output::new(logs.clone(), job.id, 1, OutputLimits::default());
        let (stopper, stopped) = watch::channel(None);
        let stopping = async {
            stop.await?;
            stopper.send_replace(Some(StopReason::Shutdown));
            std::future::pending::<anyhow::Result<()>>().await
        };
        let ended = tokio::select! {
            ended = runner.run(&job, work, &output, Stop::new(stopped)) => ended,
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
            result: serde_json::to_value(&ended.outcome)?,
            ended,
            stdout: read(Stream::Stdout).await?,
            events: read(Stream::Events).await?,
        })
    }
}

/// A run of a job: its end, and what is kept.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) ended: Ended,
    pub(crate) result: Value,
    pub(crate) stdout: String,
    pub(crate) events: String,
}

impl Run {
    pub(crate) fn is_successful(&self) -> bool {
        self.result["status"] == "successful"
    }

    pub(crate) fn reason(&self) -> &str {
        self.result["reason"].as_str().unwrap_or_default()
    }

    pub(crate) fn output(&self) -> &str {
        self.result["output"].as_str().unwrap_or_default()
    }

    pub(crate) fn isolation(&self) -> String {
        self.result["isolation"].to_string()
    }

    pub(crate) fn error(&self) -> &str {
        self.result["error"].as_str().unwrap_or_default()
    }
}
