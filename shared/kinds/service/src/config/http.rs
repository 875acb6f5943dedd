//! `runner_config` of services that are called over HTTP.

use std::collections::BTreeMap;

use callboard_core::base::fields::{Faults, Fields};
use callboard_core::base::web_address::WebAddress;
use serde::{Deserialize, Serialize};

use super::answer::{Poll, Success};
use super::auth::Auth;
use super::places::{template, templates};
use crate::template::Template;

const METHODS: [&str; 6] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"];
const MAX_URL_BYTES: usize = 2048;
const MAX_NAME_BYTES: usize = 128;
const MAX_REDIRECTS: u64 = 10;
const MAX_SECONDS: u64 = 3600;
/// The headers that this product sets itself.
const OWN_HEADERS: [&str; 6] = [
    "host",
    "content-length",
    "transfer-encoding",
    "connection",
    "authorization",
    "proxy-authorization",
];

/// How an operation is called over HTTP.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
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
    pub(super) fn read(fields: &mut Fields<'_>, faults: &mut Faults) -> Option<Self> {
        let base_url = fields.required_line("base_url", MAX_URL_BYTES, faults);
        if let Some(Err(wrong)) = base_url.map(WebAddress::parse) {
            faults.add(fields.pointer("base_url"), wrong);
        }
        if base_url.is_some_and(|url| url.contains(['?', '#'])) {
            faults.add(fields.pointer("base_url"), "must have no query; name it in query");
        }
        let method = match fields.get("method") {
            None => "POST",
            Some(_) => fields.variant("method", &METHODS, faults).unwrap_or("POST"),
        };
        let sends = !matches!(method, "GET" | "HEAD" | "DELETE");
        let body = match fields.get("body") {
            None if sends => Body::Input,
            None => Body::None,
            Some(_) => match fields.variant("body", &["input", "form", "none"], faults) {
                Some("input") => Body::Input,
                Some("form") => Body::Form,
                _ => Body::None,
            },
        };
        if body != Body::None && matches!(method, "GET" | "HEAD") {
            faults.add(fields.pointer("body"), format!("must be none: {method} has no body"));
        }
        let headers = templates(fields, "headers", faults);
        for name in headers.keys() {
            check_header(name, &format!("{}/{name}", fields.pointer("headers")), faults);
        }
        let idempotency_header = fields
            .line("idempotency_header", MAX_NAME_BYTES, faults)
            .map(str::to_owned);
        if let Some(name) = &idempotency_header {
            check_header(name, &fields.pointer("idempotency_header"), faults);
        }
        let path = template(fields, "path", faults);
        let path = path.or_else(|| Template::parse("").ok())?;
        if path.begins_with_a_field() {
            faults.add(
                fields.pointer("path"),
                "must not begin with a field: what it holds could become part of the host",
            );
        }
        Some(Self {
            base_url: base_url?.to_owned(),
            method: method.to_owned(),
            path,
            query: templates(fields, "query", faults),
            headers,
            body,
            auth: Auth::read(fields, faults),
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
        })
    }

    pub(super) fn input_fields(&self) -> Vec<&str> {
        let templates = [&self.path]
            .into_iter()
            .chain(self.query.values())
            .chain(self.headers.values());
        templates.flat_map(Template::fields).collect()
    }
}

fn check_header(name: &str, pointer: &str, faults: &mut Faults) {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if name.is_empty() || name.len() > MAX_NAME_BYTES || !name.bytes().all(good) {
        faults.add(pointer, "is no name of a header");
    } else if OWN_HEADERS.contains(&name.to_ascii_lowercase().as_str()) {
        faults.add(
            pointer,
            "is set by Callboard; name a credential in auth for Authorization",
        );
    }
}
