//! The runner of containers.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use callboard_core::base::causes::causes;
use callboard_core::base::object::Object;
use callboard_core::base::store_error::StoreError;
use callboard_core::credential::Secrets;
use callboard_core::job::{Job, Outcome};
use callboard_core::output::Output;
use callboard_core::run::{Ended, Runner, Stop};
use callboard_kind_service::attempt::{unkept, unreadable};
use callboard_kind_service::config::{ContainerConfig, RunnerConfig};
use callboard_kind_service::events::Events;
use callboard_kind_service::execution_type::ExecutionType;
use callboard_kind_service::request::{Call, ServiceRequest};
use tokio::time::{Instant, timeout, timeout_at};

use crate::engine::Engine;
use crate::held::Running;
use crate::prepare::Prepared;
use crate::run::{Run, Tried};
use crate::verdict::too_long;

/// How long one look for the containers of lost jobs may take.
const TIDY_PATIENCE: Duration = Duration::from_secs(30);

/// Runs operations in containers, by Docker or Podman.
///
/// The containers of a process that has died are not adopted but removed; whether their jobs start again is up to the jobs' options.
pub struct ContainerRunner {
    secrets: Arc<dyn Secrets>,
    engine: Engine,
    instance: String,
    grace: Duration,
    running: Running,
}

impl ContainerRunner {
    /// Makes the runner. `engine` is the address of the engine's socket, as in `unix:///var/run/docker.sock`; without it, that is
    /// `DOCKER_HOST`, or the usual socket of Docker, or of Podman. `instance` is a name that no other process has at the same engine
    /// at the same time, and that stays when the service starts again: [`ContainerRunner::tidy`] removes what carries it. A container
    /// that is stopped has the grace period to end by itself.
    #[must_use]
    pub fn new(secrets: Arc<dyn Secrets>, engine: Option<String>, instance: String, grace: Duration) -> Self {
        Self {
            secrets,
            engine: Engine::new(engine),
            instance,
            grace,
            running: Running::default(),
        }
    }

    /// Removes the containers of this instance that belong to no running job, such as those of a process that has died. Where there
    /// is no engine, there is nothing to do.
    pub async fn tidy(&self) {
        let reaping = async {
            let engine = self.engine.connected().await?;
            let reaped = self.running.reap(&engine.docker, &self.instance).await;
            reaped.map_err(|error| causes(&error).to_string())
        };
        if let Ok(Err(error)) = timeout(TIDY_PATIENCE, reaping).await {
            tracing::debug!(error, "the engine could not be asked for the containers of lost jobs");
        }
    }

    async fn execute(&self, job: &Job, work: Object, output: &Output, stop: Stop) -> Result<Ended, Outcome> {
        let request = ServiceRequest::of_work(work).map_err(|error| unreadable(&error.to_string()))?;
        let RunnerConfig::Container(config) = &request.call.runner_config else {
            return Err(unreadable("it is no container"));
        };
        let events = Events::new(output);
        let ended = async {
            let tried = self.attempt(job, &request, config, output, stop, &events).await?;
            concluded(job, &request.call, tried, &events).await
        };
        ended.await.map_err(|error: StoreError| unkept(&error))
    }

    /// Runs the container once, within the operation's time limit.
    async fn attempt(
        &self,
        job: &Job,
        request: &ServiceRequest,
        config: &ContainerConfig,
        output: &Output,
        stop: Stop,
        events: &Events<'_>,
    ) -> Result<Tried, StoreError> {
        let deadline = Instant::now() + Duration::from_secs(request.call.timeout);
        let preparing = Prepared::new(&self.engine, &*self.secrets, job, config, &request.input);
        let mut stopped = stop.clone();
        let prepared = tokio::select! {
            biased;
            () = stopped.requested() => return Ok(Tried::not_started()),
            prepared = timeout_at(deadline, preparing) => prepared,
        };
        let prepared = match prepared {
            Ok(Ok(prepared)) => prepared,
            Ok(Err(outcome)) => return Ok(Tried::not_begun(outcome)),
            Err(_) => return Ok(Tried::not_begun(too_long(&request.call))),
        };
        let run = Run {
            job,
            call: &request.call,
            config,
            prepared: &prepared,
            instance: &self.instance,
            running: &self.running,
            output,
            grace: self.grace,
            deadline,
        };
        run.run(stop, events).await
    }
}

/// Says of an attempt whether another one follows.
async fn concluded(job: &Job, call: &Call, tried: Tried, events: &Events<'_>) -> Result<Ended, StoreError> {
    let reason = tried
        .outcome
        .reason
        .as_ref()
        .filter(|reason| ContainerConfig::PASSING.contains(reason));
    let again = reason
        .filter(|_| !tried.stopped)
        .and_then(|reason| call.again(job.retries(), reason, tried.begun, None));
    if let Some(pause) = again {
        let error = tried.outcome.error.as_deref();
        events.retried(job.retries(), pause, error).await?;
    }
    Ok(Ended {
        stopped: tried.stopped,
        doing: tried.doing,
        again,
        ..Ended::with(tried.outcome)
    })
}

#[async_trait]
impl Runner for ContainerRunner {
    fn kind(&self) -> &'static str {
        ExecutionType::Container.as_str()
    }

    async fn run(&self, job: &Job, work: Object, output: &Output, stop: Stop) -> Ended {
        let executed = self.execute(job, work, output, stop).await;
        executed.unwrap_or_else(Ended::with)
    }
}
