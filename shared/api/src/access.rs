//! Who asks: what each route needs, and how it is found out whether the caller has it.

mod failures;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{ConnectInfo, FromRequestParts, MatchedPath, Request, State};
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use callboard_core::access::{Action, Authenticator, Caller, Missing, Requester, Unknown};
use callboard_core::audit::Deed;
use callboard_core::base::causes::causes;
use callboard_core::job::UNKNOWN;
use callboard_core::policy::Policy;

use self::failures::Failures;
use crate::problem::{Kind, Problem};
use crate::request_id::REQUEST_ID;

/// What a request must show to reach a route.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Need {
    /// Nothing: everybody may ask.
    Nothing,
    /// A scope that includes the action; and what the audit log calls what the request does.
    Scope(Action, Deed),
}

/// What each route needs. The handlers look at what scopes are bound to.
pub(crate) const ROUTES: &[(&str, &str, Need)] = &[
    ("GET", "/api/v1/jobs", Need::Scope(Action::JobsRead, Deed::JobRead)),
    ("POST", "/api/v1/jobs", Need::Scope(Action::JobsRun, Deed::JobSubmit)),
    (
        "POST",
        "/api/v1/jobs/redrive",
        Need::Scope(Action::JobsRun, Deed::JobsRedrive),
    ),
    (
        "GET",
        "/api/v1/jobs/{job_id}",
        Need::Scope(Action::JobsRead, Deed::JobRead),
    ),
    (
        "DELETE",
        "/api/v1/jobs/{job_id}",
        Need::Scope(Action::JobsCancel, Deed::JobCancel),
    ),
    (
        "POST",
        "/api/v1/jobs/{job_id}/cancel",
        Need::Scope(Action::JobsCancel, Deed::JobCancel),
    ),
    (
        "POST",
        "/api/v1/jobs/{job_id}/redrive",
        Need::Scope(Action::JobsRun, Deed::JobRedrive),
    ),
    (
        "GET",
        "/api/v1/jobs/{job_id}/logs",
        Need::Scope(Action::JobsRead, Deed::JobRead),
    ),
    (
        "GET",
        "/api/v1/jobs/{job_id}/events",
        Need::Scope(Action::JobsRead, Deed::JobRead),
    ),
    (
        "GET",
        "/api/v1/credentials",
        Need::Scope(Action::CredentialsRead, Deed::CredentialRead),
    ),
    (
        "POST",
        "/api/v1/credentials",
        Need::Scope(Action::CredentialsWrite, Deed::CredentialCreate),
    ),
    (
        "GET",
        "/api/v1/credentials/{name}",
        Need::Scope(Action::CredentialsRead, Deed::CredentialRead),
    ),
    (
        "PUT",
        "/api/v1/credentials/{name}",
        Need::Scope(Action::CredentialsWrite, Deed::CredentialReplace),
    ),
    (
        "DELETE",
        "/api/v1/credentials/{name}",
        Need::Scope(Action::CredentialsWrite, Deed::CredentialDelete),
    ),
    ("GET", "/api/v1/keys", Need::Scope(Action::KeysRead, Deed::KeyRead)),
    ("POST", "/api/v1/keys", Need::Scope(Action::KeysWrite, Deed::KeyCreate)),
    (
        "GET",
        "/api/v1/keys/{key_id}",
        Need::Scope(Action::KeysRead, Deed::KeyRead),
    ),
    (
        "DELETE",
        "/api/v1/keys/{key_id}",
        Need::Scope(Action::KeysWrite, Deed::KeyRevoke),
    ),
    (
        "POST",
        "/api/v1/keys/{key_id}/rotate",
        Need::Scope(Action::KeysWrite, Deed::KeyRotate),
    ),
    (
        "GET",
        "/api/v1/services",
        Need::Scope(Action::ServicesRead, Deed::ServiceRead),
    ),
    (
        "GET",
        "/api/v1/services/{service}",
        Need::Scope(Action::ServicesRead, Deed::ServiceRead),
    ),
    (
        "GET",
        "/api/v1/services/{service}/operations/{operation}",
        Need::Scope(Action::ServicesRead, Deed::ServiceRead),
    ),
    (
        "POST",
        "/api/v1/services/{service}/operations/{operation}/test",
        Need::Scope(Action::JobsRun, Deed::OperationTest),
    ),
    ("GET", "/api/v1/audit", Need::Scope(Action::AuditRead, Deed::AuditRead)),
    (
        "GET",
        "/api/v1/stats/performance",
        Need::Scope(Action::JobsRead, Deed::JobRead),
    ),
    (
        "GET",
        "/api/v1/stats/resources",
        Need::Scope(Action::JobsRead, Deed::JobRead),
    ),
    (
        "GET",
        "/api/v1/stats/failures",
        Need::Scope(Action::JobsRead, Deed::JobRead),
    ),
    ("GET", "/health/live", Need::Nothing),
    ("GET", "/health/ready", Need::Nothing),
    ("GET", "/openapi.json", Need::Nothing),
];

