//! Makes the request of a call: its address, headers and body.

use callboard_core::base::fields::Faults;
use callboard_core::base::id::JobId;
use callboard_kind_service::config::{Body, HttpConfig};
use callboard_kind_service::template::{Missing, Template};
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{HeaderMap, Method};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value};
use url::Url;

use crate::authorize::insert;

/// Everything but letters, digits and `-._~`.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A request that can be sent several times.
pub(crate) struct Prepared {
    pub(crate) method: Method,
    pub(crate) url: String,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Prepared {
    /// Makes the request of a job.
    ///
    /// # Errors
    /// A sentence that says what of the input does not fit.
    pub(crate) fn new(config: &HttpConfig, input: &Map<String, Value>, job: JobId) -> Result<Self, String> {
        let mut faults = Faults::default();
        config.check_input(input, &mut faults);
        if let Some(fault) = faults.into_inner().into_iter().next() {
            return Err(format!("{} {}", fault.pointer, fault.detail));
        }
        let values = Value::Object(input.clone());
        let mut headers = HeaderMap::new();
        for (name, template) in &config.headers {
            let value = fill(template, &values, |text, filled| filled.push_str(text))?;
            insert(&mut headers, name, &value)?;
        }
        if let Some(name) = &config.idempotency_header {
            insert(&mut headers, name, &job.to_string())?;
        }
        let body = match config.body {
            Body::None => Vec::new(),
            Body::Input => serde_json::to_vec(input).map_err(|error| error.to_string())?,
            Body::Form => form(input)?.into_bytes(),
        };
        let kind = match config.body {
            Body::None => None,
            Body::Input => Some("application/json"),
            Body::Form => Some("application/x-www-form-urlencoded"),
        };
        if let Some(kind) = kind {
            headers.entry(CONTENT_TYPE).or_insert(HeaderValue::from_static(kind));
        }
        Ok(Self {
            method: config
                .method
                .parse()
                .map_err(|_| "the method is no HTTP method".to_owned())?,
            url: url(config, &values)?,
            headers,
            body,
        })
    }

    /// Returns the request to an address.
    pub(crate) fn to(&self, url: &str) -> Result<http::Request<Vec<u8>>, http::Error> {
        let mut request = http::Request::builder()
            .method(self.method.clone())
            .uri(url)
            .body(self.body.clone())?;
        *request.headers_mut() = self.headers.clone();
        Ok(request)
    }
}

/// Returns the address of a call. What the input gives stays one part of the path or one value of the query.
fn url(config: &HttpConfig, input: &Value) -> Result<String, String> {
    let path = fill(&config.path, input, encode)?;
    let mut url = format!("{}{path}", config.base_url);
    for (name, template) in &config.query {
        url.push(if url.contains('?') { '&' } else { '?' });
        encode(name, &mut url);
        url.push('=');
        url.push_str(&fill(template, input, encode)?);
    }
    match (Url::parse(&config.base_url), Url::parse(&url)) {
        (Ok(base), Ok(called)) if is_same_origin(&base, &called) => Ok(called.into()),
        _ => Err("the path and the query make no address of the service".to_owned()),
    }
}

/// Returns whether two addresses have the same scheme, host and port, and the second holds no user.
pub(crate) fn is_same_origin(one: &Url, other: &Url) -> bool {
    one.scheme() == other.scheme()
        && one.host() == other.host()
        && one.port_or_known_default() == other.port_or_known_default()
        && other.username().is_empty()
        && other.password().is_none()
}

fn form(input: &Map<String, Value>) -> Result<String, String> {
    let mut form = String::new();
    for (name, value) in input {
        let text = match value {
            Value::String(text) => text.clone(),
            Value::Number(_) | Value::Bool(_) => value.to_string(),
            _ => {
                return Err(format!(
                    "{name:?} of the input must be a string, a number or a boolean to be part of a form"
                ));
            }
        };
        if !form.is_empty() {
            form.push('&');
        }
        encode(name, &mut form);
        form.push('=');
        encode(&text, &mut form);
    }
    Ok(form)
}

fn fill(template: &Template, input: &Value, write: impl FnMut(&str, &mut String)) -> Result<String, String> {
    let told = |missing: Missing| format!("{:?} of the input {}", missing.field, missing.detail);
    template.fill(input, write).map_err(told)
}

fn encode(text: &str, filled: &mut String) {
    filled.extend(utf8_percent_encode(text, RESERVED));
}

#[cfg(test)]
mod tests {
    use callboard_kind_service::config::RunnerConfig;
    use callboard_kind_service::registry::Registry;
    use serde_json::json;

    use super::*;

    fn prepared(config: &str, input: &Value) -> Result<Prepared, String> {
        let text = format!(
            "services:\n  - name: a\n    runner_config: {{base_url: 'https://a.example.com/v1'}}\n    operations:\n      - name: x\n        runner_config: {config}\n"
        );
        let registry = Registry::parse(&[("services.yml".to_owned(), text)]).map_err(|faults| format!("{faults:?}"))?;
        let (_, operation) = registry.operation("a", "x").ok_or("no operation")?;
        let RunnerConfig::Http(config) = &operation.runner_config else {
            return Err("no http".to_owned());
        };
        let input = input.as_object().cloned().unwrap_or_default();
        Prepared::new(config, &input, JobId::from_bytes([1; 16]))
    }

    #[test]
    fn what_the_input_gives_stays_where_the_operator_put_it() -> Result<(), String> {
        let config = "{method: GET, path: '/users/{id}/orders', query: {q: '{q}', page: '1'}}";
        let call = prepared(config, &json!({"id": "a/b?x=1#y", "q": "a&b=c\r\nHost: x"}))?;
        assert_eq!(
            call.url,
            "https://a.example.com/v1/users/a%2Fb%3Fx%3D1%23y/orders?page=1&q=a%26b%3Dc%0D%0AHost%3A%20x"
        );
        for (config, input) in [
            ("{path: '/users/{id}'}", json!({"id": ".."})),
            ("{path: '/users/{id}'}", json!({"id": ""})),
            ("{path: '/users/{id}'}", json!({"id": "../../admin"})),
            ("{path: '/users/{id}'}", json!({"id": "a\\..\\b"})),
            ("{path: '/users/{id}/x'}", json!({"id": "."})),
            ("{headers: {X-Id: '{id}'}}", json!({"id": "a\r\nX-Admin: 1"})),
            ("{body: form}", json!({"id": ["a"]})),
            ("{path: '.{id}'}", json!({"id": "evil.com"})),
            ("{path: '@{id}'}", json!({"id": "evil.com"})),
            ("{path: ':80{id}'}", json!({"id": 8})),
        ] {
            assert!(prepared(config, &input).is_err(), "{config} {input}");
        }
        let form = prepared("{body: form}", &json!({"a": "1&2", "b": true}))?;
        assert_eq!(form.body, b"a=1%262&b=true");
        Ok(())
    }
}
