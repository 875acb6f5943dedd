//! How far a tenant has used up its submissions, as the fields that the IETF drafts (draft-ietf-httpapi-ratelimit-headers).

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use callboard_core::run::SubmissionRate;

/// Adds the fields `RateLimit-Policy` and `RateLimit`.
pub(crate) fn tell(rate: SubmissionRate, headers: &mut HeaderMap) {
    let SubmissionRate {
        limit,
        remaining,
        resets_in,
    } = rate;
    let fields = [
        ("ratelimit-policy", format!("\"submissions\";q={limit};w=60")),
        (
            "ratelimit",
            format!("\"submissions\";r={remaining};t={}", resets_in.as_secs()),
        ),
    ];
    for (name, value) in fields {
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
}
