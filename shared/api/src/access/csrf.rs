//! Keeps pages of others from using a session: the browser sends the cookie, whichever page has it ask.

use axum::http::HeaderName;
use axum::http::request::Parts;
use callboard_core::access::ApiKey;

use crate::problem::{Kind, Problem};

/// The header with a session's CSRF token.
const CSRF_TOKEN: HeaderName = HeaderName::from_static("x-csrf-token");
/// What the browser says of the page that asks. `Origin`, which is not sent with everything, the gate has judged.
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
/// The own page, and what no page has asked for.
const OWN_SITES: [&str; 2] = ["same-origin", "none"];

/// Checks that a request that shows a session, and may change something, comes from a page of the service's own.
pub(super) fn check(parts: &Parts, session: &ApiKey) -> Result<(), Problem> {
    if parts.method.is_safe() {
        return Ok(());
    }
    if parts
        .headers
        .get_all(FETCH_SITE)
        .iter()
        .any(|site| !OWN_SITES.iter().any(|own| site == own))
    {
        let detail = "The browser says (Sec-Fetch-Site) that a web page of another origin sends this request, with the cookie of a session. \
                      Such a page may not change anything, whatever token it sends. Send the request from a page of the service's own \
                      origin, or show a key in the header Authorization.";
        return Err(Problem::new(Kind::CsrfToken, detail));
    }
    match parts.headers.get(CSRF_TOKEN) {
        Some(token) if session.is_csrf_token(token.as_bytes()) => Ok(()),
        Some(_) => Err(without_token(
            "the token in its header X-CSRF-Token is not that of the session",
        )),
        None => Err(without_token("it lacks the header X-CSRF-Token")),
    }
}

fn without_token(what: &str) -> Problem {
    let detail = format!(
        "The request shows the cookie of a session and would change something, but {what}. Send the `csrf_token` that `GET \
         /api/v1/session` returns, or show a key in the header Authorization."
    );
    Problem::new(Kind::CsrfToken, detail)
}
