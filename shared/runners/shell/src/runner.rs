//! The runner of programs on the worker.

use std::collections::BTreeMap;
use std::error::Error;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use callboard_core::base::causes::causes;
use callboard_core::base::object::Object;
use callboard_core::base::secret::Secret;
use callboard_core::base::sentence::sentence;
use callboard_core::credential::{Credential, SecretError, Secrets};
use callboard_core::job::{Job, Outcome};
use callboard_core::output::Output;
use callboard_core::redact::Redactor;
use callboard_core::request::Reason;
use callboard_core::run::{Ended, Runner, Stop};
use callboard_kind_service::attempt::{unkept, unreadable};
use callboard_kind_service::config::{RunnerConfig, ShellConfig, Variable};
use callboard_kind_service::events::Events;
use callboard_kind_service::execution_type::ExecutionType;
use callboard_kind_service::request::ServiceRequest;
use callboard_process::shortage::is_behind;
use callboard_process::{JobFolder, JobFolders};
use callboard_sandbox::{Abilities, Sandbox};
use futures_util::FutureExt;

use crate::attempt::Attempt;
use crate::prepared;

/// What is reported about a job that was stopped while it was being prepared.
const NOT_STARTED: &str = "Its program had not started yet.";

/// Runs programs of services, each confined as far as the system can do that, in a folder of its own.
pub struct ShellRunner {
    secrets: Arc<dyn Secrets>,
    folders: Arc<JobFolders>,
    grace: Duration,
    sandbox: Arc<Sandbox>,
}

impl ShellRunner {
    /// Makes the runner. A program that is to stop has the time `grace` for it. `launcher` is a program that calls
    /// [`callboard_sandbox::launch_if_asked`] first: for the service itself, `/proc/self/exe`.
    #[must_use]
    pub fn new(secrets: Arc<dyn Secrets>, folders: Arc<JobFolders>, grace: Duration, launcher: PathBuf) -> Self {
        Self {
            secrets,
            folders,
            grace,
            sandbox: Arc::new(Sandbox::new(launcher)),
        }
    }

    /// Finds out what the system can enforce. It does so once.
    ///
    /// # Errors
    /// The launcher cannot be run.
    pub async fn abilities(&self) -> io::Result<Abilities> {
        self.blocking(Sandbox::probe).await?
    }

    async fn blocking<T: Send + 'static>(&self, work: impl FnOnce(&Sandbox) -> T + Send + 'static) -> io::Result<T> {
        let sandbox = Arc::clone(&self.sandbox);
        let done = tokio::task::spawn_blocking(move || work(&sandbox)).await;
        done.map_err(io::Error::other)
    }

    async fn variables(&self, job: &Job, config: &ShellConfig) -> Result<BTreeMap<String, Secret>, SecretError> {
        let mut found = BTreeMap::new();
        for (name, variable) in &config.environment {
            let Variable::Secret { credential } = variable else {
                continue;
            };
            let credential = self.secrets.resolve(&job.tenant, credential, Variable::SECRETS).await?;
            found.insert(name.clone(), in_variable(credential)?);
        }
        Ok(found)
    }

    async fn call(
        &self,
        folder: &JobFolder,
        job: &Job,
        work: Object,
        output: &Output,
        mut stop: Stop,
    ) -> Result<Ended, Ended> {
        let request = ServiceRequest::of_work(work).map_err(|error| Ended::with(unreadable(&error.to_string())))?;
        let RunnerConfig::Shell(config) = &request.call.runner_config else {
            return Err(Ended::with(unreadable("it is not a program to run")));
        };
        let variables = tokio::select! {
            variables = self.variables(job, config) => variables,
            () = stop.requested() => return Err(not_started()),
        };
        let variables =
            variables.map_err(|error| failed(Reason::CREDENTIAL_UNAVAILABLE, causes(&error).to_string()))?;
        let secrets: Vec<Secret> = variables.values().cloned().collect();
        let redactor = Arc::new(Redactor::new(&secrets).map_err(|error| broken(&error))?);
        let mut plan = prepared::plan(&request, config, variables, job.id, folder.path())
            .map_err(|told| failed(Reason::REQUEST_INVALID, redactor.text(&sentence(&told))))?;
        let abilities = self.abilities().await.map_err(|error| broken(&error))?;
        plan.namespaces = abilities.has_namespaces();
        if is_requested(&mut stop) {
            return Err(not_started());
        }
        let attempt = Attempt {
            sandbox: &self.sandbox,
            call: &request.call,
            config,
            redactor: &redactor,
            output,
            folder,
            grace: self.grace,
            retries: job.retries(),
            events: Events::new(output),
        };
        let ended = attempt.run(plan, stop).await;
        ended.map_err(|error| Ended::with(unkept(&error)))
    }
}

/// Returns what a variable holds.
fn in_variable(credential: Credential) -> Result<Secret, SecretError> {
    match credential {
        Credential::Password { password } => Ok(password),
        Credential::Bearer { token, hosts } if hosts.is_empty() => Ok(token),
        Credential::Bearer { hosts, .. } => Err(SecretError::new(format!(
            "The token may be sent to {} only, and a program could send it anywhere; name one without hosts.",
            hosts.join(", ")
        ))),
        other => Err(SecretError::new(format!(
            "A credential of kind {} cannot be in a variable.",
            other.kind()
        ))),
    }
}

fn is_requested(stop: &mut Stop) -> bool {
    stop.requested().now_or_never().is_some()
}

fn failed(reason: Reason, error: impl Into<String>) -> Ended {
    Ended::with(Outcome::failed(reason, error))
}

/// Makes the end of a job for which something could not be made.
fn broken(error: &(dyn Error + 'static)) -> Ended {
    Ended {
        short: is_behind(error),
        ..failed(Reason::RUNNER_ERROR, sentence(&causes(error).to_string()))
    }
}

fn not_started() -> Ended {
    Ended {
        stopped: true,
        doing: Some(NOT_STARTED.to_owned()),
        ..failed(Reason::RUNNER_ERROR, NOT_STARTED)
    }
}

async fn remove(folder: &JobFolder) {
    if let Err(error) = folder.remove().await {
        tracing::warn!(error = %causes(&error), "the job's folder could not be removed; the removal is tried again until it succeeds");
    }
}

#[async_trait]
impl Runner for ShellRunner {
    fn kind(&self) -> &'static str {
        ExecutionType::Shell.as_str()
    }

    async fn run(&self, job: &Job, work: Object, output: &Output, stop: Stop) -> Ended {
        let folder = match self.folders.attempt(job.id, job.state.attempt) {
            Ok(folder) => folder,
            Err(error) => return broken(&error),
        };
        let ended = self.call(&folder, job, work, output, stop).await;
        remove(&folder).await;
        ended.unwrap_or_else(|ended| ended)
    }
}
