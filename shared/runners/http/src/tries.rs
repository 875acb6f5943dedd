//! Calls an operation, again where that is allowed, and reads what came of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use callboard_core::base::causes::causes;
use callboard_core::base::fields::Faults;
use callboard_core::base::object::Object;
use callboard_core::base::sentence::sentence;
use callboard_core::base::store_error::StoreError;
use callboard_core::base::time::{Clock, SystemClock};
use callboard_core::job::{Outcome, Usage};
use callboard_core::output::Output;
use callboard_core::redact::Redactor;
use callboard_core::request::Reason;
use callboard_http::{Answer, CallError, Caller};
use callboard_kind_service::config::{HttpConfig, Poll};
use callboard_kind_service::detail::{Detail, HTTP_STATUS, OUTPUT_INVALID, SERVICE_UNREACHABLE};
use callboard_kind_service::request::Call;
use callboard_kind_service::schema::Schema;
use http::Method;
use http::header::{CONTENT_TYPE, LOCATION};
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};
use url::Url;

use crate::answer::{self, Answered, Unread};
use crate::request::{Prepared, is_same_origin};

/// How long an error may be, in characters: it may name what a service has answered.
const MAX_ERROR_CHARS: usize = 2000;
/// Answers that another try may change.
const TRANSIENT: [u16; 7] = [408, 425, 429, 500, 502, 503, 504];
/// Those with which a service says that it has done nothing.
const UNDONE: [u16; 2] = [425, 429];

/// The tries of one job.
pub(crate) struct Tries<'a> {
    pub(crate) caller: &'a Caller,
    pub(crate) call: &'a Call,
    pub(crate) config: &'a HttpConfig,
    pub(crate) prepared: &'a Prepared,
    pub(crate) redactor: &'a Arc<Redactor>,
    pub(crate) output: &'a Output,
    pub(crate) events: u64,
    /// Whether the service has begun to do what it was asked to do in this try, whatever follows.
    pub(crate) begun: AtomicBool,
}

