//! Builds the requests that events describe.

use aws_lambda_events::apigw::{ApiGatewayProxyRequest, ApiGatewayV2httpRequest};
use axum::body::Body;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use callboard_api::{Identity, REQUEST_ID, Transport};
use http::header::{COOKIE, HeaderMap};
use http::{HeaderValue, Method, Request};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use super::GatewayError;

/// API Gateway decodes the path. The characters it decoded, and those that are not allowed in a path, are encoded
/// again; a remaining `%` is left unchanged.
const NOT_IN_A_PATH: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'`')
    .add(b'{')
    .add(b'}');

/// Builds a request from an HTTP API's event.
pub(super) fn from_http(event: ApiGatewayV2httpRequest) -> (Option<String>, Result<Request<Body>, GatewayError>) {
    let context = event.request_context;
    let path = event.raw_path.unwrap_or_default();
    let stage = context.stage.filter(|stage| stage != "$default");
    let query = event.raw_query_string.unwrap_or_default();
    let iam = context.authorizer.and_then(|authorizer| authorizer.iam);
    let caller = Identity {
        arn: iam.and_then(|iam| iam.user_arn),
        source_ip: context.http.source_ip,
    };
    let path = strip_stage(&path, stage.as_deref());
    let headers = with_cookies(with_id(event.headers, context.request_id), event.cookies);
    let request = decode(event.body, event.is_base64_encoded)
        .and_then(|body| request(context.http.method, path, &query, headers, caller, body));
    (stage, request)
}

/// Builds a request from a REST API's event.
pub(super) fn from_rest(event: ApiGatewayProxyRequest) -> (Option<String>, Result<Request<Body>, GatewayError>) {
    let query = if event.multi_value_query_string_parameters.is_empty() {
        event.query_string_parameters
    } else {
        event.multi_value_query_string_parameters
    };
    let headers = if event.multi_value_headers.is_empty() {
        event.headers
    } else {
        event.multi_value_headers
    };
    let context = event.request_context;
    let (headers, identity, stage) = (with_id(headers, context.request_id), context.identity, context.stage);
    let caller = Identity {
        arn: identity.user_arn,
        source_ip: identity.source_ip,
    };
    let path = event.path.unwrap_or_default();
    let query = query.to_query_string();
    let request = decode(event.body, event.is_base64_encoded)
        .and_then(|body| request(event.http_method, &path, &query, headers, caller, body));
    (stage, request)
}

fn request(
    method: Method,
    path: &str,
    query: &str,
    headers: HeaderMap,
    caller: Identity,
    body: Vec<u8>,
) -> Result<Request<Body>, GatewayError> {
    let path = utf8_percent_encode(path, NOT_IN_A_PATH);
    let uri = if query.is_empty() {
        path.to_string()
    } else {
        format!("{path}?{query}")
    };
    let mut request = Request::builder()
        .method(method)
        .uri(uri)
        .extension(caller)
        // API Gateway takes nothing else
        .extension(Transport::Encrypted)
        .body(Body::from(body))?;
    *request.headers_mut() = headers;
    Ok(request)
}

/// Gives a request the id that API Gateway's log uses, unless the client has set one.
fn with_id(mut headers: HeaderMap, id: Option<String>) -> HeaderMap {
    if let Some(Ok(id)) = id.map(HeaderValue::try_from) {
        headers.entry(REQUEST_ID).or_insert(id);
    }
    headers
}

/// Adds the cookies, which an HTTP API takes out of the headers.
fn with_cookies(mut headers: HeaderMap, cookies: Option<Vec<String>>) -> HeaderMap {
    let cookies = cookies.unwrap_or_default();
    headers.extend(
        cookies
            .into_iter()
            .filter_map(|cookie| Some((COOKIE, HeaderValue::try_from(cookie).ok()?))),
    );
    headers
}

/// Removes the stage from the path: an HTTP API with a named stage includes it.
fn strip_stage<'a>(path: &'a str, stage: Option<&str>) -> &'a str {
    let rest = stage.and_then(|stage| path.strip_prefix('/')?.strip_prefix(stage));
    rest.filter(|rest| rest.is_empty() || rest.starts_with('/'))
        .unwrap_or(path)
}

fn decode(body: Option<String>, is_base64: bool) -> Result<Vec<u8>, GatewayError> {
    let body = body.unwrap_or_default();
    Ok(if is_base64 {
        STANDARD.decode(body)?
    } else {
        body.into_bytes()
    })
}