/// How it is found out who asks.
#[derive(Clone)]
pub struct Access {
    ways: Ways,
    failures: Arc<Failures>,
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
        }
    }

    /// Finds out who sends a request.
    async fn requester(&self, parts: &Parts) -> Result<Requester, Problem> {
        let source_ip = source_ip(parts);
        let caller = match &self.ways {
            Ways::Aws(policy) => of_aws(policy, parts)?,
            Ways::Local => everybody(source_ip.as_deref()),
            Ways::Alone(authenticator) if self.is_open(authenticator).await? => everybody(source_ip.as_deref()),
            Ways::Alone(authenticator) | Ways::Shown(authenticator) => {
                self.shown_caller(authenticator, &parts.headers, source_ip.as_deref())
                    .await?
            }
        };
        Ok(Requester {
            caller,
            source_ip,
            request_id: request_id(parts),
        })
    }

    async fn is_open(&self, authenticator: &Authenticator) -> Result<bool, Problem> {
        authenticator.knows_nobody().await.map_err(Problem::from)
    }

    async fn shown_caller(
        &self,
        authenticator: &Authenticator,
        headers: &HeaderMap,
        source_ip: Option<&str>,
    ) -> Result<Caller, Problem> {
        // who shows nothing does not guess
        let shown = shown(headers)?;
        match authenticator.caller(shown).await {
            Ok(caller) => Ok(caller),
            Err(Unknown::Refused(told)) => Err(self.failures.answer(source_ip, told)),
            Err(error @ Unknown::Unavailable(_)) => {
                tracing::error!(error = %causes(&error), "a caller cannot be identified");
                Err(Problem::unavailable(
                    "Who sends the request cannot be found out at the moment; try again.",
                ))
            }
        }
    }
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

/// Returns what a request shows.
fn shown(headers: &HeaderMap) -> Result<&str, Problem> {
    let mut given = headers.get_all(AUTHORIZATION).iter();
    let none = "The request shows neither an API key nor a token. Send one in the header `Authorization: Bearer KEY`; `callboard \
                keys create` makes a key.";
    let value = given.next().ok_or_else(|| Problem::new(Kind::Unauthenticated, none))?;
    let wrong = || {
        Problem::new(
            Kind::Unauthenticated,
            "The header Authorization must be `Bearer KEY`, and be sent once.",
        )
    };
    if given.next().is_some() {
        return Err(wrong());
    }
    let (scheme, shown) = value
        .to_str()
        .ok()
        .and_then(|text| text.split_once(' '))
        .ok_or_else(wrong)?;
    let shown = shown.trim();
    let fits = scheme.eq_ignore_ascii_case("bearer") && !shown.is_empty();
    fits.then_some(shown).ok_or_else(wrong)
}

/// Makes the problem of a caller that may not do something.
pub(crate) fn forbidden(missing: &Missing) -> Problem {
    Problem::new(Kind::Forbidden, missing.detail.clone())
}

/// Finds out who asks before a handler is called. The answer has it as an extension.
pub(crate) async fn ask(State(access): State<Access>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let Need::Scope(action, _) = need_of(&parts) else {
        return next.run(Request::from_parts(parts, body)).await;
    };
    let requester = match access.requester(&parts).await {
        Ok(requester) => requester,
        Err(problem) => return problem.into_response(),
    };
    let mut response = match requester.caller.may(action) {
        Ok(()) => {
            parts.extensions.insert(requester.clone());
            next.run(Request::from_parts(parts, body)).await
        }
        Err(missing) => forbidden(&missing).into_response(),
    };
    response.extensions_mut().insert(requester);
    response
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

/// Returns what a route needs.
pub(crate) fn need_of_route(method: &str, path: &str) -> Need {
    let known = ROUTES
        .iter()
        .find(|(known, route, _)| *known == method && *route == path);
    known.map_or(Need::Nothing, |(_, _, need)| *need)
}

/// Who sends the request. A route that needs a scope has it.
pub(crate) struct Asking(pub(crate) Requester);

impl<S: Send + Sync> FromRequestParts<S> for Asking {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        // a route that is missing from the table is closed
        parts.extensions.get().cloned().map(Self).ok_or_else(Problem::internal)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;

    #[test]
    fn the_table_has_every_route_and_no_other() -> Result<(), serde_json::Error> {
        let document: Value = serde_json::from_str(include_str!("../../../infra/openapi.json"))?;
        let documented: BTreeSet<(String, String)> = document["paths"]
            .as_object()
            .into_iter()
            .flatten()
            .flat_map(|(path, methods)| {
                let methods = methods.as_object().into_iter().flat_map(|methods| methods.keys());
                methods.map(move |method| (method.to_uppercase(), path.clone()))
            })
            .collect();
        let known = ROUTES
            .iter()
            .map(|(method, path, _)| ((*method).to_owned(), (*path).to_owned()));
        assert_eq!(known.collect::<BTreeSet<_>>(), documented);
        Ok(())
    }
}
