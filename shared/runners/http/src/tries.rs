//! Calls an operation, again where that is allowed, and reads what came of it.

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
use callboard_core::request::Reason;
use callboard_http::Caller;
use callboard_kind_service::config::HttpConfig;
use callboard_kind_service::request::Call;
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use crate::exchange::{Exchange, Unanswered};
use crate::request::Prepared;
use crate::verdict::Tried;

/// How long an error may be, in characters: it may name what a service has answered.
const MAX_ERROR_CHARS: usize = 2000;

/// The tries of one job.
pub(crate) struct Tries<'a> {
    pub(crate) caller: &'a Caller,
    pub(crate) call: &'a Call,
    pub(crate) config: &'a HttpConfig,
    pub(crate) prepared: &'a Prepared,
    pub(crate) redactor: &'a Arc<Redactor>,
    pub(crate) output: &'a Output,
    pub(crate) events: u64,
}

impl Tries<'_> {
    /// Tries until the call is successful, or another try is not allowed.
    ///
    /// # Errors
    /// The log store refuses a write.
    pub(crate) async fn run(&mut self) -> Result<Outcome, StoreError> {
        let retry = &self.call.retry;
        let mut number = 0;
        loop {
            let tried = self.once().await?;
            let reason = tried.outcome.reason.as_ref().map(Reason::as_str).unwrap_or_default();
            let may = tried.transient
                && number < retry.max_retries
                && (self.call.idempotent || !tried.done)
                && !retry.non_retryable.iter().any(|known| known == reason);
            if !may {
                let detail = Object::of(&tried.detail);
                return Ok(Outcome {
                    detail,
                    ..tried.outcome
                });
            }
            let pause = retry.pause(number + 1, tried.asked);
            let error = tried.outcome.error.unwrap_or_default();
            self.tell(
                "call_retried",
                json!({"retry": number + 1, "pause_seconds": pause.as_secs_f64(), "error": error}),
            )
            .await?;
            sleep(pause).await;
            number += 1;
        }
    }

    /// Tries once, within the operation's time limit.
    async fn once(&mut self) -> Result<Tried, StoreError> {
        let called = self
            .redactor
            .text(&format!("{} {}", self.prepared.method, self.prepared.url));
        self.tell("call_started", json!({"request": called})).await?;
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

    async fn tell(&mut self, event: &str, mut facts: Value) -> Result<(), StoreError> {
        self.events += 1;
        facts["counter"] = self.events.into();
        facts["event"] = event.into();
        facts["created"] = SystemClock.now().to_string().into();
        self.output.event(&facts).await
    }
}
