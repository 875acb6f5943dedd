//! One try of a call: the request, the redirects that are followed, and the questions for the end of work that goes on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use callboard_core::base::fields::Faults;
use callboard_core::base::store_error::StoreError;
use callboard_core::output::Output;
use callboard_core::redact::Redactor;
use callboard_http::{Answer, CallError, Caller};
use callboard_kind_service::config::{HttpConfig, Poll};
use callboard_kind_service::schema::Schema;
use http::Method;
use http::header::{CONTENT_TYPE, LOCATION};
use serde_json::Value;
use tokio::time::sleep;
use url::Url;

use crate::answer::{self, Answered, Unread};
use crate::request::{Prepared, is_same_origin};
use crate::verdict::{TRANSIENT, UNDONE};

/// One try of a call.
pub(crate) struct Exchange<'a> {
    pub(crate) caller: &'a Caller,
    pub(crate) config: &'a HttpConfig,
    pub(crate) prepared: &'a Prepared,
    pub(crate) redactor: &'a Arc<Redactor>,
    pub(crate) output: &'a Output,
    /// Whether the service has begun to do what it was asked to do, whatever follows.
    pub(crate) begun: AtomicBool,
}

/// Why there is no answer.
pub(crate) enum Unanswered {
    Call(CallError),
    Told(String),
    Store(StoreError),
}

impl Exchange<'_> {
    /// Sends the request, and reads the answer; then asks for the end of work that goes on.
    pub(crate) async fn run(&self) -> Result<Answered, Unanswered> {
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
        if !is_redirect || self.config.redirects == 0 {
            return None;
        }
        self.at_service(answer.headers().get(LOCATION)?.to_str().ok()?)
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
}
