//! One look at a task: whether it has ended, whether it has to, and what came of it.

use std::time::Duration;

use callboard_core::base::object::Object;
use callboard_core::base::store_error::StoreError;
use callboard_core::base::time::{Clock, SystemClock, Timestamp};
use callboard_core::job::{Job, Outcome, Usage};
use callboard_core::output::Output;
use callboard_core::redact::Redactor;
use callboard_core::request::Reason;
use callboard_core::run::Ended;
use callboard_kind_service::config::{ContainerConfig, repository};
use callboard_kind_service::detail::Detail;
use callboard_kind_service::events::Events;
use callboard_kind_service::output;
use callboard_kind_service::request::ServiceRequest;
use serde_json::json;

use crate::api::Fault;
use crate::definition::Definition;
use crate::logs;
use crate::plan::Plan;
use crate::task::{Cluster, Task};
use crate::verdict;

/// How long a task is left alone: half as long as it has run, within these bounds. Its end is told by an event, so a look is for what
/// that may miss: an event that comes while a worker looks finds nobody.
const SHORTEST_PAUSE: Duration = Duration::from_secs(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// How long after the end of its time a task that AWS says nothing of is looked at.
const PATIENCE: Duration = Duration::from_secs(3600);
/// How long it may take until ECS tells of a task that it has started.
const APPEARANCE: Duration = Duration::from_secs(300);

/// A look at a task.
pub(crate) struct Look<'a> {
    pub(crate) cluster: Cluster<'a>,
    pub(crate) job: &'a Job,
    pub(crate) request: &'a ServiceRequest,
    pub(crate) config: &'a ContainerConfig,
    pub(crate) plan: &'a Plan,
    pub(crate) output: &'a Output,
    pub(crate) events: &'a Events<'a>,
}

