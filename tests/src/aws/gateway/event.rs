//! Turns a request into an event in payload format 2.0, modelled on `events/http-*.json`.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use callboard_core::base::id::JobId;
use serde_json::{Map, Value, json};
use time::OffsetDateTime;
use time::macros::format_description;

use super::routes::Found;

const ACCOUNT: &str = "000000000000";
const DOMAIN: &str = "emulated.execute-api.us-east-1.amazonaws.com";
/// The content types that API Gateway passes on as text; any other body is sent as base64.
const TEXT: [&str; 4] = ["text/", "application/json", "application/javascript", "application/xml"];

/// Makes the event.
pub(super) fn make(request: &Parts, body: &[u8], peer: SocketAddr, found: &Found) -> Value {
    let query = request.uri.query().unwrap_or_default();
    let mut event = json!({
        "version": "2.0",
        "routeKey": found.key,
        "rawPath": request.uri.path(),
        "rawQueryString": query,
        "headers": headers(&request.headers, peer),
        "requestContext": context(request, peer, found),
        "isBase64Encoded": false,
    });
    if let Some(event) = event.as_object_mut() {
        event.extend(optional("cookies", cookies(&request.headers)));
        event.extend(optional("queryStringParameters", parameters(query)));
        event.extend(optional("pathParameters", json!(found.parameters)));
        if !body.is_empty() {
            event.extend(encode(&request.headers, body));
        }
    }
    event
}

/// Empty values are left out of the event.
fn optional(name: &str, value: Value) -> Option<(String, Value)> {
    let empty = value.as_array().is_some_and(Vec::is_empty) || value.as_object().is_some_and(Map::is_empty);
    (!empty).then(|| (name.to_owned(), value))
}

fn headers(headers: &HeaderMap, peer: SocketAddr) -> BTreeMap<String, String> {
    let mut joined = BTreeMap::<String, String>::new();
    for (name, value) in headers.iter().filter(|(name, _)| *name != header::COOKIE) {
        let value = String::from_utf8_lossy(value.as_bytes());
        let all = joined.entry(name.as_str().to_owned()).or_default();
        all.push_str(if all.is_empty() { "" } else { "," });
        all.push_str(&value);
    }
    let trace = JobId::new().to_string().replace('-', "");
    for (name, value) in [
        ("host", DOMAIN.to_owned()),
        ("x-amzn-trace-id", format!("Root=1-{}-{}", &trace[..8], &trace[8..])),
        ("x-forwarded-for", peer.ip().to_string()),
        ("x-forwarded-port", "443".to_owned()),
        ("x-forwarded-proto", "https".to_owned()),
    ] {
        joined.insert(name.to_owned(), value);
    }
    joined
}

fn cookies(headers: &HeaderMap) -> Value {
    let all = headers.get_all(header::COOKIE).into_iter();
    let texts: Vec<_> = all.map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
    let cookies = texts.iter().flat_map(|text| text.split("; "));
    cookies.filter(|cookie| !cookie.is_empty()).collect()
}

/// Decodes the parameters, and joins those with the same name with commas.
fn parameters(query: &str) -> Value {
    let mut joined = Map::new();
    let url = reqwest::Url::parse(&format!("http://localhost/?{query}"));
    for (name, value) in url.iter().flat_map(reqwest::Url::query_pairs) {
        let all = match joined.get(&*name).and_then(Value::as_str) {
            Some(before) => format!("{before},{value}"),
            None => value.into_owned(),
        };
        joined.insert(name.into_owned(), all.into());
    }
    joined.into()
}

fn encode(headers: &HeaderMap, body: &[u8]) -> [(String, Value); 2] {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let is_text = kind.is_none_or(|kind| TEXT.iter().any(|text| kind.starts_with(text)));
    let text = str::from_utf8(body).ok().filter(|_| is_text);
    let encoded = text.map_or_else(|| STANDARD.encode(body), str::to_owned);
    [
        ("body".to_owned(), encoded.into()),
        ("isBase64Encoded".to_owned(), text.is_none().into()),
    ]
}

