//! Turns API Gateway's events into requests for a router, and the router's responses into what API Gateway expects, for
//! both HTTP APIs (payload 2.0) and REST APIs (1.0).
//!
//! A body is sent as text only if that keeps every byte of it; output may not be valid UTF-8.

use aws_lambda_events::apigw::{
    ApiGatewayProxyRequest, ApiGatewayProxyResponse, ApiGatewayV2httpRequest, ApiGatewayV2httpResponse,
};
use aws_lambda_events::encodings::Body as EventBody;
use axum::Router;
use axum::body::Body;
use axum::response::IntoResponse;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use callboard_api::{Identity, Problem, REQUEST_ID, Transport};
use callboard_core::base::causes::causes;
use http::header::{CONTENT_TYPE, COOKIE, HeaderMap, LINK, LOCATION, SET_COOKIE};
use http::{HeaderName, HeaderValue, Method, Request, Response};
use http_body_util::BodyExt;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde_json::Value;
use tower::ServiceExt;

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

/// Why an event could not be answered.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    /// The event does not have the form that API Gateway sends.
    #[error("the event is not one of API Gateway's")]
    Event(#[from] serde_json::Error),
    /// The event does not describe a valid request.
    #[error("the event names no valid HTTP request")]
    Request(#[from] http::Error),
    /// The body is not what the event says it is.
    #[error("the event's body is not base64")]
    Encoding(#[from] base64::DecodeError),
    /// The answer could not be read to its end.
    #[error("the response could not be completed")]
    Answer(#[from] axum::Error),
}

/// Returns whether an event is an HTTP request from API Gateway.
#[must_use]
pub fn is_http(event: &Value) -> bool {
    let context = &event["requestContext"];
    context.is_object() && (event["httpMethod"].is_string() || context["http"]["method"].is_string())
}

/// Lets a router answer an event. Faults in the request itself are reported to the client.
///
/// # Errors
/// [`GatewayError::Event`]: the event is not one of API Gateway's.
pub async fn answer(router: Router, event: Value) -> Result<Value, GatewayError> {
    let is_rest = event["httpMethod"].is_string();
    let (stage, request) = if is_rest {
        from_rest(serde_json::from_value(event)?)
    } else {
        from_http(serde_json::from_value(event)?)
    };
    let answered = match request {
        Ok(request) => respond(router, request).await,
        Err(error) => Err(error),
    };
    let (mut parts, body) = match answered {
        Ok(answered) => answered,
        Err(error) => whole(problem(&error).into_response()).await?,
    };
    if let Some(stage) = stage {
        put_before_paths(&mut parts.headers, &stage);
    }
    let (is_base64_encoded, body) = encode(&parts.headers, body);
    if is_rest {
        let mut response = ApiGatewayProxyResponse::default();
        response.status_code = parts.status.as_u16().into();
        response.multi_value_headers = parts.headers;
        (response.is_base64_encoded, response.body) = (is_base64_encoded, body);
        Ok(serde_json::to_value(response)?)
    } else {
        let mut response = ApiGatewayV2httpResponse::default();
        response.status_code = parts.status.as_u16().into();
        // it takes one value of each header, and cookies beside them
        let cookies = parts.headers.get_all(SET_COOKIE).iter();
        response.cookies = cookies
            .filter_map(|cookie| cookie.to_str().ok())
            .map(str::to_owned)
            .collect();
        parts.headers.remove(SET_COOKIE);
        response.headers = parts.headers;
        (response.is_base64_encoded, response.body) = (is_base64_encoded, body);
        Ok(serde_json::to_value(response)?)
    }
}

/// Returns the answer to a request that never reached the router, or whose answer could not be sent.
fn problem(error: &GatewayError) -> Problem {
    tracing::warn!(error = %causes(error), "a request could not be answered");
    match error {
        GatewayError::Answer(_) => Problem::unavailable("The response could not be completed; try again."),
        _ => Problem::malformed("The event does not hold a readable HTTP request."),
    }
}

/// Puts the API's stage before the paths in `Location` and `Link`: a client resolves them against the host, where the
/// stage comes first.
fn put_before_paths(headers: &mut HeaderMap, stage: &str) {
    change(headers, &LOCATION, |text| match text.starts_with('/') {
        true => format!("/{stage}{text}"),
        false => text.to_owned(),
    });
    change(headers, &LINK, |text| text.replace("</", &format!("</{stage}/")));
}

fn change(headers: &mut HeaderMap, name: &HeaderName, change: impl FnOnce(&str) -> String) {
    let changed = headers.get(name).and_then(|value| value.to_str().ok()).map(change);
    if let Some(value) = changed.and_then(|text| HeaderValue::from_str(&text).ok()) {
        headers.insert(name, value);
    }
}

async fn respond(router: Router, request: Request<Body>) -> Result<(http::response::Parts, Bytes), GatewayError> {
    let response: Response<Body> = match router.oneshot(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    };
    whole(response).await
}

async fn whole(response: Response<Body>) -> Result<(http::response::Parts, Bytes), GatewayError> {
    let (parts, body) = response.into_parts();
    Ok((parts, body.collect().await?.to_bytes()))
}

/// Builds a request from an HTTP API's event.
fn from_http(event: ApiGatewayV2httpRequest) -> (Option<String>, Result<Request<Body>, GatewayError>) {
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
fn from_rest(event: ApiGatewayProxyRequest) -> (Option<String>, Result<Request<Body>, GatewayError>) {
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

/// Returns the body as it is sent, and whether it is base64. Text that would grow more as a JSON string, such as output
/// with colours, is also sent as base64, so that the limit on an answer's bytes holds.
fn encode(headers: &HeaderMap, body: Bytes) -> (bool, Option<EventBody>) {
    if body.is_empty() {
        return (false, None);
    }
    let is_text = is_text(headers.get(CONTENT_TYPE)) && escaped_length(&body) <= body.len() / 3 * 4;
    match String::from_utf8(body.into()) {
        Ok(text) if is_text => (false, Some(EventBody::Text(text))),
        Ok(text) => (true, Some(EventBody::Binary(text.into_bytes()))),
        Err(error) => (true, Some(EventBody::Binary(error.into_bytes()))),
    }
}

/// Returns the length of text as a JSON string.
fn escaped_length(text: &[u8]) -> usize {
    let length = |byte: &u8| match byte {
        b'"' | b'\\' | b'\n' | b'\r' | b'\t' | 8 | 12 => 2,
        0..0x20 => 6,
        _ => 1,
    };
    text.iter().map(length).sum()
}

fn is_text(content_type: Option<&HeaderValue>) -> bool {
    let value = content_type.and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.starts_with("text/") || value.contains("json")
}

#[cfg(test)]
mod tests {
    use axum::http::Uri;
    use axum::routing::get;
    use serde_json::json;

    use super::*;

    fn router() -> Router {
        Router::new()
            .route("/output", get(|| async { "\u{1b}[0;32mok\u{1b}[0m\n".repeat(100) }))
            .route("/plain", get(|| async { "ok\n" }))
            .fallback(|uri: Uri| async move {
                let links = r#"</api/v1/jobs/1>; rel="self", </api/v1/jobs/1/logs>; rel="logs""#;
                ([(LOCATION, "/api/v1/jobs/1"), (LINK, links)], uri.to_string())
            })
    }

    fn event(path: &str, stage: &str) -> Value {
        json!({
            "version": "2.0", "routeKey": "$default", "rawPath": path, "rawQueryString": "a=1", "headers": {},
            "isBase64Encoded": false,
            "requestContext": {
                "accountId": "1", "apiId": "a", "stage": stage, "time": "", "timeEpoch": 0, "requestId": "r",
                "http": {"method": "GET", "path": path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1", "userAgent": ""},
            },
        })
    }

    async fn body_of(path: &str) -> Result<(Value, Value), Box<dyn std::error::Error>> {
        let answer = answer(router(), event(path, "$default")).await?;
        Ok((answer["isBase64Encoded"].clone(), answer["body"].clone()))
    }

    #[tokio::test]
    async fn text_that_grows_in_json_is_sent_as_base64() -> Result<(), Box<dyn std::error::Error>> {
        assert_eq!(body_of("/plain").await?, (json!(false), json!("ok\n")));
        assert_eq!(body_of("/output").await?.0, json!(true));
        Ok(())
    }

    #[tokio::test]
    async fn a_path_that_was_decoded_is_encoded_again_and_no_path_is_a_fault_of_ours()
    -> Result<(), Box<dyn std::error::Error>> {
        for (path, seen) in [
            ("/a b", "/a%20b?a=1"),
            ("/a?b", "/a%3Fb?a=1"),
            ("/gr\u{f6}\u{df}e", "/gr%C3%B6%C3%9Fe?a=1"),
        ] {
            assert_eq!(body_of(path).await?.1, json!(seen));
        }
        for path in ["", "no slash", "//", "/%", "/\u{0}"] {
            let status = answer(router(), event(path, "$default")).await?["statusCode"].clone();
            assert!(status == json!(200) || status == json!(400), "{path:?}: {status}");
        }
        Ok(())
    }

    #[tokio::test]
    async fn a_stage_is_taken_off_the_path_and_put_before_locations_and_links() -> Result<(), Box<dyn std::error::Error>>
    {
        let answer = answer(router(), event("/prod/api", "prod")).await?;
        assert_eq!(answer["body"], "/api?a=1");
        assert_eq!(answer["headers"]["location"], "/prod/api/v1/jobs/1");
        let links = r#"</prod/api/v1/jobs/1>; rel="self", </prod/api/v1/jobs/1/logs>; rel="logs""#;
        assert_eq!(answer["headers"]["link"], links);
        Ok(())
    }
}