impl Look<'_> {
    /// Looks at a task.
    ///
    /// # Errors
    /// The log store refuses a write.
    pub(crate) async fn at(&self, arn: &str) -> Result<Ended, StoreError> {
        let task = match self.cluster.task(arn).await {
            Ok(Some(task)) => task,
            Ok(None) if self.age() < APPEARANCE => return Ok(Ended::detached(arn.to_owned(), SHORTEST_PAUSE)),
            Ok(None) => return self.lost(arn).await,
            Err(fault) => return self.unseen(arn, fault).await,
        };
        if task.has_ended() {
            // that of the operation may be another one by now
            return match self.cluster.definition(&task.task_definition_arn).await {
                Ok(definition) => self.ended(&task, &definition).await,
                Err(fault) => self.unseen(arn, fault).await,
            };
        }
        self.stop_if_due(arn).await
    }

    /// Stops a task whose job is to stop, or whose time is over; otherwise leaves it alone.
    pub(crate) async fn stop_if_due(&self, arn: &str) -> Result<Ended, StoreError> {
        let stop = match &self.job.state.cancel {
            Some(_) => Some(verdict::CANCELED),
            None => (self.age() >= self.limit()).then_some(verdict::TIMED_OUT),
        };
        let Some(why) = stop else {
            return Ok(Ended::detached(arn.to_owned(), self.pause()));
        };
        if let Err(fault) = self.cluster.stop(arn, why).await {
            tracing::warn!(error = fault.into_told(), "a task could not be stopped yet");
        }
        Ok(Ended::detached(arn.to_owned(), SHORTEST_PAUSE))
    }

    /// Returns how long the task is left alone now.
    pub(crate) fn pause(&self) -> Duration {
        let age = self.age();
        let pause = (age / 2).clamp(SHORTEST_PAUSE, LONGEST_PAUSE);
        pause.min(self.limit().saturating_sub(age))
    }

    /// Reads what came of a task.
    async fn ended(&self, task: &Task, definition: &Definition) -> Result<Ended, StoreError> {
        let container = definition.container(self.config).ok();
        let name = container.map(|container| container.name.as_str());
        let ran = task.containers.iter().find(|one| Some(one.name.as_str()) == name);
        let digest = ran.and_then(|ran| ran.image_digest.as_deref());
        let image = match digest {
            Some(digest) => &format!("{}@{digest}", repository(&self.config.image)),
            None => &self.config.image,
        };
        let called = self.plan.called(image, definition.short_name());
        let facts = json!({"called": called, "task": task.task_arn, "task_created_at": time(task.created_at)});
        // a look that was lost may have written a part of this
        let already = self.output.size().await;
        if self.output.events() == 0 {
            self.events.tell("call_started", facts).await?;
        }
        let source = container.and_then(|container| container.logs(definition).ok());
        let printed = match source {
            Some(source) => {
                let stopped = task.stopped_at.unwrap_or_default();
                let ended_for = SystemClock.now().since(Timestamp::from_millis(milliseconds(stopped)));
                let printing = logs::Printing {
                    output: self.output,
                    already,
                };
                logs::read(&self.cluster.aws, &source, task.id(), ended_for, printing).await?
            }
            None => logs::Printed::default(),
        };
        let schema = self.request.call.output_schema.as_ref();
        let read = output::printed(&printed.stdout, self.config.output, schema, &Redactor::default());
        let outcome = verdict::outcome(task, ran, self.config, self.limit(), &printed, read.fault);
        let began = task.stop_code != "TaskFailedToStart";
        let detail = Detail {
            output: Some(read.output),
            output_truncated: printed.stdout.truncated,
            exit_code: ran.and_then(|ran| ran.exit_code),
            called: Some(called),
            isolation: container.map(|container| container.isolation()).unwrap_or_default(),
            no_effect: !began,
            ..Detail::default()
        };
        let usage = Usage {
            cost: verdict::cost(task),
            ..Usage::default()
        };
        let stopped = task.stopped_reason == verdict::CANCELED;
        let ended = self.conclude(outcome, detail, usage, began).await?;
        Ok(Ended {
            stopped,
            doing: stopped.then(|| "The container ran.".to_owned()),
            again: ended.again.filter(|_| !stopped),
            ..ended
        })
    }

    /// Tells the end, and whether another attempt follows.
    pub(crate) async fn conclude(
        &self,
        mut outcome: Outcome,
        detail: Detail,
        usage: Usage,
        began: bool,
    ) -> Result<Ended, StoreError> {
        // a look that was lost may have told the end
        let is_told = self.output.events() > 1;
        if !is_told {
            let facts = json!({"exit_code": detail.exit_code, "isolation": detail.isolation});
            self.events.ended(outcome.error.as_deref(), facts).await?;
        }
        let (call, retries) = (&self.request.call, self.job.retries());
        let reason = outcome
            .reason
            .as_ref()
            .filter(|reason| ContainerConfig::PASSING.contains(reason));
        let again = reason.and_then(|reason| call.again(retries, reason, began, None));
        if let Some(pause) = again.filter(|_| !is_told) {
            self.events.retried(retries, pause, outcome.error.as_deref()).await?;
        }
        outcome.detail = Object::of(&detail);
        outcome.usage = Some(usage);
        Ok(Ended {
            again,
            ..Ended::with(outcome)
        })
    }

    /// Ends a job whose task is not known any more.
    async fn lost(&self, arn: &str) -> Result<Ended, StoreError> {
        let error = format!("ECS no longer knows the task {arn}, and its end was not seen.");
        let outcome = Outcome::failed(Reason::RUNNER_ERROR, error);
        self.conclude(outcome, Detail::default(), Usage::default(), true).await
    }

    /// Goes on with a job of whose task AWS says nothing now, for as long as it may run and an hour more.
    pub(crate) async fn unseen(&self, arn: &str, fault: Fault) -> Result<Ended, StoreError> {
        let told = fault.into_told();
        tracing::warn!(task = arn, error = told, "a task could not be looked at");
        if self.age() < self.limit() + PATIENCE {
            return Ok(Ended::detached(arn.to_owned(), SHORTEST_PAUSE));
        }
        let error = format!("The task {arn} could not be looked at for an hour after its time was over: {told}.");
        let outcome = Outcome::failed(Reason::RUNNER_ERROR, error);
        self.conclude(outcome, Detail::default(), Usage::default(), true).await
    }

    /// Returns how long the attempt may run.
    fn limit(&self) -> Duration {
        let own = Duration::from_secs(self.request.call.timeout);
        let asked = self.job.request.options.timeout();
        asked.map_or(own, |asked| asked.min(own))
    }

    /// Returns for how long it has run.
    fn age(&self) -> Duration {
        let started = self.job.state.started_at;
        started.map_or(Duration::ZERO, |started| SystemClock.now().since(started))
    }
}

fn time(seconds: Option<f64>) -> Option<String> {
    seconds.map(|seconds| Timestamp::from_millis(milliseconds(seconds)).to_string())
}

/// Returns an instant that AWS tells in seconds.
#[expect(
    clippy::cast_possible_truncation,
    reason = "a time of this era is far from what an i64 holds"
)]
fn milliseconds(seconds: f64) -> i64 {
    (seconds * 1000.0) as i64
}
