//! The runner of containers on AWS.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use callboard_core::base::causes::causes;
use callboard_core::base::object::Object;
use callboard_core::base::sentence::sentence;
use callboard_core::credential::Secrets;
use callboard_core::job::{Job, Outcome, Usage};
use callboard_core::output::Output;
use callboard_core::request::Reason;
use callboard_core::run::{Ended, Runner, Stop};
use callboard_http::{Client, FetchError, Limits};
use callboard_kind_service::attempt::{unkept, unreadable};
use callboard_kind_service::config::{ContainerConfig, RunnerConfig};
use callboard_kind_service::detail::{CallProgress, Detail, ISOLATION_UNAVAILABLE};
use callboard_kind_service::events::Events;
use callboard_kind_service::execution_type::ExecutionType;
use callboard_kind_service::request::ServiceRequest;

use crate::api::Aws;
use crate::look::Look;
use crate::plan::Plan;
use crate::settings::Settings;
use crate::task::{Cluster, Unstarted, id};

/// What one answer of AWS may be; a page of logs has at most 1 MiB of messages.
const LIMITS: Limits = Limits {
    max_bytes: 16 * 1024 * 1024,
    timeout: Duration::from_secs(20),
};

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
        let named = self.task_definition(config).map_err(unavailable)?;
        let invalid = |told: String| Outcome::failed(Reason::REQUEST_INVALID, told);
        let plan = Plan::new(config, &request.input).map_err(invalid)?;
        let keys = self.secrets.own_cloud().await;
        let keys = keys.map_err(|error| Outcome::failed(Reason::CREDENTIAL_UNAVAILABLE, causes(&error).to_string()))?;
        let region = region(&self.settings.cluster).or_else(|| keys.region.clone());
        let region = region.ok_or_else(|| broken("the region of the cluster is not known: set AWS_REGION"))?;
        let cluster = Cluster {
            aws: Aws {
                client: &self.client,
                endpoints: &self.settings.endpoints,
                keys: &keys,
                region,
            },
            settings: &self.settings,
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
        let ended = match &job.state.detached {
            Some(arn) => look.at(arn).await,
            None => match start(&look, named).await {
                Ok(ended) => return Ok(ended),
                Err(outcome) => {
                    let detail = Detail {
                        no_effect: true,
                        ..Detail::default()
                    };
                    look.conclude(outcome, detail, Usage::default(), false).await
                }
            },
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

/// Starts the task of a job, or finds the one that an attempt has left whose worker was lost.
async fn start(look: &Look<'_>, named: &str) -> Result<Ended, Outcome> {
    let (config, policy) = (look.config, &look.request.call.security_policy);
    let unavailable = |told: String| Outcome::failed(Reason::SOURCE_UNAVAILABLE, told);
    let definition = match look.cluster.definition(named).await {
        Ok(definition) => definition,
        Err(fault) if fault.is_shortage() => return Ok(short(&fault.into_told())),
        Err(fault) => {
            let error = format!("the task definition {named} cannot be had: {}", fault.into_told());
            return Err(unavailable(sentence(&error)));
        }
    };
    let container = definition.container(config).map_err(unavailable)?;
    container.logs(&definition).map_err(unavailable)?;
    let missing = container.missing(config, policy);
    if !missing.is_empty() {
        let error = format!(
            "The container {} of the task definition {} cannot have what the service demands, so it was not started: {}.",
            container.name,
            definition.short_name(),
            missing.join(", ")
        );
        return Err(Outcome::failed(ISOLATION_UNAVAILABLE, error));
    }
    let operation = format!("{}/{}", look.request.service, look.request.operation);
    if look.job.state.attempt > 1 {
        let left = look.cluster.running(look.job, &operation).await;
        if let Some(task) = left.map_err(|fault| broken(&fault.into_told()))? {
            tracing::info!(task = task.task_arn, "the task of a lost attempt goes on");
            return Ok(Ended::detached(task.task_arn, look.pause()));
        }
    }
    let limits = policy.resource_limits;
    let names = (&*look.job.id.to_string(), &*operation);
    let overrides = look.plan.overrides(&container.name, names, config.cpu_millis, limits);
    let overrides = overrides.map_err(|told| Outcome::failed(Reason::REQUEST_INVALID, told))?;
    match look.cluster.run(look.job, &operation, &definition, overrides).await {
        Ok(task) => {
            let called = look.plan.called(&config.image, definition.short_name());
            look.output.report(Object::of(&CallProgress {
                called: Some(format!("{called} as task {}", id(&task.task_arn))),
            }));
            Ok(Ended::detached(task.task_arn, look.pause()))
        }
        Err(Unstarted::Shortage(told)) => Ok(short(&told)),
        Err(Unstarted::Otherwise(told)) => Err(broken(&told)),
    }
}

/// Puts a job back for which AWS has no room now.
fn short(told: &str) -> Ended {
    tracing::warn!(error = told, "there is no room for a task now");
    Ended {
        short: true,
        ..Ended::with(broken(told))
    }
}

fn broken(told: &str) -> Outcome {
    Outcome::failed(Reason::RUNNER_ERROR, sentence(told))
}

/// Returns the region of an ARN.
fn region(arn: &str) -> Option<String> {
    let region = arn.strip_prefix("arn:")?.split(':').nth(2)?;
    (!region.is_empty()).then(|| region.to_owned())
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