fn context(request: &Parts, peer: SocketAddr, found: &Found) -> Value {
    let now = OffsetDateTime::now_utc();
    let format = format_description!("[day]/[month repr:short]/[year]:[hour]:[minute]:[second] +0000");
    let user_agent = request
        .headers
        .get(header::USER_AGENT)
        .and_then(|value| value.to_str().ok());
    json!({
        "accountId": ACCOUNT,
        "apiId": "emulated",
        "authorizer": {"iam": {
            "accessKey": "AKIAIOSFODNN7EXAMPLE",
            "accountId": ACCOUNT,
            "callerId": "AIDACKCEVSQ6C2EXAMPLE",
            "cognitoIdentity": null,
            "principalOrgId": "aws:PrincipalOrgID",
            "userArn": format!("arn:aws:iam::{ACCOUNT}:user/tester"),
            "userId": "AIDACKCEVSQ6C2EXAMPLE",
        }},
        "domainName": DOMAIN,
        "domainPrefix": "emulated",
        "http": {
            "method": request.method.as_str(),
            "path": request.uri.path(),
            "protocol": "HTTP/1.1",
            "sourceIp": peer.ip(),
            "userAgent": user_agent.unwrap_or_default(),
        },
        "requestId": JobId::new().to_string(),
        "routeKey": found.key,
        "stage": "$default",
        "time": now.format(format).unwrap_or_default(),
        "timeEpoch": i64::try_from(now.unix_timestamp_nanos() / 1_000_000).unwrap_or_default(),
    })
}

#[cfg(test)]
mod tests {
    use anyhow::Context;

    use super::*;

    /// Makes an event from the request of a model. Values that are random or specific to the machine are taken from the model.
    fn again(model: &Value) -> anyhow::Result<Value> {
        let mut request = axum::http::Request::builder()
            .method(model["requestContext"]["http"]["method"].as_str().unwrap_or_default())
            .uri(format!(
                "{}?{}",
                model["rawPath"].as_str().unwrap_or_default(),
                model["rawQueryString"].as_str().unwrap_or_default()
            ));
        for (name, value) in model["headers"].as_object().into_iter().flatten() {
            request = request.header(name, value.as_str().unwrap_or_default());
        }
        let (parts, ()) = request.body(())?.into_parts();
        let text = model["body"].as_str().unwrap_or_default();
        let body = match model["isBase64Encoded"] == true {
            true => STANDARD.decode(text)?,
            false => text.as_bytes().to_vec(),
        };
        let found = super::super::routes::Routes::read(&crate::aws::Template::load()?)?
            .find(&parts.method, parts.uri.path())
            .context("there is a default")?;
        Ok(make(&parts, &body, "192.0.2.10:4711".parse()?, &found))
    }

    #[test]
    fn an_event_has_the_fields_of_its_model() -> anyhow::Result<()> {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../events");
        let mut count = 0;
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if !name.starts_with("http-") || name == "http-submit-base64.json" {
                continue;
            }
            let model: Value = serde_json::from_slice(&std::fs::read(&path)?)?;
            let mut event = again(&model)?;
            for pointer in [
                "/headers/host",
                "/headers/x-amzn-trace-id",
                "/requestContext/accountId",
                "/requestContext/apiId",
                "/requestContext/authorizer/iam/accountId",
                "/requestContext/authorizer/iam/userArn",
                "/requestContext/domainName",
                "/requestContext/domainPrefix",
                "/requestContext/requestId",
                "/requestContext/time",
                "/requestContext/timeEpoch",
            ] {
                let own = event
                    .pointer_mut(pointer)
                    .with_context(|| format!("{pointer} is there"))?;
                *own = model.pointer(pointer).cloned().unwrap_or_default();
            }
            assert_eq!(event, model, "{name}");
            count += 1;
        }
        assert!(count > 0, "there are no models");
        Ok(())
    }
}
