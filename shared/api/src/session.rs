//! `/api/v1/session`: who asks, and the sessions of web pages.

use axum::Json;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, SET_COOKIE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use callboard_core::access::{ApiKey, By, Caller, sessions};
use callboard_core::base::time::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use crate::access::{Asking, Showing, Transport};
use crate::app::App;
use crate::audit::Made;
use crate::keys;
use crate::params::Params;
use crate::problem::{Kind, Problem};

const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

/// Who asks.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Session)]
pub(crate) struct SessionView {
    /// Who asks, as `submitted_by` of the jobs that it submits.
    subject: String,
    /// The tenant whose things the caller may see.
    tenant: String,
    /// What the caller may do.
    scopes: Vec<String>,
    /// Until when the session, the key or the token is accepted; null if it has no end.
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
    /// What a page with a session must send in the header `X-CSRF-Token` with whatever changes something. It stays the same as long as
    /// the session. Only sessions have it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false, nullable = false)]
    csrf_token: Option<String>,
}

impl SessionView {
    fn of(caller: &Caller, session: Option<&ApiKey>) -> Self {
        Self {
            subject: caller.name.clone(),
            tenant: caller.tenant.as_str().to_owned(),
            scopes: caller.scopes.0.iter().map(ToString::to_string).collect(),
            expires_at: session.map_or(caller.until, |key| key.expires_at),
            csrf_token: session.and_then(ApiKey::csrf_token),
        }
    }
}

/// Begins a session of a web page.
///
/// The answer sets a cookie that stands for the API key or the token in the header `Authorization`, for up to eight hours. The browser
/// keeps it from the page, sends it with each request to the service, and gets another one each hour. A session ends with its key. While
/// it lasts, requests need no header `Authorization`, and those that change something need `X-CSRF-Token`.
#[utoipa::path(
    post,
    path = "/api/v1/session",
    operation_id = "beginSession",
    tag = "keys",
    responses(
        (status = 201, description = "The session has begun.", body = SessionView, headers(
            ("Set-Cookie" = String, description = "The session's cookie: `__Host-callboard` by HTTPS, `callboard` by HTTP. Scripts cannot read it (`HttpOnly`), and it is not sent from other sites (`SameSite=Strict`)."),
        )),
    )
)]
pub(crate) async fn begin(
    State(app): State<App>,
    Asking(by): Asking,
    Showing(shown): Showing,
    transport: Transport,
    params: Params,
) -> Result<Response, Problem> {
    params.finish()?;
    let parent = match shown {
        Some(By::Key(parent)) => Some(parent),
        Some(By::Token) => None,
        Some(By::Session(..)) => {
            let detail = "A session begins no other: show the key or the token in the header Authorization.";
            return Err(Problem::new(Kind::Forbidden, detail));
        }
        None => {
            let detail =
                "There are no sessions here: one stands for an API key or a token, and the service asks for neither.";
            return Err(Problem::new(Kind::NoSession, detail));
        }
    };
    app.access.admit_login(&by.caller)?;
    let begun = sessions::begin(&*app.keys, &*app.clock, &by.caller, parent).await;
    let (key, text) = begun.map_err(|error| keys::problem("", error))?;
    let life = key.life(key.created_at);
    let headers = [
        (SET_COOKIE, transport.set_cookie(&text, life)),
        (CACHE_CONTROL, NO_STORE),
    ];
    Ok((
        StatusCode::CREATED,
        headers,
        Made::of(&key.id),
        Json(SessionView::of(&by.caller, Some(&key))),
    )
        .into_response())
}

/// Tells who asks.
///
/// With the cookie of a session, the answer has the session's CSRF token.
#[utoipa::path(
    get,
    path = "/api/v1/session",
    operation_id = "getSession",
    tag = "keys",
    responses((status = 200, description = "Who asks.", body = SessionView))
)]
pub(crate) async fn get(
    Asking(by): Asking,
    Showing(shown): Showing,
    params: Params,
) -> Result<impl IntoResponse, Problem> {
    params.finish()?;
    let session = match &shown {
        Some(By::Session(key, _)) => Some(&**key),
        _ => None,
    };
    Ok(([(CACHE_CONTROL, NO_STORE)], Json(SessionView::of(&by.caller, session))))
}

/// Ends the session that the request shows.
///
/// It is refused everywhere within five seconds, and the browser forgets its cookie.
#[utoipa::path(
    delete,
    path = "/api/v1/session",
    operation_id = "endSession",
    tag = "keys",
    responses(
        (status = 204, description = "The session is over.", headers(
            ("Set-Cookie" = String, description = "Has the browser forget the cookie."),
        )),
    )
)]
pub(crate) async fn end(
    State(app): State<App>,
    Asking(_by): Asking,
    Showing(shown): Showing,
    transport: Transport,
    params: Params,
) -> Result<Response, Problem> {
    params.finish()?;
    let Some(By::Session(key, _)) = shown else {
        let detail = "The request does not show the cookie of a session, so there is none to end.";
        return Err(Problem::new(Kind::NoSession, detail));
    };
    sessions::end(&*app.keys, &*app.clock, &key).await?;
    app.access.changed(&key.id);
    let headers = [(SET_COOKIE, transport.forget_cookie()), (CACHE_CONTROL, NO_STORE)];
    Ok((StatusCode::NO_CONTENT, headers, Made::of(&key.id), ()).into_response())
}
