//! Turns API Gateway's events into requests for a router, and the router's responses into what API Gateway expects, for
//! both HTTP APIs (payload 2.0) and REST APIs (1.0). A function's own URL sends what an HTTP API sends.
//!
//! A body that is sent whole is sent as text only if that keeps every byte of it; output may not be valid UTF-8.

mod request;

use std::future::ready;

use aws_lambda_events::apigw::{ApiGatewayProxyResponse, ApiGatewayV2httpResponse};
use aws_lambda_events::encodings::Body as EventBody;
use axum::Router;
use axum::body::Body;
use axum::response::IntoResponse;
use bytes::Bytes;
use callboard_api::Problem;
use callboard_core::base::causes::causes;
use futures_util::stream::{BoxStream, StreamExt};
use http::header::{CONTENT_TYPE, HeaderMap, LINK, LOCATION, SET_COOKIE};
use http::{HeaderName, HeaderValue, Response};
use http_body_util::BodyExt;
use lambda_runtime::{MetadataPrelude, StreamResponse};
use serde_json::Value;
use tower::ServiceExt;

use self::request::{from_http, from_rest};

/// A response whose body is sent as it comes.
pub type Streamed = StreamResponse<BoxStream<'static, Result<Bytes, axum::Error>>>;

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
    context.is_object() && (is_rest(event) || context["http"]["method"].is_string())
}

/// Lets a router answer an event, with a response that is sent whole. Faults in the request itself are reported to the client.
///
/// # Errors
/// [`GatewayError::Event`]: the event is not one of API Gateway's.
pub async fn answer(router: Router, event: Value) -> Result<Value, GatewayError> {
    let is_rest = is_rest(&event);
    let (mut parts, body) = match whole(respond(router, event).await?).await {
        Ok(answered) => answered,
        Err(error) => whole(problem(&error).into_response()).await?,
    };
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
        response.cookies = take_cookies(&mut parts.headers);
        response.headers = parts.headers;
        (response.is_base64_encoded, response.body) = (is_base64_encoded, body);
        Ok(serde_json::to_value(response)?)
    }
}

/// Lets a router answer an event, with a response that is sent as it comes. Faults in the request itself are reported to the client.
///
/// # Errors
/// [`GatewayError::Event`]: the event is not one of API Gateway's.
pub async fn stream(router: Router, event: Value) -> Result<Streamed, GatewayError> {
    let (mut parts, body) = respond(router, event).await?.into_parts();
    let cookies = take_cookies(&mut parts.headers);
    // what comes of an error, Lambda's runtime would send as if it were part of the body
    let chunks = body.into_data_stream().inspect(|chunk| {
        if let Err(error) = chunk {
            tracing::warn!(error = %causes(error), "a response could not be streamed to its end");
        }
    });
    Ok(StreamResponse {
        metadata_prelude: MetadataPrelude {
            status_code: parts.status,
            headers: parts.headers,
            cookies,
        },
        stream: chunks.take_while(|chunk| ready(chunk.is_ok())).boxed(),
    })
}

/// Returns a router's response to an event.
async fn respond(router: Router, event: Value) -> Result<Response<Body>, GatewayError> {
    let (stage, request) = if is_rest(&event) {
        from_rest(serde_json::from_value(event)?)
    } else {
        from_http(serde_json::from_value(event)?)
    };
    let mut response = match request {
        Ok(request) => match router.oneshot(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        },
        Err(error) => problem(&error).into_response(),
    };
    if let Some(stage) = stage {
        put_before_paths(response.headers_mut(), &stage);
    }
    Ok(response)
}

fn is_rest(event: &Value) -> bool {
    event["httpMethod"].is_string()
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

/// Takes out the cookies: in payload 2.0 there is one value of each header, and cookies are beside them.
fn take_cookies(headers: &mut HeaderMap) -> Vec<String> {
    let cookies = headers.get_all(SET_COOKIE).iter();
    let cookies = cookies.filter_map(|cookie| cookie.to_str().ok().map(str::to_owned));
    let cookies = cookies.collect();
    headers.remove(SET_COOKIE);
    cookies
}

async fn whole(response: Response<Body>) -> Result<(http::response::Parts, Bytes), GatewayError> {
    let (parts, body) = response.into_parts();
    Ok((parts, body.collect().await?.to_bytes()))
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
