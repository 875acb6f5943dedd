//! Runs a program once, and reads what came of it.

use std::sync::Arc;
use std::time::Duration;

use callboard_core::base::causes::causes;
use callboard_core::base::object::Object;
use callboard_core::base::sentence::sentence;
use callboard_core::base::store_error::StoreError;
use callboard_core::job::{Outcome, Usage};
use callboard_core::output::Output;
use callboard_core::redact::Redactor;
use callboard_core::request::Reason;
use callboard_core::run::{Ended, Stop};
use callboard_kind_service::attempt::shortened;
use callboard_kind_service::config::ShellConfig;
use callboard_kind_service::detail::{CallProgress, Detail, EXIT_CODE};
use callboard_kind_service::events::Events;
use callboard_kind_service::output;
use callboard_kind_service::request::Call;
use callboard_process::JobFolder;
use callboard_process::memory::Kills;
use callboard_process::shortage::is_behind;
use callboard_sandbox::{Cause, Ending, Limits, Plan, Sandbox};
use serde_json::{Value, json};

use crate::launched::Launched;
use crate::printed::Unmoved;
use crate::verdict;
use crate::watcher::{Printed, Seen, Watcher};

/// One attempt of a job.
pub(crate) struct Attempt<'a> {
    pub(crate) sandbox: &'a Sandbox,
    pub(crate) call: &'a Call,
    pub(crate) config: &'a ShellConfig,
    pub(crate) redactor: &'a Arc<Redactor>,
    pub(crate) output: &'a Output,
    pub(crate) folder: &'a JobFolder,
    /// How long a program that is to stop has for that.
    pub(crate) grace: Duration,
    /// How often the job was tried again before.
    pub(crate) retries: u32,
    pub(crate) events: Events<'a>,
}

impl Attempt<'_> {
    /// Runs the program to its end. Where another attempt may end differently and does no harm, the end says after which pause.
    ///
    /// # Errors
    /// The log store refuses a write.
    pub(crate) async fn run(&self, plan: Plan, stop: Stop) -> Result<Ended, StoreError> {
        let argv = std::iter::once(plan.program.to_string_lossy().into_owned()).chain(plan.arguments.iter().cloned());
        let argv: Vec<String> = argv.map(|argument| self.redactor.text(&argument)).collect();
        let called = Value::from(argv.clone()).to_string();
        self.output.report(Object::of(&CallProgress {
            called: Some(called.clone()),
        }));
        let facts = json!({"called": called, "argv": argv});
        self.events.tell("call_started", facts).await?;
        let (limits, kills) = (plan.limits, Kills::watch());
        let launched = Launched::start(self.sandbox, plan).await;
        let (launched, pipes) = match launched {
            Ok(launched) => launched,
            Err(error) => {
                let short = is_behind(&error);
                let outcome = Outcome::failed(Reason::RUNNER_ERROR, format!("the launcher cannot be started: {error}"));
                let ended = self.end(outcome, Detail::default(), called).await?;
                return Ok(Ended { short, ..ended });
            }
        };
        let mut printed = Printed::default();
        let watcher = Watcher {
            output: self.output,
            redactor: self.redactor,
            folder: self.folder,
            grace: self.grace,
            limit: Duration::from_secs(self.call.timeout),
        };
        let seen = match watcher.watch(launched, pipes, stop, &mut printed).await {
            Ok(seen) => seen,
            Err(Unmoved::Unkept(error)) => return Err(error),
            Err(error @ Unmoved::Unread(_)) => {
                let outcome = Outcome::failed(Reason::RUNNER_ERROR, causes(&error).to_string());
                return self.end(outcome, Detail::default(), called).await;
            }
        };
        self.judge(seen, &printed, &limits, called, kills.happened()).await
    }

    /// Judges what came of a program.
    async fn judge(
        &self,
        seen: Seen,
        printed: &Printed,
        limits: &Limits,
        called: String,
        memory_ran_out: bool,
    ) -> Result<Ended, StoreError> {
        let schema = self.call.output_schema.as_ref();
        let read = output::printed(&printed.stdout, self.config.output, schema, self.redactor);
        let mut short = false;
        let mut outcome = match (&seen.ended, seen.unstarted) {
            (Some(ending), _) => {
                let errors = &printed.stderr;
                verdict::outcome(ending, limits, self.config, read.fault, errors, memory_ran_out)
            }
            (None, Some(failure)) => {
                short = failure.cause == Cause::Shortage;
                verdict::unstarted(failure)
            }
            (None, None) => Outcome::failed(Reason::RUNNER_ERROR, "the launcher has ended without a report"),
        };
        if seen.timed_out {
            let limit = self.call.timeout;
            let error = format!("the program ran longer than the {limit} s of its operation and was stopped");
            outcome = Outcome::failed(Reason::TIMEOUT, error);
        }
        outcome.usage = Some(usage(seen.ended.as_ref(), &seen.isolation));
        let detail = Detail {
            output: seen.ended.is_some().then_some(read.output),
            output_truncated: printed.stdout.truncated,
            exit_code: seen.ended.map(|ending| ending.code),
            isolation: seen.isolation,
            ..Detail::default()
        };
        let ended = self.end(outcome, detail, called).await?;
        Ok(Ended {
            stopped: seen.stopped,
            short,
            again: ended.again.filter(|_| !seen.stopped),
            ..ended
        })
    }

    /// Tells the end, and what follows from it.
    async fn end(&self, mut outcome: Outcome, mut detail: Detail, called: String) -> Result<Ended, StoreError> {
        let error = outcome.error.take();
        let error = error.map(|error| shortened(&self.redactor.text(&sentence(&error))));
        let facts = json!({"exit_code": detail.exit_code, "isolation": detail.isolation});
        self.events.ended(error.as_deref(), facts).await?;
        outcome.error = error;
        let passing = [EXIT_CODE, Reason::TIMEOUT];
        let reason = outcome.reason.as_ref().filter(|reason| passing.contains(reason));
        let again = reason.and_then(|reason| self.call.again(self.retries, reason, true, None));
        if let Some(pause) = again {
            let error = outcome.error.as_deref();
            self.events.retried(self.retries, pause, error).await?;
        }
        detail.called = Some(called);
        outcome.detail = Object::of(&detail);
        Ok(Ended {
            again,
            ..Ended::with(outcome)
        })
    }
}

fn usage(ending: Option<&Ending>, isolation: &[String]) -> Usage {
    Usage {
        isolation: isolation.to_vec(),
        cpu_seconds: ending.map(|ending| ending.cpu_seconds).filter(|seconds| *seconds > 0.0),
        peak_memory_bytes: ending.map(|ending| ending.peak_memory_bytes).filter(|bytes| *bytes > 0),
        ..Usage::default()
    }
}
