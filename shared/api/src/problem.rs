//! Errors as RFC 9457 problem details. This is the only place that maps errors to statuses.

mod kind;

use axum::Json;
use axum::http::{HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use callboard_core::access::Missing;
use callboard_core::base::causes::causes;
use callboard_core::base::fields::FieldError;
use callboard_core::base::id::JobId;
use callboard_core::base::json::JsonError;
use callboard_core::base::store_error::StoreError;
use callboard_core::run::Exceeded;
use callboard_core::submit::SubmitError;
use serde::Serialize;
use utoipa::ToSchema;

pub(crate) use self::kind::Kind;
use crate::rate_limit;

/// An error, for people and for programs (RFC 9457).
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Problem {
    /// The URI that identifies the kind of problem. Programs should use it to tell problems apart.
    r#type: String,
    /// The kind of problem in words.
    title: &'static str,
    /// The HTTP status code.
    #[schema(value_type = u16)]
    #[serde(serialize_with = "as_number")]
    status: StatusCode,
    /// What is wrong, and what would be valid.
    detail: String,
    /// The faults of the request, each with its location.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<Fault>,
    #[serde(skip)]
    kind: Kind,
    /// The quota that is used up, if that is the problem.
    #[serde(skip)]
    exceeded: Option<Box<Exceeded>>,
}

/// One fault of a request and its location: in the body, in the query or in a header.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
pub(crate) struct Fault {
    /// The location in the body, as a JSON pointer (RFC 6901).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pointer: Option<String>,
    /// The name of the query parameter.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    parameter: Option<String>,
    /// The name of the header.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    header: Option<&'static str>,
    /// What is wrong at this location, and what would be valid.
    detail: String,
}

impl From<FieldError> for Fault {
    fn from(error: FieldError) -> Self {
        Self {
            pointer: Some(error.pointer),
            detail: error.detail,
            ..Self::default()
        }
    }
}

fn as_number<S: serde::Serializer>(status: &StatusCode, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u16(status.as_u16())
}

impl Problem {
    pub(crate) fn new(kind: Kind, detail: impl Into<String>) -> Self {
        Self {
            r#type: kind.uri(),
            title: kind.title(),
            status: kind.status(),
            detail: detail.into(),
            errors: Vec::new(),
            kind,
            exceeded: None,
        }
    }

    /// Makes the problem for a request that could not be read at all.
    pub fn malformed(detail: impl Into<String>) -> Self {
        Self::new(Kind::MalformedRequest, detail)
    }

    /// Makes the problem for a request that may succeed if it is sent again in a moment.
    pub fn unavailable(detail: impl Into<String>) -> Self {
        Self::new(Kind::Unavailable, detail)
    }

    pub(crate) fn no_such_job(id: &str) -> Self {
        Self::new(
            Kind::NoSuchJob,
            format!("There is no job {id:?}: it never existed, or its retention is over."),
        )
    }

    /// Makes the problem for an error that occurred while accessing a job's stored data.
    pub(crate) fn of_job(id: JobId, error: StoreError) -> Self {
        match error {
            StoreError::NotFound => Self::no_such_job(&id.to_string()),
            StoreError::Corrupt(_) => {
                tracing::error!(job.id = %id, error = %causes(&error), "the job's stored data is damaged");
                let detail = format!(
                    "The stored data of job {id} cannot be read. Run `callboard verify {id}` on the service's machine to see what \
                     is wrong."
                );
                Self::new(Kind::Damaged, detail)
            }
            other => other.into(),
        }
    }

    pub(crate) fn fields(errors: Vec<FieldError>) -> Self {
        let faults = errors.into_iter().map(Fault::from);
        Self::faults(Kind::InvalidRequest, faults.collect())
    }

    /// Makes the problem of a caller that may not do something.
    pub(crate) fn forbidden(missing: Missing) -> Self {
        Self {
            errors: missing.faults.into_iter().map(Fault::from).collect(),
            ..Self::new(Kind::Forbidden, missing.detail)
        }
    }

    pub(crate) fn parameters(errors: Vec<(String, String)>) -> Self {
        let faults = errors.into_iter().map(|(parameter, detail)| Fault {
            parameter: Some(parameter),
            detail,
            ..Fault::default()
        });
        Self::faults(Kind::InvalidQuery, faults.collect())
    }

    pub(crate) fn header(name: &'static str, detail: String) -> Self {
        let fault = Fault {
            header: Some(name),
            detail,
            ..Fault::default()
        };
        Self::faults(Kind::InvalidHeader, vec![fault])
    }

    pub(crate) fn not_json(error: JsonError) -> Self {
        let detail = format!("The body is not acceptable JSON: {}.", error.message);
        let fault = Fault {
            pointer: Some(error.pointer),
            detail: error.message,
            ..Fault::default()
        };
        Self {
            errors: vec![fault],
            ..Self::new(Kind::NotJson, detail)
        }
    }

    fn faults(kind: Kind, errors: Vec<Fault>) -> Self {
        let first = errors.first().map(|fault| {
            let place = fault.pointer.as_deref().or(fault.parameter.as_deref()).or(fault.header);
            match place.unwrap_or_default() {
                "" => format!("it {}", fault.detail),
                place => format!("{place} {}", fault.detail),
            }
        });
        let more = match errors.len() {
            0 | 1 => String::new(),
            number => format!(" (and {} more)", number - 1),
        };
        let detail = format!("{}: {}{more}.", kind.title(), first.unwrap_or_default());
        Self {
            errors,
            ..Self::new(kind, detail)
        }
    }

    pub(crate) fn internal() -> Self {
        let detail = "Something went wrong here; the service's log says what.";
        Self::new(Kind::Internal, detail)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (status, kind, passes) = (self.status, self.kind, self.kind.passes());
        let exceeded = self.exceeded.clone();
        let mut response = (status, Json(self)).into_response();
        response.extensions_mut().insert(kind);
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(
                header::WWW_AUTHENTICATE,
                HeaderValue::from_static("Bearer realm=\"callboard\""),
            );
        }
        if kind == Kind::TooManyFailures {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        if passes {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
        }
        if let Some(exceeded) = exceeded {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(exceeded.retry_after.as_secs()));
            if let Some(rate) = exceeded.rate {
                rate_limit::tell(rate, headers);
            }
        }
        response
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        let told = match &error {
            StoreError::NotFound => {
                return Self::new(
                    Kind::NoSuchJob,
                    "There is no such job: it never existed, or its retention is over.",
                );
            }
            StoreError::Unavailable(_) => "a store is unavailable",
            StoreError::Conflict => "a store is in an unexpected state",
            StoreError::Rejected(_) => "a store rejects a call",
            StoreError::Corrupt(_) => "a store holds something unreadable",
        };
        tracing::error!(error = %causes(&error), "{told}");
        if error.is_retryable() {
            Self::unavailable("A store does not answer; try again in a moment.")
        } else {
            Self::internal()
        }
    }
}

