//! Turns a function's answer into a response, as API Gateway does.

use anyhow::Context;
use axum::body::Body;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, SET_COOKIE};
use axum::http::{Response, StatusCode};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

/// Makes a response that API Gateway itself sends.
pub(super) fn of_gateway(status: StatusCode, message: &str) -> Response<Body> {
    let mut response = Response::new(Body::from(json!({"message": message}).to_string()));
    *response.status_mut() = status;
    let json = axum::http::HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, json);
    response
}

/// Makes a response from a function's answer. Payload format 2.0 has no `multiValueHeaders`.
pub(super) fn of_function(answer: &Value) -> anyhow::Result<Response<Body>> {
    let Some(status) = answer["statusCode"].as_u64() else {
        let response = Response::builder().header(CONTENT_TYPE, "application/json");
        return Ok(response.body(Body::from(answer.to_string()))?);
    };
    let mut response = Response::builder().status(u16::try_from(status)?);
    for (name, value) in answer["headers"].as_object().into_iter().flatten() {
        if CONTENT_LENGTH != name.as_str() {
            let value = value
                .as_str()
                .with_context(|| format!("the header {name} is no text"))?;
            response = response.header(name, value);
        }
    }
    for cookie in answer["cookies"].as_array().into_iter().flatten() {
        response = response.header(SET_COOKIE, cookie.as_str().context("a cookie is no text")?);
    }
    let text = answer["body"].as_str().unwrap_or_default();
    let body = match answer["isBase64Encoded"] == true {
        true => STANDARD.decode(text)?,
        false => text.as_bytes().to_vec(),
    };
    Ok(response.body(Body::from(body))?)
}
