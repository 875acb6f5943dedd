//! Runs a program once, and reads what came of it.

use std::sync::Arc;
use std::time::Duration;

use callboard_core::base::causes::causes;
use callboard_core::base::object::Object;
use callboard_core::base::sentence::sentence;
use callboard_core::base::store_error::StoreError;
use callboard_core::base::time::{Clock, SystemClock};
use callboard_core::job::{Outcome, Usage};
use callboard_core::output::Output;
use callboard_core::redact::Redactor;
use callboard_core::request::Reason;
use callboard_core::run::{Ended, Stop};
use callboard_kind_service::config::ShellConfig;
use callboard_kind_service::detail::{CallProgress, Detail, EXIT_CODE};
use callboard_kind_service::request::Call;
use callboard_process::JobFolder;
use callboard_process::memory::Kills;
use callboard_process::shortage::is_behind;
use callboard_sandbox::{Cause, Command, Ending, Failure, Limits, Plan, Report, Sandbox};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep_until, timeout};

use crate::launched::{Launched, Pipes};
use crate::printed::{Beginning, Tail, Unmoved, move_all};
use crate::verdict;

/// How long an error may be, in characters: it may name what a program has printed.
const MAX_ERROR_CHARS: usize = 2000;
/// How long the rest of the output is waited for when everything has ended.
const REST_LIMIT: Duration = Duration::from_secs(10);
/// Far enough in the future to never come.
const NEVER: Duration = Duration::from_secs(365 * 24 * 3600);

/// One attempt of a job.
pub(crate) struct Attempt<'a> {
    pub(crate) sandbox: &'a Sandbox,
    pub(crate) call: &'a Call,
    pub(crate) config: &'a ShellConfig,
    pub(crate) redactor: &'a Arc<Redactor>,
    pub(crate) output: &'a Output,
    pub(crate) folder: &'a JobFolder,
    /// How long a program that is to stop has for it.
    pub(crate) grace: Duration,
    /// How often the job was tried again before.
    pub(crate) retries: u32,
    pub(crate) events: u64,
}

/// What was seen of a program.
#[derive(Default)]
struct Seen {
    isolation: Vec<String>,
    ended: Option<Ending>,
    unstarted: Option<Failure>,
    /// Whether it was being stopped when it ended, because the job was to stop.
    stopped: bool,
    /// Whether it ran for longer than its operation may.
    timed_out: bool,
}

/// What a program has printed.
#[derive(Default)]
struct Printed {
    stdout: Beginning,
    stderr: Tail,
}

