//! The headers that an operator may set.

use std::collections::BTreeMap;

use callboard_core::base::fields::{Faults, Fields};
use callboard_core::base::json::escape;

use super::auth::Auth;
use crate::template::Template;

pub(super) const MAX_HEADER_BYTES: usize = 128;
/// The headers that this product sets itself.
const OWN_HEADERS: [&str; 12] = [
    "host",
    "content-length",
    "transfer-encoding",
    "connection",
    "proxy-authorization",
    "proxy-connection",
    "keep-alive",
    "te",
    "trailer",
    "upgrade",
    "expect",
    "content-encoding",
];

/// Returns whether a header is Callboard's to set, or that of a connection.
#[must_use]
pub fn is_own_header(name: &str) -> bool {
    OWN_HEADERS.iter().any(|own| name.eq_ignore_ascii_case(own))
}

/// Checks the names of all headers. Upper and lower case are the same to HTTP, so that one of two would be lost.
pub(super) fn check_headers(
    fields: &Fields<'_>,
    headers: &BTreeMap<String, Template>,
    idempotency_header: Option<&str>,
    auth: Option<&Auth>,
    faults: &mut Faults,
) {
    let pointer = fields.pointer("headers");
    let listed = headers
        .keys()
        .map(|name| (format!("{pointer}/{}", escape(name)), name.as_str(), false));
    let idempotency = idempotency_header.map(|name| (fields.pointer("idempotency_header"), name, false));
    let pointer = fields.pointer("auth");
    let signed = auth.into_iter().flat_map(Auth::named_headers);
    let signed = signed.map(|(field, name)| (format!("{pointer}/{field}"), name, true));
    let mut seen = BTreeMap::new();
    for (pointer, name, may_authorize) in listed.chain(idempotency).chain(signed) {
        check_header(name, may_authorize, &pointer, faults);
        if let Some(other) = seen.insert(name.to_ascii_lowercase(), name) {
            faults.add(pointer, format!("is the same header as {other:?}, whatever its case"));
        }
    }
}

fn check_header(name: &str, may_authorize: bool, pointer: &str, faults: &mut Faults) {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if name.is_empty() || name.len() > MAX_HEADER_BYTES || !name.bytes().all(good) {
        faults.add(pointer, "is no name of a header");
    } else if is_own_header(name) || (name.eq_ignore_ascii_case("authorization") && !may_authorize) {
        faults.add(
            pointer,
            "is set by Callboard; name a credential in auth for Authorization",
        );
    }
}
