//! The id of a request: every line that is logged for it has it, and so has its answer.

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue};
use axum::middleware;
use tower_http::request_id::{MakeRequestId, PropagateRequestIdLayer, RequestId, SetRequestIdLayer};
use tower_http::trace::TraceLayer;
use tracing::{Span, field};
use uuid::Uuid;

/// The header that has the id: the client's own, where it sends one that can be taken.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The longest id that is taken from a client, in bytes.
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

/// Gives each request of the routes an id, and a span that has it.
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

/// An error's span, so that it is there at every level.
fn span(request: &axum::http::Request<axum::body::Body>) -> Span {
    let id = request.headers().get(REQUEST_ID).and_then(|id| id.to_str().ok());
    tracing::error_span!("request", request.id = id.map(field::display))
}

/// Leaves out an id that is empty, too long, given twice, or has other characters than ids have.
async fn take(mut request: Request) -> Request {
    let mut given = request.headers().get_all(REQUEST_ID).iter();
    let fits = match (given.next(), given.next()) {
        (Some(id), None) => (1..=LONGEST).contains(&id.len()) && id.as_bytes().iter().all(is_of_ids),
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
