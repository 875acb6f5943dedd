//! Who asks: what each route needs, and how it is found out whether the caller has it.

mod counts;
mod csrf;
mod failures;
mod routes;
mod shown;
mod transport;

use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use axum::extract::{ConnectInfo, FromRequestParts, MatchedPath, Request, State};
use axum::http::header::{CACHE_CONTROL, SET_COOKIE};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use callboard_core::access::{ApiKey, Authenticator, By, Caller, KeyId, Known, Requester, SecretHash, Unknown};
use callboard_core::base::causes::causes;
use callboard_core::job::UNKNOWN;
use callboard_core::policy::Policy;
use futures_util::FutureExt;

pub(crate) use self::counts::{Counts, network};
use self::failures::Failures;
pub(crate) use self::routes::{Need, need_of_route};
use self::shown::Shown;
pub use self::transport::Transport;
use crate::problem::{Kind, Problem};
use crate::request_id::REQUEST_ID;

/// How many sessions a caller may begin in a minute. They are kept until they end, hours later.
const LOGINS: u32 = 20;

/// How it is found out who asks.
#[derive(Clone)]
pub struct Access {
    ways: Ways,
    failures: Arc<Failures>,
    logins: Arc<Counts>,
}

#[derive(Clone)]
enum Ways {
    /// Nobody else can reach the service, until there is a key.
    Alone(Arc<Authenticator>),
    /// By keys and tokens.
    Shown(Arc<Authenticator>),
    /// By the identity that API Gateway has found out.
    Aws(Arc<Policy>),
    /// Not at all.
    Local,
}

/// The caller's identity, where the transport has found it out: an ARN of AWS. It is a request extension.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The ARN of who has signed the request, if it was signed.
    pub arn: Option<String>,
    /// The address that the request comes from.
    pub source_ip: Option<String>,
}

impl Access {
    /// Lets everybody in who can reach the service, for as long as there is no key: only this machine can reach it.
    #[must_use]
    pub fn alone(authenticator: Arc<Authenticator>) -> Self {
        Self::by(Ways::Alone(authenticator))
    }

    /// Lets in who shows a key or a token.
    #[must_use]
    pub fn shown(authenticator: Arc<Authenticator>) -> Self {
        Self::by(Ways::Shown(authenticator))
    }

    /// Lets in who has signed the request, as the policy says; everybody who has if it says nothing of identities of AWS, since API
    /// Gateway has asked IAM before.
    #[must_use]
    pub fn aws(policy: Arc<Policy>) -> Self {
        Self::by(Ways::Aws(policy))
    }

    /// Lets everybody in: the functions on a developer's machine, where nobody can sign requests.
    #[must_use]
    pub fn local() -> Self {
        Self::by(Ways::Local)
    }

    fn by(ways: Ways) -> Self {
        Self {
            ways,
            failures: Arc::default(),
            logins: Arc::default(),
        }
    }

    /// Checks that a caller may begin one more session now.
    pub(crate) fn admit_login(&self, caller: &Caller) -> Result<(), Problem> {
        if self.logins.count(&caller.subject) <= LOGINS {
            return Ok(());
        }
        let detail =
            format!("The caller has begun {LOGINS} sessions within a minute; wait a minute, or use one of them.");
        Err(Problem::new(Kind::TooManySessions, detail))
    }

    /// Has a change of a key count at once for requests that this process answers.
    pub(crate) fn changed(&self, id: &KeyId) {
        if let Ways::Alone(authenticator) | Ways::Shown(authenticator) = &self.ways {
            authenticator.forget(id);
        }
    }

    /// Finds out who sends a request, and by what that is known, if anything is shown.
    async fn requester(&self, parts: &Parts) -> Result<(Requester, Option<By>), Problem> {
        let source_ip = source_ip(parts);
        let (caller, by) = match &self.ways {
            Ways::Aws(policy) => (of_aws(policy, parts)?, None),
            Ways::Local => (everybody(source_ip.as_deref()), None),
            Ways::Alone(authenticator) if is_open(authenticator).await? => (everybody(source_ip.as_deref()), None),
            Ways::Alone(authenticator) | Ways::Shown(authenticator) => {
                let known = self.shown_caller(authenticator, parts, source_ip.as_deref()).await?;
                (known.caller, Some(known.by))
            }
        };
        let requester = Requester {
            caller,
            source_ip,
            request_id: request_id(parts),
        };
        Ok((requester, by))
    }

    async fn shown_caller(
        &self,
        authenticator: &Authenticator,
        parts: &Parts,
        source_ip: Option<&str>,
    ) -> Result<Known, Problem> {
        // who shows nothing does not guess
        let known = match Shown::by(&parts.headers, Transport::of(parts))? {
            Shown::Bearer(shown) => authenticator.caller(shown).await,
            Shown::Cookie(shown) => authenticator.session(shown).await,
        };
        known.map_err(|error| match error {
            Unknown::Refused(told) => self.failures.answer(source_ip, told),
            Unknown::Unavailable(_) => {
                tracing::error!(error = %causes(&error), "a caller cannot be identified");
                Problem::unavailable("Who sends the request cannot be found out at the moment; try again.")
            }
        })
    }