impl Attempt<'_> {
    /// Runs the program to its end. Where another attempt may end differently and does no harm, the end says after which pause.
    ///
    /// # Errors
    /// The log store refuses a write.
    pub(crate) async fn run(&mut self, plan: Plan, stop: Stop) -> Result<Ended, StoreError> {
        let argv = std::iter::once(plan.program.to_string_lossy().into_owned()).chain(plan.arguments.iter().cloned());
        let argv: Vec<String> = argv.map(|argument| self.redactor.text(&argument)).collect();
        let called = Value::from(argv.clone()).to_string();
        self.output.report(Object::of(&CallProgress {
            called: Some(called.clone()),
        }));
        self.tell("call_started", json!({"called": called, "argv": argv}))
            .await?;
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
        let seen = match self.watch(launched, pipes, stop, &mut printed).await {
            Ok(seen) => seen,
            Err(Unmoved::Unkept(error)) => return Err(error),
            Err(error @ Unmoved::Unread(_)) => {
                let outcome = Outcome::failed(Reason::RUNNER_ERROR, causes(&error).to_string());
                return self.end(outcome, Detail::default(), called).await;
            }
        };
        self.judge(seen, &printed, &limits, called, kills.happened()).await
    }

    /// Watches a program, and moves what it prints, until both have ended.
    async fn watch(
        &self,
        mut launched: Launched,
        pipes: Pipes,
        stop: Stop,
        printed: &mut Printed,
    ) -> Result<Seen, Unmoved> {
        let mut seen = Seen::default();
        let moved = async {
            tokio::try_join!(
                move_all(pipes.stdout, self.output, self.redactor, &mut printed.stdout),
                move_all(pipes.stderr, self.output, self.redactor, &mut printed.stderr),
            )
        };
        tokio::pin!(moved);
        let mut all_is_moved = None;
        {
            let followed = self.follow(&mut launched, &mut seen, stop);
            tokio::pin!(followed);
            tokio::select! {
                followed = &mut followed => followed?,
                done = &mut moved => {
                    // a program may close its output long before it ends
                    if done.is_ok() {
                        followed.await?;
                    }
                    all_is_moved = Some(done);
                }
            }
        }
        // closing the channel ends what still runs because its output could not be kept
        launched.end().await?;
        if seen.ended.is_none() && seen.unstarted.is_none() {
            self.folder.end_processes().await;
        }
        match all_is_moved {
            Some(done) => done.map(drop)?,
            None => match timeout(REST_LIMIT, moved).await {
                Ok(done) => done.map(drop)?,
                Err(_) => tracing::warn!("something that a job has left holds its output; the rest of it is not kept"),
            },
        }
        Ok(seen)
    }

    /// Follows the launcher's reports, and stops the program when it is time to.
    async fn follow(&self, launched: &mut Launched, seen: &mut Seen, mut stop: Stop) -> std::io::Result<()> {
        let mut time_is_over = Instant::now() + Duration::from_secs(self.call.timeout);
        let mut grace_is_over = Instant::now() + NEVER;
        let mut stopping = false;
        loop {
            tokio::select! {
                report = launched.report() => match report? {
                    None => return Ok(()),
                    Some(Report::Started(isolation)) => seen.isolation = isolation,
                    Some(Report::Unstarted(failure)) => seen.unstarted = Some(failure),
                    Some(Report::Ended(ending)) => seen.ended = Some(ending),
                    Some(Report::Probed(_)) => {}
                },
                () = stop.requested(), if !seen.stopped => {
                    seen.stopped = true;
                    if !stopping {
                        launched.command(Command::Terminate).await;
                        grace_is_over = Instant::now() + self.grace;
                    }
                    stopping = true;
                }
                () = sleep_until(time_is_over) => {
                    time_is_over = Instant::now() + NEVER;
                    if !stopping {
                        seen.timed_out = true;
                        launched.command(Command::Terminate).await;
                        grace_is_over = Instant::now() + self.grace;
                    }
                    stopping = true;
                }
                () = sleep_until(grace_is_over) => {
                    grace_is_over = Instant::now() + NEVER;
                    launched.command(Command::Kill).await;
                }
            }
        }
    }

    /// Judges what came of a program.
    async fn judge(
        &mut self,
        seen: Seen,
        printed: &Printed,
        limits: &Limits,
        called: String,
        memory_ran_out: bool,
    ) -> Result<Ended, StoreError> {
        let read = verdict::read(&printed.stdout, self.config, self.call, self.redactor);
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
        outcome.usage = Some(usage(seen.ended.as_ref()));
        let detail = Detail {
            output: read.output.filter(|_| seen.ended.is_some()),
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
    async fn end(&mut self, mut outcome: Outcome, mut detail: Detail, called: String) -> Result<Ended, StoreError> {
        let error = outcome.error.take();
        let error = error.map(|error| self.redactor.text(&sentence(&error)));
        let error: Option<String> = error.map(|error| error.chars().take(MAX_ERROR_CHARS).collect());
        let event = if error.is_none() {
            "call_answered"
        } else {
            "call_failed"
        };
        let facts = json!({"exit_code": detail.exit_code, "isolation": detail.isolation, "error": error});
        self.tell(event, facts).await?;
        outcome.error = error;
        let passing = [EXIT_CODE, Reason::TIMEOUT];
        let reason = outcome.reason.as_ref().filter(|reason| passing.contains(reason));
        let again = reason.and_then(|reason| self.call.again(self.retries, reason, true, None));
        if let Some(pause) = again {
            let facts =
                json!({"retry": self.retries + 1, "pause_seconds": pause.as_secs_f64(), "error": outcome.error});
            self.tell("call_retried", facts).await?;
        }
        detail.called = Some(called);
        outcome.detail = Object::of(&detail);
        Ok(Ended {
            again,
            ..Ended::with(outcome)
        })
    }

    /// Writes an event; facts that are null are left out.
    async fn tell(&mut self, event: &str, mut facts: Value) -> Result<(), StoreError> {
        self.events += 1;
        if let Some(facts) = facts.as_object_mut() {
            facts.retain(|_, fact| !fact.is_null());
        }
        facts["counter"] = self.events.into();
        facts["event"] = event.into();
        facts["created"] = SystemClock.now().to_string().into();
        self.output.event(&facts).await
    }
}

fn usage(ending: Option<&Ending>) -> Usage {
    Usage {
        cpu_seconds: ending.map(|ending| ending.cpu_seconds).filter(|seconds| *seconds > 0.0),
        peak_memory_bytes: ending.map(|ending| ending.peak_memory_bytes).filter(|bytes| *bytes > 0),
        ..Usage::default()
    }
}
