//! The problems that each operation may answer with, and their descriptions in the document.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::problem::Kind::{self, *};

/// The problems that any operation may answer with.
const ANYWHERE: &[Kind] = &[InvalidHeader, HostNotAllowed, OriginNotAllowed, MethodNotAllowed];
/// The problems that any operation on jobs or credentials may answer with.
const ALWAYS: &[Kind] = &[
    InvalidQuery,
    Unauthenticated,
    Forbidden,
    TooManyFailures,
    Internal,
    Unavailable,
];
/// The problems that reading a body may cause.
const BODY: &[Kind] = &[
    MalformedRequest,
    NotJson,
    InvalidRequest,
    PayloadTooLarge,
    BodyTimeout,
    UnsupportedMediaType,
    TooManyBodies,
];

/// Returns the kinds of problems that an operation may answer with.
fn of(operation: &str) -> Vec<Kind> {
    let own: &[&[Kind]] = match operation {
        "submitJob" => &[
            ALWAYS,
            BODY,
            &[NoSuchPlaybook, IdempotencyKeyReused, IdempotencyInFlight],
            &[QueueFull, QuotaExceeded, TooManyFollowers, Draining],
        ],
        "listJobs" | "listCredentials" | "listKeys" | "listAudit" | "redriveJobs" => &[ALWAYS],
        "createKey" => &[ALWAYS, BODY, &[KeyExists]],
        "getKey" | "revokeKey" => &[ALWAYS, &[NoSuchKey]],
        "rotateKey" => &[ALWAYS, BODY, &[NoSuchKey, KeyRevoked]],
        "getSession" => &[ALWAYS],
        "beginSession" => &[ALWAYS, &[NoSession, TooManySessions]],
        "endSession" => &[ALWAYS, &[NoSession]],
        "getJob" | "listJobHosts" | "getJobResults" => &[ALWAYS, &[NoSuchJob]],
        "cancelJob" | "deleteJob" => &[ALWAYS, &[NoSuchJob, JobEnded]],
        "redriveJob" => &[ALWAYS, &[NoSuchJob, JobNotWaiting]],
        "getJobLogs" => &[
            ALWAYS,
            &[
                NoSuchJob,
                NoSuchAttempt,
                RangeNotSatisfiable,
                OutputTooLarge,
                TooManyFollowers,
            ],
        ],
        "listJobEvents" | "streamJob" => &[ALWAYS, &[NoSuchJob, NoSuchAttempt, TooManyFollowers]],
        "relaunchJob" => &[
            ALWAYS,
            BODY,
            &[NoSuchJob, NoSuchPlaybook, IdempotencyKeyReused, IdempotencyInFlight],
            &[QueueFull, QuotaExceeded, Draining],
        ],
        "createCredential" => &[ALWAYS, BODY, &[CredentialExists]],
        "getCredential" | "deleteCredential" => &[ALWAYS, &[NoSuchCredential]],
        "rotateCredential" => &[ALWAYS, BODY, &[NoSuchCredential, CredentialKindDiffers]],
        "listServices" | "getPerformance" | "getResources" | "getFailures" => &[ALWAYS],
        "getService" => &[ALWAYS, &[NoSuchService]],
        "getOperation" => &[ALWAYS, &[NoSuchService, NoSuchOperation]],
        "testOperation" => &[
            ALWAYS,
            BODY,
            &[NoSuchService, NoSuchOperation],
            &[QueueFull, QuotaExceeded, TooManyFollowers, Draining],
        ],
        _ => &[],
    };
    [ANYWHERE, &own.concat()].concat()
}

/// Adds the problems to the responses of an operation. A response that exists already is left as it is.
pub(super) fn add(operation: &str, method: &str, responses: &mut Map<String, Value>) {
    let mut by_status = BTreeMap::<u16, Vec<Kind>>::new();
    // only what changes something needs the token
    let csrf = (method != "GET").then_some(CsrfToken);
    for kind in of(operation).into_iter().chain(csrf) {
        by_status.entry(kind.status().as_u16()).or_default().push(kind);
    }
    for (status, kinds) in by_status {
        responses.entry(status.to_string()).or_insert_with(|| response(&kinds));
    }
}

/// Returns every URI that a problem's `type` can have.
pub(super) fn uris() -> Value {
    Kind::ALL.iter().map(|kind| kind.uri()).collect()
}

fn response(kinds: &[Kind]) -> Value {
    let told = kinds.iter().map(|kind| format!("`{}`: {}.", kind.slug(), kind.title()));
    let examples: Map<String, Value> = kinds
        .iter()
        .map(|kind| (kind.slug().to_owned(), example(*kind)))
        .collect();
    let problem = json!({"schema": {"$ref": "#/components/schemas/Problem"}, "examples": examples});
    let mut response = json!({
        "description": told.collect::<Vec<_>>().join(" "),
        "content": {"application/problem+json": problem},
    });
    let headers = headers(kinds);
    if !headers.is_empty() {
        response["headers"] = Value::Object(headers);
    }
    response
}

fn headers(kinds: &[Kind]) -> Map<String, Value> {
    let mut headers = Map::new();
    let mut add = |name: &str, kind: &str, description: &str| {
        headers.insert(
            name.to_owned(),
            json!({"description": description, "schema": {"type": kind}}),
        );
    };
    if kinds.iter().any(|kind| kind.passes()) {
        add(
            "Retry-After",
            "integer",
            "The number of seconds after which the same request may get a different response.",
        );
    }
    if kinds.contains(&MethodNotAllowed) {
        add("Allow", "string", "The methods that the path supports.");
    }
    if kinds.contains(&RangeNotSatisfiable) {
        add(
            "Content-Range",
            "string",
            "The size of the output so far, in bytes: `bytes */SIZE`.",
        );
    }
    headers
}

fn example(kind: Kind) -> Value {
    let value = json!({
        "type": kind.uri(), "title": kind.title(), "status": kind.status().as_u16(), "detail": format!("{}.", kind.title()),
    });
    json!({"summary": kind.title(), "value": value})
}
