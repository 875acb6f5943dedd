//! Runs the container of one attempt of a job, and reads what came of it.

use std::time::Duration;

use callboard_core::base::causes::causes;
use callboard_core::base::object::Object;
use callboard_core::base::store_error::StoreError;
use callboard_core::job::{Job, Outcome, Usage};
use callboard_core::output::Output;
use callboard_core::run::Stop;
use callboard_kind_service::config::ContainerConfig;
use callboard_kind_service::detail::{CallProgress, Detail};
use callboard_kind_service::events::Events;
use callboard_kind_service::request::Call;
use futures_util::FutureExt;
use serde_json::json;
use tokio::time::Instant;

use crate::attempt::{Attempt, Cause};
use crate::container::Container;
use crate::create::{Wanted, name};
use crate::fault::Fault;
use crate::held::Running;
use crate::limits::Bounds;
use crate::prepare::Prepared;
use crate::printed::Printed;
use crate::verdict;

const NOT_STARTED: &str = "The container had not started yet.";

/// The container of one attempt.
pub(crate) struct Run<'a> {
    pub(crate) job: &'a Job,
    pub(crate) call: &'a Call,
    pub(crate) config: &'a ContainerConfig,
    pub(crate) prepared: &'a Prepared,
    pub(crate) instance: &'a str,
    pub(crate) running: &'a Running,
    pub(crate) output: &'a Output,
    pub(crate) grace: Duration,
    pub(crate) deadline: Instant,
}

/// What came of an attempt.
pub(crate) struct Tried {
    pub(crate) outcome: Outcome,
    /// Whether the container has started.
    pub(crate) begun: bool,
    /// Whether the container may run until it is removed, since something failed.
    unended: bool,
    pub(crate) stopped: bool,
    pub(crate) doing: Option<String>,
}

impl Tried {
    /// Makes the result of an attempt whose container has not started.
    pub(crate) fn not_begun(outcome: Outcome) -> Self {
        Self {
            outcome,
            begun: false,
            unended: false,
            stopped: false,
            doing: None,
        }
    }

    /// Makes the result of an attempt that was stopped before its container started.
    pub(crate) fn not_started() -> Self {
        Self {
            stopped: true,
            doing: Some(NOT_STARTED.to_owned()),
            ..Self::not_begun(verdict::not_started(NOT_STARTED))
        }
    }

    /// Adds what the removal of a container has done that was not seen to end.
    fn ended_by(&mut self, removed: bool, stopping: bool) {
        self.stopped = removed && stopping;
        if !removed && let Some(error) = &mut self.outcome.error {
            error.push_str(" The container may still run; its removal is tried again until it succeeds.");
        }
    }
}

impl Run<'_> {
    /// Runs the container and removes it.
    ///
    /// # Errors
    /// The log store refuses a write.
    pub(crate) async fn run(&self, stop: Stop, events: &Events<'_>) -> Result<Tried, StoreError> {
        let called = self.prepared.called();
        self.output.report(Object::of(&CallProgress {
            called: Some(called.clone()),
        }));
        events.tell("call_started", json!({"called": called})).await?;
        let mut detail = Detail {
            called: Some(called),
            ..Detail::default()
        };
        let held = self.running.hold(&self.prepared.engine.docker, name(self.job));
        let mut stopping = stop.clone();
        let tried = self.attempt(&held.name, stop, &mut detail).await;
        let removed = held.remove().await;
        if let Err(error) = &removed {
            tracing::warn!(error = %causes(error), "a job's container cannot be removed now; the removal is tried again until it succeeds");
        }
        let mut tried = tried?;
        if tried.unended {
            tried.ended_by(removed.is_ok(), stopping.requested().now_or_never().is_some());
        }
        let facts = json!({"exit_code": detail.exit_code});
        events.ended(tried.outcome.error.as_deref(), facts).await?;
        tried.outcome.detail = Object::of(&detail);
        tried.outcome.usage = Some(Usage::default());
        Ok(tried)
    }

    async fn attempt(&self, name: &str, stop: Stop, detail: &mut Detail) -> Result<Tried, StoreError> {
        let prepared = self.prepared;
        let bounds = Bounds::new(&self.call.security_policy.resource_limits, self.config.cpu_millis);
        let wanted = Wanted {
            job: self.job,
            instance: self.instance,
            config: self.config,
            policy: &self.call.security_policy,
            prepared,
            bounds,
        };
        let attempt = Attempt {
            container: Container {
                docker: &prepared.engine.docker,
                name,
            },
            wanted: &wanted,
            stdin: prepared.stdin.as_deref(),
            grace: self.grace,
            deadline: self.deadline,
        };
        let verified = match attempt.create().await {
            Ok(verified) => verified,
            Err(fault) => return self.broken(fault, false),
        };
        let applied = verified.applied.iter().chain(&prepared.engine.security);
        detail.isolation = applied.map(|word| (*word).to_owned()).collect();
        if !verified.missing.is_empty() {
            return Ok(Tried::not_begun(verdict::unisolated(&verified.missing)));
        }
        let mut printed = Printed::new(self.output, &prepared.redactor);
        let end = match attempt.run(stop, &mut printed).await {
            Ok(Some(end)) => end,
            Ok(None) => return Ok(Tried::not_started()),
            Err(fault) => return self.broken(fault, true),
        };
        let stopped = end.cause == Cause::Stopped;
        Ok(Tried {
            outcome: verdict::read(
                &end,
                &printed,
                (self.config, self.call, &bounds),
                &prepared.redactor,
                detail,
            ),
            begun: true,
            unended: false,
            doing: stopped.then(|| "The container ran.".to_owned()),
            stopped,
        })
    }

    fn broken(&self, fault: Fault, begun: bool) -> Result<Tried, StoreError> {
        Ok(Tried {
            begun,
            unended: begun,
            ..Tried::not_begun(verdict::broken(fault, &self.prepared.redactor)?)
        })
    }
}
