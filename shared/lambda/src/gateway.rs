//! API Gateway's events, as requests to a router, and its responses, as API Gateway wants them: of HTTP APIs (payload
//! 2.0) and of REST APIs (1.0).
//!
//! A body goes out as text only where that keeps every byte of it; output may be no UTF-8.

use aws_lambda_events::apigw::{
    ApiGatewayProxyRequest, ApiGatewayProxyResponse, ApiGatewayV2httpRequest, ApiGatewayV2httpResponse,
};
use aws_lambda_events::encodings::Body as EventBody;
use axum::Router;
use axum::body::Body;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use callboard_api::Caller;
use http::header::{CONTENT_TYPE, HeaderMap};
use http::{HeaderValue, Method, Request, Response};
use http_body_util::BodyExt;
use serde_json::Value;
use tower::ServiceExt;

/// Why an event could not be answered.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    /// The event is not what API Gateway sends.
    #[error("the event is not one of API Gateway's")]
    Event(#[from] serde_json::Error),
    /// The event names no valid request.
    #[error("the event names no valid HTTP request")]
    Request(#[from] http::Error),
    /// The body is not what the event says it is.
    #[error("the event's body is not base64")]
    Encoding(#[from] base64::DecodeError),
    /// The answer could not be read to its end.
    #[error("the answer could not be made whole")]
    Answer(#[from] axum::Error),
}

/// Tells whether an event is an HTTP request from API Gateway.
#[must_use]
pub fn is_http(event: &Value) -> bool {
    let context = &event["requestContext"];
    context.is_object() && (event["httpMethod"].is_string() || context["http"]["method"].is_string())
}

/// Has a router answer an event.
///
/// # Errors
/// [`GatewayError`] says what is wrong with the event or the answer.
pub async fn answer(router: Router, event: Value) -> Result<Value, GatewayError> {
    if event["httpMethod"].is_string() {
        let (parts, body) = respond(router, from_rest(serde_json::from_value(event)?)?).await?;
        let mut response = ApiGatewayProxyResponse::default();
        response.status_code = parts.status.as_u16().into();
        (response.is_base64_encoded, response.body) = encode(&parts.headers, body);
        response.multi_value_headers = parts.headers;
        Ok(serde_json::to_value(response)?)
    } else {
        let (parts, body) = respond(router, from_http(serde_json::from_value(event)?)?).await?;
        let mut response = ApiGatewayV2httpResponse::default();
        response.status_code = parts.status.as_u16().into();
        (response.is_base64_encoded, response.body) = encode(&parts.headers, body);
        response.headers = parts.headers;
        Ok(serde_json::to_value(response)?)
    }
}

async fn respond(router: Router, request: Request<Body>) -> Result<(http::response::Parts, Bytes), GatewayError> {
    let response: Response<Body> = match router.oneshot(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    };
    let (parts, body) = response.into_parts();
    Ok((parts, body.collect().await?.to_bytes()))
}

/// Makes a request of an HTTP API's event.
fn from_http(event: ApiGatewayV2httpRequest) -> Result<Request<Body>, GatewayError> {
    let context = event.request_context;
    let path = event.raw_path.unwrap_or_default();
    let stage = context.stage.filter(|stage| stage != "$default");
    let query = event.raw_query_string.unwrap_or_default();
    let iam = context.authorizer.and_then(|authorizer| authorizer.iam);
    let caller = caller(iam.and_then(|iam| iam.user_arn), context.http.source_ip);
    let body = decode(event.body, event.is_base64_encoded)?;
    request(
        context.http.method,
        strip_stage(&path, stage.as_deref()),
        &query,
        event.headers,
        caller,
        body,
    )
}

/// Makes a request of a REST API's event.
fn from_rest(event: ApiGatewayProxyRequest) -> Result<Request<Body>, GatewayError> {
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
    let identity = event.request_context.identity;
    let caller = caller(identity.user_arn, identity.source_ip);
    let path = event.path.unwrap_or_default();
    let body = decode(event.body, event.is_base64_encoded)?;
    request(
        event.http_method,
        &path,
        &query.to_query_string(),
        headers,
        caller,
        body,
    )
}

fn request(
    method: Method,
    path: &str,
    query: &str,
    headers: HeaderMap,
    caller: Caller,
    body: Vec<u8>,
) -> Result<Request<Body>, GatewayError> {
    let uri = if query.is_empty() {
        path.to_owned()
    } else {
        format!("{path}?{query}")
    };
    let mut request = Request::builder()
        .method(method)
        .uri(uri)
        .extension(caller)
        .body(Body::from(body))?;
    *request.headers_mut() = headers;
    Ok(request)
}

/// An HTTP API with a named stage has the stage in the path.
fn strip_stage<'a>(path: &'a str, stage: Option<&str>) -> &'a str {
    let rest = stage.and_then(|stage| path.strip_prefix('/')?.strip_prefix(stage));
    rest.filter(|rest| rest.is_empty() || rest.starts_with('/'))
        .unwrap_or(path)
}

fn caller(user: Option<String>, address: Option<String>) -> Caller {
    Caller(match (user, address) {
        (Some(user), _) => user,
        (None, Some(address)) => format!("the API client at {address}"),
        (None, None) => "a client of the API".to_owned(),
    })
}

fn decode(body: Option<String>, is_base64: bool) -> Result<Vec<u8>, GatewayError> {
    let body = body.unwrap_or_default();
    Ok(if is_base64 {
        STANDARD.decode(body)?
    } else {
        body.into_bytes()
    })
}

/// Returns the body as it is written, and whether that is base64.
fn encode(headers: &HeaderMap, body: Bytes) -> (bool, Option<EventBody>) {
    if body.is_empty() {
        return (false, None);
    }
    match (is_text(headers.get(CONTENT_TYPE)), String::from_utf8(body.into())) {
        (true, Ok(text)) => (false, Some(EventBody::Text(text))),
        (_, Ok(text)) => (true, Some(EventBody::Binary(text.into_bytes()))),
        (_, Err(error)) => (true, Some(EventBody::Binary(error.into_bytes()))),
    }
}

fn is_text(content_type: Option<&HeaderValue>) -> bool {
    let value = content_type.and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.starts_with("text/") || value.contains("json")
}
