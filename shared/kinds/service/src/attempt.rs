//! One attempt of a call: what is told of it, and whether another one follows.

use std::time::Duration;

use callboard_core::base::causes::causes;
use callboard_core::base::object::Object;
use callboard_core::base::sentence::sentence;
use callboard_core::base::store_error::StoreError;
use callboard_core::job::{Outcome, Usage};
use callboard_core::output::Output;
use callboard_core::request::Reason;
use callboard_core::run::Ended;
use serde_json::json;
use tokio::time::timeout;

use crate::detail::{CallProgress, Detail, SERVICE_UNREACHABLE};
use crate::events::Events;
use crate::request::Call;

/// How long an error may be, in characters: it may name what a service has answered.
const MAX_ERROR_CHARS: usize = 2000;

/// Cuts what an error tells to what a record takes of it.
#[must_use]
pub fn shortened(text: &str) -> String {
    text.chars().take(MAX_ERROR_CHARS).collect()
}

/// Makes the sentence of an error from a part of one, which may have much of what was printed in it.
#[must_use]
pub fn told(text: &str) -> String {
    sentence(&shortened(text))
}

/// What came of one try.
#[derive(Debug)]
pub struct Tried {
    /// The outcome, without its detail.
    pub outcome: Outcome,
    /// What else is told of it.
    pub detail: Detail,
    /// Whether another try may end differently.
    pub transient: bool,
    /// Whether the service may have done what it was asked to do.
    pub done: bool,
    /// What the service asks to wait.
    pub asked: Option<Duration>,
}

impl Tried {
    /// Makes the result of a try that has no answer, with a part of a sentence.
    #[must_use]
    pub fn failed(reason: Reason, error: impl Into<String>, done: bool, transient: bool) -> Self {
        Self {
            outcome: Outcome::failed(reason, error.into()),
            detail: Detail::default(),
            transient,
            done,
            asked: None,
        }
    }
}

/// Makes the outcome of a job that a newer release accepted. `why` says what of it this release cannot read.
#[must_use]
pub fn unreadable(why: &str) -> Outcome {
    let error = format!("A newer release accepted this job, and this one cannot run it: {why}.");
    Outcome::failed(Reason::RUNNER_ERROR, error)
}

/// Makes the outcome of an attempt whose output the log store does not take.
#[must_use]
pub fn unkept(error: &StoreError) -> Outcome {
    let error = format!("The output could not be kept: {}.", causes(error.cause()));
    Outcome::failed(Reason::RUNNER_ERROR, error)
}

/// One attempt of a job that is a call.
pub struct Attempt<'a> {
    /// The call.
    pub call: &'a Call,
    /// What is called: a service, a function.
    pub what: &'static str,
    /// How the record names it, without secrets.
    pub called: String,
    /// How often the job was tried again before.
    pub retries: u32,
    /// The job's output.
    pub output: &'a Output,
    /// The attempt's events.
    pub events: &'a Events<'a>,
}

impl Attempt<'_> {
    /// Tries once, within the operation's time limit. Where another attempt may end differently and does no harm, the end says after
    /// which pause. `redact` takes secrets out of a text.
    ///
    /// # Errors
    /// The log store refuses a write.
    pub async fn run(
        &self,
        redact: impl Fn(&str) -> String,
        trying: impl Future<Output = Result<Tried, StoreError>>,
    ) -> Result<Ended, StoreError> {
        let tried = self.once(redact, trying).await?;
        let reason = tried.outcome.reason.as_ref().filter(|_| tried.transient);
        let again = reason.and_then(|reason| self.call.again(self.retries, reason, tried.done, tried.asked));
        if let Some(pause) = again {
            let error = tried.outcome.error.as_deref();
            self.events.retried(self.retries, pause, error).await?;
        }
        let failed = tried.outcome.reason.is_some();
        let detail = Object::of(&Detail {
            no_effect: failed && !tried.done,
            ..tried.detail
        });
        let outcome = Outcome {
            detail,
            ..tried.outcome
        };
        Ok(Ended {
            again,
            ..Ended::with(outcome)
        })
    }

    async fn once(
        &self,
        redact: impl Fn(&str) -> String,
        trying: impl Future<Output = Result<Tried, StoreError>>,
    ) -> Result<Tried, StoreError> {
        self.output.report(Object::of(&CallProgress {
            called: Some(self.called.clone()),
        }));
        let facts = json!({"called": self.called});
        self.events.tell("call_started", facts).await?;
        let limit = Duration::from_secs(self.call.timeout);
        let mut tried = match timeout(limit, trying).await {
            Ok(tried) => tried?,
            Err(_) => {
                let told = format!("the {} did not answer within {} s", self.what, limit.as_secs());
                Tried::failed(SERVICE_UNREACHABLE, told, true, true)
            }
        };
        let error = tried.outcome.error.take();
        let error = error.map(|error| shortened(&redact(&sentence(&error))));
        let facts = json!({"status_code": tried.detail.status_code});
        self.events.ended(error.as_deref(), facts).await?;
        tried.detail.called.get_or_insert_with(|| self.called.clone());
        tried.outcome.error = error;
        tried.outcome.usage.get_or_insert_with(Usage::default);
        Ok(tried)
    }
}
