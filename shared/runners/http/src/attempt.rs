//! Calls an operation once, and reads what came of it.

use std::sync::atomic::Ordering;
use std::time::Duration;

use callboard_core::base::causes::causes;
use callboard_core::base::object::Object;
use callboard_core::base::sentence::sentence;
use callboard_core::base::store_error::StoreError;
use callboard_core::job::{Outcome, Usage};
use callboard_core::run::Ended;
use callboard_kind_service::detail::CallProgress;
use callboard_kind_service::request::Call;
use serde_json::json;
use tokio::time::timeout;

use crate::exchange::{Exchange, Unanswered};
use crate::verdict::Tried;

/// How long an error may be, in characters: it may name what a service has answered.
const MAX_ERROR_CHARS: usize = 2000;

/// One attempt of a job.
pub(crate) struct Attempt<'a> {
    pub(crate) call: &'a Call,
    pub(crate) exchange: Exchange<'a>,
    /// How often the job was tried again before.
    pub(crate) retries: u32,
}

impl Attempt<'_> {
    /// Calls once. Where another attempt may end differently and does no harm, the end says after which pause.
    ///
    /// # Errors
    /// The log store refuses a write.
    pub(crate) async fn run(&self) -> Result<Ended, StoreError> {
        let tried = self.once().await?;
        let reason = tried.outcome.reason.as_ref().filter(|_| tried.transient);
        let again = reason.and_then(|reason| self.call.again(self.retries, reason, tried.done, tried.asked));
        if let Some(pause) = again {
            let facts =
                json!({"retry": self.retries + 1, "pause_seconds": pause.as_secs_f64(), "error": tried.outcome.error});
            self.exchange.events.tell("call_retried", facts).await?;
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
    async fn once(&self) -> Result<Tried, StoreError> {
        let Exchange {
            prepared,
            redaction,
            output,
            events,
            ..
        } = &self.exchange;
        let called = redaction.text(&format!("{} {}", prepared.method, prepared.url));
        output.report(Object::of(&CallProgress {
            called: Some(called.clone()),
        }));
        events.tell("call_started", json!({"called": called})).await?;
        let limit = Duration::from_secs(self.call.timeout);
        let mut tried = match timeout(limit, self.exchange.run()).await {
            Ok(Ok(answered)) => Tried::answered(answered, self.exchange.config, self.call),
            Ok(Err(Unanswered::Store(error))) => return Err(error),
            Ok(Err(Unanswered::Call(error))) => {
                Tried::failed(causes(&error).to_string(), error.sent, !error.is_refused())
            }
            Ok(Err(Unanswered::Told(told))) => Tried::failed(told, true, false),
            Ok(Err(Unanswered::Unauthorized(told))) => Tried::unauthorized(told),
            Err(_) => {
                let told = format!("the service did not answer within {} s", limit.as_secs());
                Tried::failed(told, true, true)
            }
        };
        tried.done |= self.exchange.begun.load(Ordering::Relaxed);
        let error = tried.outcome.error.take();
        let error = error.map(|error| redaction.text(&sentence(&error)));
        let error: Option<String> = error.map(|error| error.chars().take(MAX_ERROR_CHARS).collect());
        let event = if error.is_none() {
            "call_answered"
        } else {
            "call_failed"
        };
        let facts = json!({"status_code": tried.detail.status_code, "error": error});
        events.tell(event, facts).await?;
        tried.detail.called = Some(called);
        tried.outcome.error = error;
        tried.outcome.usage = Some(Usage::default());
        Ok(tried)
    }
}
