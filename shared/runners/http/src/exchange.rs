//! One try of a call: the request, the redirects that are followed, and the questions for the end of work that goes on.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use callboard_core::base::causes::causes;
use callboard_core::base::fields::Faults;
use callboard_core::base::store_error::StoreError;
use callboard_core::output::Output;
use callboard_http::{Answer, Caller};
use callboard_kind_service::attempt::Tried;
use callboard_kind_service::config::{HttpConfig, Poll};
use callboard_kind_service::detail::{TRANSIENT, UNDONE};
use callboard_kind_service::events::Events;
use callboard_kind_service::request::Call;
use callboard_kind_service::schema::Schema;
use http::header::{CONTENT_TYPE, LOCATION};
use http::{Method, StatusCode};
use serde_json::{Value, json};
use url::Url;

use crate::answer::{self, Answered};
use crate::authorize::Authorizer;
use crate::redaction::Redaction;
use crate::request::{Prepared, is_same_origin};
use crate::verdict::{self, Unanswered};

/// One try of a call.
pub(crate) struct Exchange<'a> {
    pub(crate) caller: &'a Caller,
    pub(crate) config: &'a HttpConfig,
    pub(crate) prepared: &'a Prepared,
    pub(crate) authorizer: &'a Authorizer<'a>,
    pub(crate) redaction: &'a Redaction,
    pub(crate) output: &'a Output,
    pub(crate) events: Events<'a>,
    /// Whether the service has begun to do what it was asked to do, whatever follows.
    pub(crate) begun: AtomicBool,
}

impl Exchange<'_> {
    /// Tries once.
    ///
    /// # Errors
    /// The log store's.
    pub(crate) async fn run(&self, call: &Call) -> Result<Tried, StoreError> {
        let mut tried = match self.call().await {
            Ok(answered) => verdict::answered(answered, self.config, call),
            Err(unanswered) => verdict::unanswered(unanswered)?,
        };
        tried.done |= self.begun.load(Ordering::Relaxed);
        Ok(tried)
    }

    /// Sends the request, and reads the answer; then asks for the end of work that goes on.
    async fn call(&self) -> Result<Answered, Unanswered> {
        let answered = self.ask(&self.prepared.method, &self.prepared.url).await?;
        match &self.config.poll {
            Some(poll) if answered.status == 202 && answered.broken.is_none() => self.follow(poll, &answered).await,
            _ => Ok(answered),
        }
    }

    /// Asks for the end of work that goes on, until that has come.
    async fn follow(&self, poll: &Poll, accepted: &Answered) -> Result<Answered, Unanswered> {
        let over = Schema::compile(&poll.until).map_err(|wrong| Unanswered::Told(wrong.detail))?;
        let place = self.place(poll, accepted)?;
        let mut last = Value::Null;
        loop {
            self.output.pause(Duration::from_secs(poll.interval.max(1))).await;
            let asked = self.ask(&Method::GET, &place).await;
            self.tell_poll(&place, &asked, &mut last)
                .await
                .map_err(Unanswered::Store)?;
            // the work goes on whatever becomes of the question
            let answered = match asked {
                Ok(answered) if TRANSIENT.contains(&answered.status) || answered.broken.is_some() => continue,
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

    /// Tells a question for the end of work, if its answer differs from the last one.
    async fn tell_poll(
        &self,
        place: &str,
        asked: &Result<Answered, Unanswered>,
        last: &mut Value,
    ) -> Result<(), StoreError> {
        let answer = match asked {
            Ok(answered) => json!([answered.status, answered.output, answered.broken]),
            Err(Unanswered::Call(error)) => json!(causes(error).to_string()),
            Err(_) => return Ok(()),
        };
        if *last == answer {
            return Ok(());
        }
        *last = answer;
        let status = asked.as_ref().ok().map(|answered| answered.status);
        let place = self.redaction.text(place);
        let facts = json!({"called": format!("GET {place}"), "status_code": status});
        self.events.on_the_way("call_polled", facts).await
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
                let (most, redactor) = (self.config.max_response_bytes, self.redaction.current());
                let read = answer::read(answer, most, self.output, &redactor).await;
                return read.map_err(Unanswered::Store);
            };
            // as browsers do it, and RFC 9110 allows it
            let becomes_get = status == 303 || (method == Method::POST && status < 303);
            if becomes_get && method != Method::HEAD {
                method = Method::GET;
            }
            let called = self.redaction.text(&format!("{method} {to}"));
            let told = self
                .events
                .on_the_way("call_redirected", json!({"called": called, "status_code": status}));
            told.await.map_err(Unanswered::Store)?;
            url = to;
        }
        let times = self.config.redirects;
        Err(Unanswered::Told(format!(
            "the service redirects more than {times} times"
        )))
    }

    /// Sends a request; once more if the service refuses what it shows and there is something newer to show.
    async fn send(&self, method: &Method, url: &str) -> Result<Answer, Unanswered> {
        let answer = self.send_once(method, url).await?;
        if answer.status() != StatusCode::UNAUTHORIZED {
            return Ok(answer);
        }
        match self.authorizer.renew().await.map_err(Unanswered::Unauthorized)? {
            None => Ok(answer),
            Some(secret) => {
                let added = self.redaction.add(secret);
                added.map_err(|error| Unanswered::Unauthorized(causes(&error).to_string()))?;
                self.send_once(method, url).await
            }
        }
    }

    async fn send_once(&self, method: &Method, url: &str) -> Result<Answer, Unanswered> {
        let mut request = self
            .prepared
            .to(url)
            .map_err(|error| Unanswered::Told(error.to_string()))?;
        if method == Method::GET && self.prepared.method != Method::GET {
            *request.method_mut() = Method::GET;
            request.headers_mut().remove(CONTENT_TYPE);
            request.body_mut().clear();
        }
        self.authorizer.apply(&mut request).map_err(Unanswered::Unauthorized)?;
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
