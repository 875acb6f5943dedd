//! The start of a task: what it is made of, and whether it may be.

use callboard_core::base::object::Object;
use callboard_core::base::sentence::sentence;
use callboard_core::base::store_error::StoreError;
use callboard_core::job::{Outcome, Usage};
use callboard_core::request::Reason;
use callboard_core::run::Ended;
use callboard_kind_service::detail::{CallProgress, Detail, ISOLATION_UNAVAILABLE};
use serde_json::Value;

use crate::api::Fault;
use crate::definition::Definition;
use crate::look::Look;
use crate::task::Unstarted;

/// What is noted before a task is started: whoever is lost between that and its ARN has lost nothing, since the next look starts the
/// same task.
pub(crate) const STARTING: &str = "a task that is being started";
const NOT_STARTED: &str = "The task had not been started.";

impl Look<'_> {
    /// Starts the task that was noted as being started, or finds that it was.
    ///
    /// # Errors
    /// The log store refuses a write.
    pub(crate) async fn start(&self, named: &str) -> Result<Ended, StoreError> {
        if self.job.state.cancel.is_some() {
            return self.stop_if_started().await;
        }
        let started = match self.prepared(named).await {
            Ok((definition, overrides)) => self.cluster.run(self.job, &definition, overrides).await,
            Err(Unprepared::Outcome(outcome)) => return self.refuse(*outcome).await,
            Err(Unprepared::Fault(fault)) => return self.unseen(STARTING, fault).await,
        };
        match started {
            Ok(task) => {
                self.output.report(Object::of(&CallProgress {
                    called: Some(format!(
                        "{} as task {}",
                        self.plan.called(&self.config.image, named),
                        task.id()
                    )),
                }));
                Ok(Ended::detached(task.task_arn, self.pause()))
            }
            Err(Unstarted::Shortage(told)) => Ok(short(&told)),
            Err(Unstarted::Unanswered(told)) => self.unseen(STARTING, Fault::Unanswered(told)).await,
            Err(Unstarted::Otherwise(told)) => self.refuse(broken(&told)).await,
        }
    }

    /// Ends a job that was canceled before its task was started; where it was started and nobody noted it, stops it.
    async fn stop_if_started(&self) -> Result<Ended, StoreError> {
        match self.cluster.running(self.job).await {
            Ok(Some(arn)) => self.stop_if_due(&arn).await,
            Ok(None) => {
                let ended = self.refuse(Outcome::failed(Reason::RUNNER_ERROR, NOT_STARTED)).await?;
                Ok(Ended {
                    stopped: true,
                    doing: Some(NOT_STARTED.to_owned()),
                    ..ended
                })
            }
            Err(fault) => self.unseen(STARTING, fault).await,
        }
    }

    /// Finds what a task is made of, and whether it may be.
    ///
    /// # Errors
    /// It may not be, or that is not known now.
    pub(crate) async fn prepared(&self, named: &str) -> Result<(Definition, Value), Unprepared> {
        let unavailable = |told: String| Unprepared::outcome(Reason::SOURCE_UNAVAILABLE, told);
        let definition = match self.cluster.definition(named).await {
            Ok(definition) => definition,
            Err(fault) if fault.is_shortage() => return Err(Unprepared::Fault(fault)),
            Err(Fault::Refused { told, .. }) => {
                let error = format!("the task definition {named} cannot be had: {told}");
                return Err(unavailable(sentence(&error)));
            }
            Err(fault) => return Err(Unprepared::Fault(fault)),
        };
        let policy = &self.request.call.security_policy;
        let container = definition.container(self.config).map_err(unavailable)?;
        container.logs(&definition).map_err(unavailable)?;
        let missing = container.missing(self.config, policy);
        if !missing.is_empty() {
            let error = format!(
                "The container {} of the task definition {} cannot have what the service demands, so it was not started: {}.",
                container.name,
                definition.short_name(),
                missing.join(", ")
            );
            return Err(Unprepared::outcome(ISOLATION_UNAVAILABLE, error));
        }
        let (job, limits) = (self.job.id.to_string(), policy.resource_limits);
        let overrides = self
            .plan
            .overrides(&container.name, &job, self.config.cpu_millis, limits);
        let overrides = overrides.map_err(|told| Unprepared::outcome(Reason::REQUEST_INVALID, told))?;
        Ok((definition, overrides))
    }

    /// Ends a job whose task was not started.
    ///
    /// # Errors
    /// The log store refuses a write.
    pub(crate) async fn refuse(&self, outcome: Outcome) -> Result<Ended, StoreError> {
        let detail = Detail {
            no_effect: true,
            ..Detail::default()
        };
        self.conclude(outcome, detail, Usage::default(), false).await
    }
}

/// Why there is nothing to start.
pub(crate) enum Unprepared {
    /// The job ends so.
    Outcome(Box<Outcome>),
    /// It is not known now.
    Fault(Fault),
}

impl Unprepared {
    fn outcome(reason: Reason, told: String) -> Self {
        Self::Outcome(Box::new(Outcome::failed(reason, told)))
    }
}

/// Puts a job back for which AWS has no room now.
pub(crate) fn short(told: &str) -> Ended {
    tracing::warn!(error = told, "there is no room for a task now");
    Ended {
        short: true,
        ..Ended::with(broken(told))
    }
}

/// Makes the outcome of a job that AWS does not run, with a part of a sentence.
pub(crate) fn broken(told: &str) -> Outcome {
    Outcome::failed(Reason::RUNNER_ERROR, sentence(told))
}