    /// Completes the answer to a request that shows a session: no cache that several use keeps it, and the cookie is renewed if that is
    /// due. That comes last, so that no request waits with a cookie that is about to be refused.
    async fn complete(&self, response: &mut Response, transport: Transport, key: &ApiKey, shown: &SecretHash) {
        let headers = response.headers_mut();
        let private = HeaderValue::from_static("private, no-cache");
        headers.entry(CACHE_CONTROL).or_insert(private);
        let (Ways::Alone(authenticator) | Ways::Shown(authenticator)) = &self.ways else {
            return;
        };
        if let Some((cookie, life)) = authenticator.renewed(key, shown).await {
            headers.append(SET_COOKIE, transport.set_cookie(&cookie, life));
        }
    }
}

async fn is_open(authenticator: &Authenticator) -> Result<bool, Problem> {
    authenticator.knows_nobody().await.map_err(Problem::from)
}

fn everybody(source_ip: Option<&str>) -> Caller {
    let name = source_ip.map(|ip| format!("ip:{ip}"));
    Caller::everybody(name.unwrap_or_else(|| UNKNOWN.to_owned()))
}

fn of_aws(policy: &Policy, parts: &Parts) -> Result<Caller, Problem> {
    let identity = parts.extensions.get::<Identity>();
    let arn = identity.and_then(|identity| identity.arn.as_deref());
    let rules = policy.callers();
    match arn {
        Some(arn) if !rules.iam.is_empty() => rules.of_arn(arn).ok_or_else(|| {
            let detail = format!("The policy gives {arn} no access; its operator can add it to \"callers\".");
            Problem::new(Kind::Forbidden, detail)
        }),
        Some(arn) => Ok(Caller::everybody(arn.to_owned())),
        None => {
            let detail =
                "The request is not signed by an identity of AWS (Signature Version 4, service `execute-api`).";
            Err(Problem::new(Kind::Unauthenticated, detail))
        }
    }
}

/// Checks that a caller may send a request.
fn admit(parts: &Parts, caller: &Caller, by: Option<&By>, need: Need) -> Result<(), Problem> {
    if let Some(By::Session(key, _)) = by {
        csrf::check(parts, key)?;
    }
    match need {
        Need::Scope(action, _) => caller.may(action).map_err(Problem::forbidden),
        Need::Caller(_) | Need::Nothing => Ok(()),
    }
}

/// Returns the id of a request.
pub(crate) fn request_id(parts: &Parts) -> Option<String> {
    let id = parts.headers.get(REQUEST_ID).and_then(|id| id.to_str().ok());
    id.map(str::to_owned)
}

/// Returns the address that a request comes from.
pub(crate) fn source_ip(parts: &Parts) -> Option<String> {
    if let Some(identity) = parts.extensions.get::<Identity>() {
        return identity.source_ip.clone();
    }
    let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
    peer.map(|ConnectInfo(address)| address.ip().to_canonical().to_string())
}

/// Finds out who asks before a handler is called. The answer has it as an extension.
pub(crate) async fn ask(State(access): State<Access>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let need = need_of(&parts);
    if need == Need::Nothing {
        return next.run(Request::from_parts(parts, body)).await;
    }
    let (requester, by) = match access.requester(&parts).await {
        Ok(known) => known,
        Err(problem) => return problem.into_response(),
    };
    let mut response = match admit(&parts, &requester.caller, by.as_ref(), need) {
        Ok(()) => {
            let transport = Transport::of(&parts);
            parts.extensions.insert(requester.clone());
            parts.extensions.insert(Showing(by.clone()));
            let mut response = handled(next.run(Request::from_parts(parts, body))).await;
            if let Some(By::Session(key, shown)) = by {
                access.complete(&mut response, transport, &key, &shown).await;
            }
            response
        }
        Err(problem) => problem.into_response(),
    };
    response.extensions_mut().insert(requester);
    response
}

/// Returns the answer of a handler. One that panics has failed, and its caller is known nevertheless.
async fn handled(handler: impl Future<Output = Response>) -> Response {
    AssertUnwindSafe(handler).catch_unwind().await.unwrap_or_else(|_| {
        tracing::error!("a handler has panicked");
        Problem::internal().into_response()
    })
}

/// Returns what a request needs. A method that its route does not have is answered by the router.
pub(crate) fn need_of(parts: &Parts) -> Need {
    let path = parts.extensions.get::<MatchedPath>();
    let method = match &parts.method {
        &Method::HEAD => "GET",
        other => other.as_str(),
    };
    path.map_or(Need::Nothing, |path| need_of_route(method, path.as_str()))
}

/// Who sends the request. A route that needs a caller has it.
pub(crate) struct Asking(pub(crate) Requester);

/// By what it is known who sends the request; `None` if nothing is shown, because nobody is asked, or AWS has asked.
#[derive(Clone)]
pub(crate) struct Showing(pub(crate) Option<By>);

impl<S: Send + Sync> FromRequestParts<S> for Asking {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        // a route that is missing from the table is closed
        parts.extensions.get().cloned().map(Self).ok_or_else(Problem::internal)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Showing {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        parts.extensions.get().cloned().ok_or_else(Problem::internal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::StatusCode;

    #[test]
    fn a_handler_that_panics_is_answered_for() {
        let answer = handled(async { std::panic::resume_unwind(Box::new(())) }).now_or_never();
        let answer = answer.map(|answer| (answer.status(), answer.extensions().get::<Kind>().copied()));
        assert_eq!(answer, Some((StatusCode::INTERNAL_SERVER_ERROR, Some(Kind::Internal))));
    }
}