/// What came of one try.
struct Tried {
    outcome: Outcome,
    /// Whether another try may end differently.
    transient: bool,
    /// Whether the service may have done what it was asked to do.
    done: bool,
    /// What the service asks to wait.
    asked: Option<Duration>,
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
                return Ok(tried.outcome);
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
        let limit = Duration::from_secs(self.call.timeout);
        let mut tried = match timeout(limit, self.exchange()).await {
            Ok(Ok(answered)) => self.judge(answered),
            Ok(Err(Unanswered::Store(error))) => return Err(error),
            Ok(Err(Unanswered::Call(error))) => failed(causes(&error).to_string(), error.sent, !error.is_refused()),
            Ok(Err(Unanswered::Told(told))) => failed(told, true, false),
            Err(_) => failed(
                format!("the service did not answer within {} s", limit.as_secs()),
                true,
                true,
            ),
        };
        tried.done |= self.begun.swap(false, Ordering::Relaxed);
        let error = tried.outcome.error.take().map(|error| {
            self.redactor
                .text(&sentence(&error))
                .chars()
                .take(MAX_ERROR_CHARS)
                .collect::<String>()
        });
        tried.outcome.error.clone_from(&error);
        let mut detail: Detail = tried.outcome.detail.read().unwrap_or_default();
        detail.called = Some(called);
        let status = detail.status_code;
        tried.outcome.detail = Object::of(&detail);
        tried.outcome.usage = Some(Usage::default());
        let facts = json!({"status_code": status, "error": error});
        let event = if error.is_none() {
            "call_answered"
        } else {
            "call_failed"
        };
        self.tell(event, facts).await?;
        Ok(tried)
    }

    /// Sends the request, and reads the answer; then asks for the end of work that goes on.
    async fn exchange(&self) -> Result<Answered, Unanswered> {
        let mut answered = self.ask(&self.prepared.method, &self.prepared.url).await?;
        let Some(poll) = self.config.poll.as_ref().filter(|_| answered.status == 202) else {
            return Ok(answered);
        };
        let over = Schema::compile(&poll.until).map_err(|wrong| Unanswered::Told(wrong.detail))?;
        let place = self.place(poll, &answered)?;
        loop {
            sleep(Duration::from_secs(poll.interval.max(1))).await;
            // the work goes on whatever becomes of the question
            answered = match self.ask(&Method::GET, &place).await {
                Ok(answered) if TRANSIENT.contains(&answered.status) => continue,
                Err(Unanswered::Call(_)) => continue,
                asked => asked?,
            };
            let mut faults = Faults::default();
            over.check(&answered.output, "", &mut faults);
            if faults.count() == 0 || !(200..300).contains(&answered.status) {
                return Ok(answered);
            }
        }
    }

    /// Asks once, and again where the service redirects to and that is followed.
    async fn ask(&self, method: &Method, url: &str) -> Result<Answered, Unanswered> {
        let (mut method, mut url) = (method.clone(), url.to_owned());
        for _ in 0..=self.config.redirects {
            let answer = self.send(&method, &url).await?;
            let status = answer.status().as_u16();
            if !matches!(method, Method::GET | Method::HEAD)
                && !UNDONE.contains(&status)
                && !matches!(status, 307 | 308)
            {
                self.begun.store(true, Ordering::Relaxed);
            }
            let Some(to) = self.redirected(&answer) else {
                let read = answer::read(answer, self.config.max_response_bytes, self.output, self.redactor).await;
                return read.map_err(|unread| match unread {
                    Unread::Broken(source) => Unanswered::Call(CallError { source, sent: true }),
                    Unread::Unkept(error) => Unanswered::Store(error),
                });
            };
            // as browsers do it, and RFC 9110 allows it
            let becomes_get = answer.status() == 303 || (method == Method::POST && answer.status().as_u16() < 303);
            if becomes_get && method != Method::HEAD {
                method = Method::GET;
            }
            url = to;
        }
        let times = self.config.redirects;
        Err(Unanswered::Told(format!(
            "the service redirects more than {times} times"
        )))
    }

    async fn send(&self, method: &Method, url: &str) -> Result<Answer, Unanswered> {
        let mut request = self
            .prepared
            .to(url)
            .map_err(|error| Unanswered::Told(error.to_string()))?;
        if method == Method::GET && self.prepared.method != Method::GET {
            *request.method_mut() = Method::GET;
            request.headers_mut().remove(CONTENT_TYPE);
            request.body_mut().clear();
        }
        let first_byte = Duration::from_secs(
            self.config
                .connect_timeout
                .saturating_add(self.config.first_byte_timeout),
        );
        self.caller.send(request, first_byte).await.map_err(Unanswered::Call)
    }

    /// Returns where an answer redirects to, if that is followed: the same origin, which may see what the call sends.
    fn redirected(&self, answer: &Answer) -> Option<String> {
        let is_redirect = matches!(answer.status().as_u16(), 301 | 302 | 303 | 307 | 308);
        let location = answer.headers().get(LOCATION)?.to_str().ok()?;
        (is_redirect && self.config.redirects > 0).then(|| self.at_service(location))?
    }

    /// Returns an address that the service names, if it is one of the service's own.
    fn at_service(&self, named: &str) -> Option<String> {
        let base = Url::parse(&self.prepared.url).ok()?;
        let place = base.join(named).ok()?;
        is_same_origin(&base, &place).then(|| place.into())
    }

    /// Returns where to ask for the end of work: at the service itself, and nowhere else.
    fn place(&self, poll: &Poll, answered: &Answered) -> Result<String, Unanswered> {
        let named = match &poll.url_from {
            Some(pointer) => answered.output.pointer(pointer).and_then(Value::as_str),
            None => answered.location.as_deref(),
        };
        let told = |what: &str| Unanswered::Told(format!("the service accepted the call, and {what}"));
        let named = named.ok_or_else(|| told("does not say where its end is told"))?;
        self.at_service(named)
            .ok_or_else(|| told("tells its end at another origin, which is not asked"))
    }

    /// Reads what an answer means.
    fn judge(&self, answered: Answered) -> Tried {
        let Answered {
            status,
            retry_after,
            output,
            truncated,
            ..
        } = answered;
        let is_success = self
            .config
            .success
            .status
            .iter()
            .any(|(first, last)| (*first..=*last).contains(&status));
        let mut outcome = match () {
            () if !is_success => Outcome::failed(HTTP_STATUS, format!("the service answered with status {status}")),
            () => match self.fault_of(&output, truncated) {
                Some(fault) => Outcome::failed(OUTPUT_INVALID, fault),
                None => Outcome::successful(),
            },
        };
        outcome.detail = Object::of(&Detail {
            output: Some(output),
            output_truncated: truncated,
            status_code: Some(status),
            ..Detail::default()
        });
        Tried {
            outcome,
            transient: !is_success && TRANSIENT.contains(&status),
            done: !UNDONE.contains(&status),
            asked: retry_after,
        }
    }

    /// Returns what is wrong with the output of a call that was successful.
    fn fault_of(&self, output: &Value, truncated: bool) -> Option<String> {
        let schemas = [self.config.success.body.as_ref(), self.call.output_schema.as_ref()];
        for schema in schemas.into_iter().flatten() {
            if truncated {
                return Some("the output is too large to be compared with its schema".to_owned());
            }
            let mut faults = Faults::default();
            match Schema::compile(schema) {
                Ok(schema) => schema.check(output, "", &mut faults),
                Err(wrong) => faults.add(wrong.pointer, wrong.detail),
            }
            if let Some(fault) = faults.into_inner().into_iter().next() {
                let place = if fault.pointer.is_empty() {
                    "the output"
                } else {
                    fault.pointer.as_str()
                };
                return Some(format!("the output breaks its schema: {place}: {}", fault.detail));
            }
        }
        None
    }

    async fn tell(&mut self, event: &str, mut facts: Value) -> Result<(), StoreError> {
        self.events += 1;
        facts["counter"] = self.events.into();
        facts["event"] = event.into();
        facts["created"] = SystemClock.now().to_string().into();
        self.output.event(&facts).await
    }
}

/// Why there is no answer.
enum Unanswered {
    Call(CallError),
    Told(String),
    Store(StoreError),
}

fn failed(error: String, done: bool, transient: bool) -> Tried {
    Tried {
        outcome: Outcome::failed(SERVICE_UNREACHABLE, error),
        transient,
        done,
        asked: None,
    }
}
