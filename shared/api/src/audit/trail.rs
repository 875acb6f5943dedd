//! Writes what a request has done, why it was refused, or how it failed, to the audit log, before it is answered.

use axum::extract::{FromRequestParts, RawPathParams, Request, State};
use axum::http::Method;
use axum::http::request::Parts;
use axum::http::response::Parts as Answer;
use axum::middleware::Next;
use axum::response::{IntoResponse, IntoResponseParts, Response, ResponseParts};
use callboard_core::access::{KeyId, Requester};
use callboard_core::audit::{AuditProblem, Deed, NewEntry, note};
use callboard_core::base::id::JobId;
use tokio::sync::watch;
use tracing::Instrument;

use crate::access::{Need, need_of, request_id, source_ip};
use crate::app::App;
use crate::problem::{Kind, Problem};

/// What a request has made, where the path does not say it. It is an extension of the answer.
#[derive(Clone, Debug)]
pub(crate) struct Made(String);

/// Says that a request has changed nothing, since everything was done before. It is an extension of the answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Unchanged;

/// Whether whoever sent a request that changes something still waits for the answer.
#[derive(Clone, Debug)]
pub(crate) struct Client(Option<watch::Receiver<()>>);

/// What is known of a request before it is handled.
struct Trail {
    deed: Deed,
    /// Whether the route changes something.
    changes: bool,
    source_ip: Option<String>,
    request_id: Option<String>,
    /// The parameters of the path.
    path: Vec<(String, String)>,
}

impl Made {
    /// Names what was made.
    pub(crate) fn of(name: &impl ToString) -> Self {
        Self(name.to_string())
    }
}

impl IntoResponseParts for Made {
    type Error = std::convert::Infallible;

    fn into_response_parts(self, mut answer: ResponseParts) -> Result<ResponseParts, Self::Error> {
        answer.extensions_mut().insert(self);
        Ok(answer)
    }
}

impl Client {
    /// Returns when nobody waits for the answer any more.
    pub(crate) async fn gone(&mut self) {
        match &mut self.0 {
            Some(here) => drop(here.changed().await),
            None => std::future::pending().await,
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Client {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(parts.extensions.remove().unwrap_or(Self(None)))
    }
}

/// Handles a request, and writes what comes of it.
pub(crate) async fn record(State(app): State<App>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let Some(trail) = Trail::of(&mut parts).await else {
        return next.run(Request::from_parts(parts, body)).await;
    };
    if !trail.changes {
        let answer = next.run(Request::from_parts(parts, body)).await;
        return trail.end(&app, answer).await;
    }
    // what has begun to change something ends, and its entry is written, even if its sender hangs up
    let (here, client) = watch::channel(());
    parts.extensions.insert(Client(Some(client)));
    let handled = async move {
        let answer = next.run(Request::from_parts(parts, body)).await;
        trail.end(&app, answer).await
    };
    let answer = tokio::spawn(handled.in_current_span()).await;
    drop(here);
    answer.unwrap_or_else(|_| Problem::internal().into_response())
}

impl Trail {
    /// Returns what is known of a request that the audit log may have; `None` if anybody may send it.
    async fn of(parts: &mut Parts) -> Option<Self> {
        let (Need::Scope(_, deed) | Need::Caller(deed)) = need_of(parts) else {
            return None;
        };
        let path = RawPathParams::from_request_parts(parts, &()).await.ok();
        let path = path
            .iter()
            .flatten()
            .map(|(name, value)| (name.to_owned(), value.to_owned()));
        Some(Self {
            deed,
            changes: !matches!(parts.method, Method::GET | Method::HEAD),
            source_ip: source_ip(parts),
            request_id: request_id(parts),
            path: path.collect(),
        })
    }

    /// Writes what the answer tells, and returns it.
    async fn end(self, app: &App, answer: Response) -> Response {
        let (answer, body) = answer.into_parts();
        self.write(app, &answer).await;
        Response::from_parts(answer, body)
    }

    /// Writes an entry if an answer says that something was changed, refused, or has failed.
    async fn write(self, app: &App, answer: &Answer) {
        let by = answer.extensions.get::<Requester>();
        let problem = answer.extensions.get::<Kind>().copied();
        let problem = problem.filter(|kind| self.is_noted(*kind)).map(|kind| AuditProblem {
            kind: kind.slug().to_owned(),
            status: Some(kind.status().as_u16()),
        });
        let has_changed = answer.status.is_success() && answer.extensions.get::<Unchanged>().is_none();
        let was_done = self.changes && has_changed;
        if problem.is_none() && !was_done {
            return;
        }
        let entry = by.map_or_else(
            || NewEntry::of_nobody(self.deed),
            |by| NewEntry::of(by, self.deed, None),
        );
        let entry = NewEntry {
            problem,
            source_ip: self.source_ip.clone(),
            request_id: self.request_id.clone(),
            ..entry
        };
        let Some(left_out) = app.audit_limits.admit(&entry) else {
            return;
        };
        let object = match (answer.extensions.get::<Made>(), by) {
            (Some(Made(name)), _) => Some(name.clone()),
            (None, Some(by)) => self.object(app, by, was_done).await,
            (None, None) => None,
        };
        let entry = NewEntry {
            object,
            left_out,
            ..entry
        };
        note(&*app.audit, entry).await;
    }

    /// Returns whether a problem is written down: one of who asks, and any of what would change something.
    fn is_noted(&self, kind: Kind) -> bool {
        let of_caller = matches!(
            kind,
            Kind::Unauthenticated | Kind::Forbidden | Kind::CsrfToken | Kind::TooManyFailures
        );
        of_caller || self.changes
    }

    /// Returns what the path names. Of a request that was not done, only what there is: anything else may be a secret in the wrong place.
    async fn object(&self, app: &App, by: &Requester, was_done: bool) -> Option<String> {
        let names: Vec<&str> = self.path.iter().map(|(_, value)| value.as_str()).collect();
        let is_there = match (self.path.first()?.0.as_str(), &names[..]) {
            _ if was_done => true,
            ("job_id", [id]) => id.parse::<JobId>().is_ok(),
            ("key_id", [id]) => match id.parse::<KeyId>() {
                Ok(id) => {
                    let key = app.keys.get(&id).await;
                    key.is_ok_and(|key| key.tenant == *by.tenant() || by.caller.is_operator())
                }
                Err(_) => false,
            },
            ("name", [name]) => app.credentials.describe(by.tenant(), name).await.is_ok(),
            ("service", [service, operation @ ..]) => has(app, service, operation.first().copied()),
            _ => false,
        };
        is_there.then(|| names.join("/"))
    }
}

/// Returns whether there is a service, and an operation of it if one is named.
fn has(app: &App, service: &str, operation: Option<&str>) -> bool {
    let Some(list) = app.services.services() else {
        return false;
    };
    let found = list.services.iter().find(|known| known.name == service);
    let has = |operation| found.is_some_and(|found| found.operations.iter().any(|known| known.name == operation));
    found.is_some() && operation.is_none_or(has)
}
