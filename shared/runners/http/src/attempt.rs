//! Calls an operation once, and reads what came of it.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use callboard_core::base::causes::causes;
use callboard_core::base::object::Object;
use callboard_core::base::sentence::sentence;
use callboard_core::base::store_error::StoreError;
use callboard_core::base::time::{Clock, SystemClock};
use callboard_core::job::{Outcome, Usage};
use callboard_core::output::Output;
use callboard_core::redact::Redactor;
use callboard_core::run::Ended;
use callboard_http::Caller;
use callboard_kind_service::config::HttpConfig;
use callboard_kind_service::detail::CallProgress;
use callboard_kind_service::request::Call;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::exchange::{Exchange, Unanswered};
use crate::request::Prepared;
use crate::verdict::Tried;

/// How long an error may be, in characters: it may name what a service has answered.
const MAX_ERROR_CHARS: usize = 2000;

/// One attempt of a job.
pub(crate) struct Attempt<'a> {
    pub(crate) caller: &'a Caller,
    pub(crate) call: &'a Call,
    pub(crate) config: &'a HttpConfig,
    pub(crate) prepared: &'a Prepared,
    pub(crate) redactor: &'a Arc<Redactor>,
    pub(crate) output: &'a Output,
    /// How often the job was tried again before.
    pub(crate) retries: u32,
    pub(crate) events: u64,
}

impl Attempt<'_> {
    /// Calls once. Where another attempt may end differently and does no harm, the end says after which pause.
    ///
    /// # Errors
    /// The log store refuses a write.
    pub(crate) async fn run(&mut self) -> Result<Ended, StoreError> {
        let tried = self.once().await?;
        let reason = tried.outcome.reason.as_ref().filter(|_| tried.transient);
        let again = reason.and_then(|reason| self.call.again(self.retries, reason, tried.done, tried.asked));
        if let Some(pause) = again {
            let facts =
                json!({"retry": self.retries + 1, "pause_seconds": pause.as_secs_f64(), "error": tried.outcome.error});
            self.tell("call_retried", facts).await?;
        }
        let detail = Object::of(&tried.detail);
        let outcome = Outcome {
            detail,
            ..tried.outcome
        };
        Ok(Ended {
            again,
            ..Ended::with(outcome)
        })
    }

    /// Tries once, within the operation's time limit.
    async fn once(&mut self) -> Result<Tried, StoreError> {
        let called = self
            .redactor
            .text(&format!("{} {}", self.prepared.method, self.prepared.url));
        self.output.report(Object::of(&CallProgress {
            called: Some(called.clone()),
        }));
        self.tell("call_started", json!({"called": called})).await?;
        let exchange = Exchange {
            caller: self.caller,
            config: self.config,
            prepared: self.prepared,
            redactor: self.redactor,
            output: self.output,
            begun: AtomicBool::new(false),
        };
        let limit = Duration::from_secs(self.call.timeout);
        let mut tried = match timeout(limit, exchange.run()).await {
            Ok(Ok(answered)) => Tried::answered(answered, self.config, self.call),
            Ok(Err(Unanswered::Store(error))) => return Err(error),
            Ok(Err(Unanswered::Call(error))) => {
                Tried::failed(causes(&error).to_string(), error.sent, !error.is_refused())
            }
            Ok(Err(Unanswered::Told(told))) => Tried::failed(told, true, false),
            Err(_) => {
                let told = format!("the service did not answer within {} s", limit.as_secs());
                Tried::failed(told, true, true)
            }
        };
        tried.done |= exchange.begun.into_inner();
        let error = tried.outcome.error.take();
        let error = error.map(|error| self.redactor.text(&sentence(&error)));
        let error: Option<String> = error.map(|error| error.chars().take(MAX_ERROR_CHARS).collect());
        let event = if error.is_none() {
            "call_answered"
        } else {
            "call_failed"
        };
        let facts = json!({"status_code": tried.detail.status_code, "error": error});
        self.tell(event, facts).await?;
        tried.detail.called = Some(called);
        tried.outcome.error = error;
        tried.outcome.usage = Some(Usage::default());
        Ok(tried)
    }

    /// Writes an event; facts that are null are left out.
    async fn tell(&mut self, event: &str, mut facts: Value) -> Result<(), StoreError> {
        self.events += 1;
        if let Value::Object(facts) = &mut facts {
            facts.retain(|_, fact| !fact.is_null());
        }
        facts["counter"] = self.events.into();
        facts["event"] = event.into();
        facts["created"] = SystemClock.now().to_string().into();
        self.output.event(&facts).await
    }
}