impl From<SubmitError> for Problem {
    fn from(error: SubmitError) -> Self {
        match error {
            SubmitError::Invalid(errors) => Self::fields(errors),
            SubmitError::Forbidden(missing) => Self::forbidden(missing),
            SubmitError::Missing(error) => Self::faults(Kind::NoSuchPlaybook, vec![error.into()]),
            SubmitError::KeyReused => Self::new(
                Kind::IdempotencyKeyReused,
                "The Idempotency-Key was used for a different request in the last 24 hours; use a new key for a new request.",
            ),
            SubmitError::InFlight => Self::new(
                Kind::IdempotencyInFlight,
                "The first request with this Idempotency-Key has not been answered yet; try again in a moment.",
            ),
            SubmitError::QueueFull(limit) => Self::new(
                Kind::QueueFull,
                format!(
                    "{limit} or more jobs are already waiting, which is the limit of this service; try again later."
                ),
            ),
            SubmitError::Exceeded(exceeded) => Self {
                exceeded: Some(Box::new(exceeded.clone())),
                ..Self::new(Kind::QuotaExceeded, exceeded.detail)
            },
            SubmitError::Unavailable(lacking) => Self::unavailable(lacking),
            SubmitError::Store(error) => error.into(),
        }
    }
}

pub(crate) async fn no_such_route(uri: Uri) -> Problem {
    let detail = format!("There is nothing at {}; /openapi.json lists what there is.", uri.path());
    Problem::new(Kind::NoSuchRoute, detail)
}

pub(crate) async fn no_such_method(method: Method, uri: Uri) -> Problem {
    let path = uri.path();
    let detail = format!("{path} does not support {method}; the Allow header lists the methods that it supports.");
    Problem::new(Kind::MethodNotAllowed, detail)
}
