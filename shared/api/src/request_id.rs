//! The id of a request, which appears in each of its log lines and in its answer.

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue};
use axum::middleware;
use callboard_core::access::Presented;
use tower_http::request_id::{MakeRequestId, PropagateRequestIdLayer, RequestId, SetRequestIdLayer};
use tower_http::trace::TraceLayer;
use tracing::{Span, field};
use uuid::Uuid;

/// The header with the request id: the client's own, if it sends a valid one.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The longest id that a client may send, in bytes.
const LONGEST: usize = 128;

#[derive(Clone, Copy)]
struct Made;

impl MakeRequestId for Made {
    fn make_request_id<B>(&mut self, _request: &axum::http::Request<B>) -> Option<RequestId> {
        HeaderValue::try_from(Uuid::now_v7().to_string())
            .ok()
            .map(RequestId::new)
    }
}

/// Gives each request of the routes an id, and a span with that id.
pub(crate) fn identify(routes: Router) -> Router {
    let span = TraceLayer::new_for_http()
        .make_span_with(span)
        .on_request(())
        .on_response(())
        .on_eos(())
        .on_failure(());
    routes
        .layer(span)
        .layer(PropagateRequestIdLayer::new(REQUEST_ID))
        .layer(SetRequestIdLayer::new(REQUEST_ID, Made))
        .layer(middleware::map_request(take))
}

/// Makes the request's span, at the error level so that it exists whatever the log level is.
fn span(request: &axum::http::Request<axum::body::Body>) -> Span {
    let id = request.headers().get(REQUEST_ID).and_then(|id| id.to_str().ok());
    tracing::error_span!("request", request.id = id.map(field::display))
}

/// Removes an id that is empty, too long, given twice, has characters that ids may not have, or looks like a key or a token: the log, records
/// and the audit log have ids.
async fn take(mut request: Request) -> Request {
    let mut given = request.headers().get_all(REQUEST_ID).iter();
    let fits = match (given.next(), given.next()) {
        (Some(id), None) => {
            (1..=LONGEST).contains(&id.len()) && id.as_bytes().iter().all(is_of_ids) && !is_secret(id.as_bytes())
        }
        _ => false,
    };
    if !fits {
        request.headers_mut().remove(REQUEST_ID);
    }
    request
}

fn is_of_ids(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-_.:/+=@".contains(byte)
}

/// Returns whether a text looks like an API key, or like a token of OpenID Connect, which begins with `{"` in base64.
fn is_secret(text: &[u8]) -> bool {
    let text = std::str::from_utf8(text).unwrap_or_default();
    Presented::is_like(text) || text.starts_with("eyJ")
}
