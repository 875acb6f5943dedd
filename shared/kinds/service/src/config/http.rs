//! `runner_config` of services that are called over HTTP.

use std::collections::BTreeMap;

use callboard_core::base::fields::{Faults, Fields};
use callboard_core::base::json::escape;
use callboard_core::base::web_address::WebAddress;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::answer::{Poll, Success};
use super::auth::Auth;
use super::headers::{MAX_HEADER_BYTES, check_headers};
use super::places::{choice, template, templates};
use crate::security::{Network, SecurityPolicy};
use crate::template::Template;

const METHODS: [&str; 6] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"];
const MAX_URL_BYTES: usize = 2048;
const MAX_REDIRECTS: u64 = 10;
const MAX_SECONDS: u64 = 3600;

/// How an operation is called over HTTP.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct HttpConfig {
    /// What every address of the service begins with.
    pub base_url: String,
    /// The method.
    pub method: String,
    /// What follows `base_url`.
    pub path: Template,
    /// The query, besides one in `path`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub query: BTreeMap<String, Template>,
    /// Headers.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, Template>,
    /// What is sent.
    pub body: Body,
    /// How the call shows who sends it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth: Option<Auth>,
    /// Seconds for a connection.
    pub connect_timeout: u64,
    /// Seconds until the answer begins.
    pub first_byte_timeout: u64,
    /// How many redirects are followed, within the same origin.
    pub redirects: u64,
    /// How much of an answer is the job's output, in bytes. The rest is in its log only.
    pub max_response_bytes: u64,
    /// When a call counts as successful.
    pub success: Success,
    /// The header that has the job's id, so that the service does nothing twice.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idempotency_header: Option<String>,
    /// How the end of work is found that goes on after the answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub poll: Option<Poll>,
}

/// What a call sends.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Body {
    /// The input, as JSON.
    Input,
    /// The input's fields, as a form.
    Form,
    /// Nothing.
    None,
}

impl HttpConfig {
    pub(super) fn read(fields: &mut Fields<'_>, policy: &SecurityPolicy, faults: &mut Faults) -> Option<Self> {
        let base_url = fields.required_line("base_url", MAX_URL_BYTES, faults);
        if let Some(Err(wrong)) = base_url.map(WebAddress::parse) {
            faults.add(fields.pointer("base_url"), wrong);
        }
        if base_url.is_some_and(|url| url.contains(['?', '#'])) {
            faults.add(fields.pointer("base_url"), "must have no query; name it in query");
        }
        let method = choice(fields, "method", &METHODS, "POST", faults);
        let usual = if matches!(method, "GET" | "HEAD" | "DELETE") {
            "none"
        } else {
            "input"
        };
        let body = match choice(fields, "body", &["input", "form", "none"], usual, faults) {
            "input" => Body::Input,
            "form" => Body::Form,
            _ => Body::None,
        };
        if body != Body::None && matches!(method, "GET" | "HEAD") {
            faults.add(fields.pointer("body"), format!("must be none: {method} has no body"));
        }
        let headers = templates(fields, "headers", faults);
        let idempotency_header = fields
            .line("idempotency_header", MAX_HEADER_BYTES, faults)
            .map(str::to_owned);
        let auth = Auth::read(fields, faults);
        check_headers(fields, &headers, idempotency_header.as_deref(), auth.as_ref(), faults);
        if let (Some(base_url), Some(auth)) = (base_url, &auth) {
            check_secrecy(fields, base_url, auth, policy, faults);
        }
        let path = template(fields, "path", faults);
        let path = path.or_else(|| Template::parse("").ok())?;
        let text = String::from(path.clone());
        if !text.is_empty() && !text.starts_with(['/', '?']) {
            faults.add(
                fields.pointer("path"),
                "must begin with / or ?: what follows base_url could become part of the host",
            );
        } else if text.contains(['#', '\\']) || text.contains(char::is_whitespace) {
            faults.add(fields.pointer("path"), "must hold no #, no backslash and no space");
        }
        Some(Self {
            method: method.to_owned(),
            path,
            query: templates(fields, "query", faults),
            headers,
            body,
            auth,
            connect_timeout: fields.integer("connect_timeout", 1, MAX_SECONDS, faults).unwrap_or(5),
            first_byte_timeout: fields
                .integer("first_byte_timeout", 1, MAX_SECONDS, faults)
                .unwrap_or(30),
            redirects: fields.integer("redirects", 0, MAX_REDIRECTS, faults).unwrap_or(0),
            max_response_bytes: fields
                .integer("max_response_bytes", 0, 16 * 1024 * 1024, faults)
                .unwrap_or(1024 * 1024),
            success: Success::read(fields, faults),
            idempotency_header,
            poll: Poll::read(fields, faults),
            // last, so that every field is read
            base_url: base_url?.trim_end_matches('/').to_owned(),
        })
    }

    /// Adds a fault for each field of an input that does not fit into the call.
    pub fn check_input(&self, input: &Map<String, Value>, faults: &mut Faults) {
        let text = |name: &str| input.get(name).and_then(Value::as_str);
        for name in self.path.fields() {
            let moves = |text: &str| text.is_empty() || text.split(['/', '\\']).any(|part| matches!(part, "." | ".."));
            if text(name).is_some_and(moves) {
                let detail = "must not be empty, nor have a part of only dots: it would lead to another path";
                faults.add(format!("/input/{name}"), detail);
            }
        }
        for name in self.headers.values().flat_map(Template::fields) {
            if text(name).is_some_and(|text| text.chars().any(char::is_control)) {
                faults.add(
                    format!("/input/{name}"),
                    "must not hold control characters: it becomes part of a header",
                );
            }
        }
        if self.body == Body::Form {
            for (name, value) in input {
                if value.is_array() || value.is_object() {
                    let pointer = format!("/input/{}", escape(name));
                    faults.add(pointer, "must be a string, a number or a boolean to be part of a form");
                }
            }
        }
    }

    pub(super) fn input_fields(&self) -> Vec<&str> {
        let templates = [&self.path]
            .into_iter()
            .chain(self.query.values())
            .chain(self.headers.values());
        templates.flat_map(Template::fields).collect()
    }
}

/// What shows who sends a call must not cross a public network in the clear.
fn check_secrecy(fields: &Fields<'_>, base_url: &str, auth: &Auth, policy: &SecurityPolicy, faults: &mut Faults) {
    let private = policy.network == Network::Private && !matches!(auth, Auth::Mtls { .. });
    let why = match auth {
        Auth::Mtls { .. } => "only TLS shows a certificate",
        _ => "its auth would cross the public network in the clear; http:// is for security_policy.network: private",
    };
    let pointer = fields.pointer("auth");
    let addresses = auth.addresses().into_iter();
    let addresses = addresses.map(|(field, url)| (format!("{pointer}/{field}"), url));
    for (pointer, url) in addresses.chain([(fields.pointer("base_url"), base_url)]) {
        if !private && url.starts_with("http://") {
            faults.add(pointer, format!("must begin with https://: {why}"));
        }
    }
}
