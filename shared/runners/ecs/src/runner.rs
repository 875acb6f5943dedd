//! The runner of containers on AWS.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use callboard_core::base::causes::causes;
use callboard_core::base::object::Object;
use callboard_core::credential::Secrets;
use callboard_core::job::{Job, Outcome};
use callboard_core::output::Output;
use callboard_core::request::Reason;
use callboard_core::run::{Ended, Runner, Stop};
use callboard_http::{Client, FetchError, Limits};
use callboard_identity::region_of_arn;
use callboard_kind_service::attempt::{unkept, unreadable};
use callboard_kind_service::config::{ContainerConfig, RunnerConfig};
use callboard_kind_service::events::Events;
use callboard_kind_service::execution_type::ExecutionType;
use callboard_kind_service::request::ServiceRequest;

use crate::api::Aws;
use crate::look::Look;
use crate::plan::Plan;
use crate::settings::Settings;
use crate::start::{STARTING, Unprepared, broken, short};
use crate::task::Cluster;

/// What one answer of AWS may be; a page of logs has at most 1 MiB of messages.
const LIMITS: Limits = Limits {
    max_bytes: 16 * 1024 * 1024,
    timeout: Duration::from_secs(20),
};
/// How long a task is left alone that cannot be looked at for want of keys.
const KEYLESS_PAUSE: Duration = Duration::from_secs(60);

/// Runs operations in containers, as tasks of ECS on Fargate.
///
/// The task definition that an operation names decides what a task may do; a job decides the arguments and variables of one of its
/// containers. A job goes on without a worker while its task runs.
pub struct EcsRunner {
    secrets: Arc<dyn Secrets>,
    settings: Settings,
    client: Client,
}

impl EcsRunner {
    /// Makes the runner. `secrets` gives it the worker's own keys.
    ///
    /// # Errors
    /// No HTTP client can be made.
    pub fn new(secrets: Arc<dyn Secrets>, settings: Settings) -> Result<Self, FetchError> {
        Ok(Self {
            secrets,
            settings,
            client: Client::new(LIMITS)?,
        })
    }

    async fn execute(&self, job: &Job, work: Object, output: &Output) -> Result<Ended, Outcome> {
        let request = ServiceRequest::of_work(work).map_err(|error| unreadable(&error.to_string()))?;
        let RunnerConfig::Container(config) = &request.call.runner_config else {
            return Err(unreadable("it is no container"));
        };
        let unavailable = |told: &str| Outcome::failed(Reason::SOURCE_UNAVAILABLE, told);
        let named = match (&job.state.detached, self.task_definition(config)) {
            // what it was started on is known, whatever the deployment's parameters are now
            (Some(by), Err(_)) if by != STARTING => "",
            (_, named) => named.map_err(unavailable)?,
        };
        let invalid = |told: String| Outcome::failed(Reason::REQUEST_INVALID, told);
        let plan = Plan::new(config, &request.input).map_err(invalid)?;
        let keys = match (self.secrets.own_cloud().await, &job.state.detached) {
            (Ok(keys), _) => keys,
            (Err(error), Some(by)) => {
                tracing::warn!(error = %causes(&error), "a task could not be looked at");
                return Ok(Ended::detached(by.clone(), KEYLESS_PAUSE));
            }
            (Err(error), None) => {
                return Err(Outcome::failed(
                    Reason::CREDENTIAL_UNAVAILABLE,
                    causes(&error).to_string(),
                ));
            }
        };
        let mut settings = self.settings.clone();
        if let Some(cluster) = job.state.detached.as_deref().and_then(cluster_of) {
            settings.cluster = cluster;
        }
        let region = region_of_arn(&settings.cluster).or_else(|| keys.region.clone());
        let region = region.ok_or_else(|| broken("the region of the cluster is not known: set AWS_REGION"))?;
        let cluster = Cluster {
            aws: Aws {
                client: &self.client,
                endpoints: &self.settings.endpoints,
                keys: &keys,
                region,
            },
            settings: &settings,
        };
        let events = Events::new(output);
        let look = Look {
            cluster,
            job,
            request: &request,
            config,
            plan: &plan,
            output,
            events: &events,
        };
        let ended = match job.state.detached.as_deref() {
            None => match look.prepared(named).await {
                Ok(_) => return Ok(Ended::detached(STARTING.to_owned(), Duration::ZERO)),
                Err(Unprepared::Outcome(outcome)) => look.refuse(*outcome).await,
                Err(Unprepared::Fault(fault)) => return Ok(short(&fault.into_told())),
            },
            Some(STARTING) => look.start(named).await,
            Some(arn) => look.at(arn).await,
        };
        ended.map_err(|error| unkept(&error))
    }

    fn task_definition<'a>(&self, config: &'a ContainerConfig) -> Result<&'a str, &'static str> {
        if self.settings.cluster.is_empty() || self.settings.subnets.is_empty() {
            return Err(
                "This deployment runs no containers: give its stack the parameters TaskCluster and TaskSubnets.",
            );
        }
        config.task_definition.as_deref().ok_or(
            "The operation names no task_definition, which is what runs its container on AWS; add it to its runner_config.",
        )
    }
}

/// Returns the ARN of the cluster that a task's ARN names.
fn cluster_of(task: &str) -> Option<String> {
    let (account, rest) = task.split_once(":task/")?;
    let (cluster, _id) = rest.split_once('/')?;
    Some(format!("{account}:cluster/{cluster}"))
}

#[async_trait]
impl Runner for EcsRunner {
    fn kind(&self) -> &'static str {
        ExecutionType::Container.as_str()
    }

    fn detaches(&self) -> bool {
        true
    }

    /// A job that is to stop has been told so before its next look: a look itself takes seconds and is not broken off.
    async fn run(&self, job: &Job, work: Object, output: &Output, _stop: Stop) -> Ended {
        self.execute(job, work, output).await.unwrap_or_else(Ended::with)
    }
}
