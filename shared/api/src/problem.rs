//! Errors as RFC 9457 problem details: the one place where an error becomes a status.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use callboard_core::causes::causes;
use callboard_core::fields::FieldError;
use callboard_core::json::JsonError;
use callboard_core::ports::{PlaybookError, StoreError};
use callboard_core::submit::SubmitError;
use serde::Serialize;
use utoipa::ToSchema;

/// What went wrong, for a person and for a program.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Problem {
    /// `about:blank`: the status says which kind of problem it is.
    r#type: &'static str,
    /// The status in words.
    title: &'static str,
    /// The HTTP status.
    #[schema(value_type = u16)]
    #[serde(serialize_with = "as_number")]
    status: StatusCode,
    /// What is wrong and what would be right.
    detail: String,
    /// Each fault, with its place.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<Fault>,
    /// Whether the same request may be answered otherwise soon.
    #[serde(skip)]
    passes: bool,
}

/// One fault of a request.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Fault {
    /// Where in the body, as a JSON pointer (RFC 6901).
    #[serde(skip_serializing_if = "Option::is_none")]
    pointer: Option<String>,
    /// Which query parameter.
    #[serde(skip_serializing_if = "Option::is_none")]
    parameter: Option<String>,
    /// What is wrong there and what would be right.
    detail: String,
}

fn as_number<S: serde::Serializer>(status: &StatusCode, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u16(status.as_u16())
}

impl Problem {
    pub(crate) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        let title = status.canonical_reason().unwrap_or("Error");
        Self {
            r#type: "about:blank",
            title,
            status,
            detail: detail.into(),
            errors: Vec::new(),
            passes: [StatusCode::SERVICE_UNAVAILABLE, StatusCode::TOO_MANY_REQUESTS].contains(&status),
        }
    }

    pub(crate) fn no_such_job(id: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, format!("There is no job {id:?}, or no longer."))
    }

    pub(crate) fn fields(errors: Vec<FieldError>) -> Self {
        let faults = errors.into_iter().map(|error| Fault {
            pointer: Some(error.pointer),
            parameter: None,
            detail: error.detail,
        });
        Self::faults(
            StatusCode::UNPROCESSABLE_ENTITY,
            "The request is not valid",
            faults.collect(),
        )
    }

    pub(crate) fn parameters(status: StatusCode, errors: Vec<(String, String)>) -> Self {
        let faults = errors.into_iter().map(|(parameter, detail)| Fault {
            pointer: None,
            parameter: Some(parameter),
            detail,
        });
        Self::faults(status, "The query is not valid", faults.collect())
    }

    pub(crate) fn not_json(error: JsonError) -> Self {
        let detail = format!("The body is not JSON that can be taken: {}.", error.message);
        let fault = Fault {
            pointer: Some(error.pointer),
            parameter: None,
            detail: error.message,
        };
        Self {
            errors: vec![fault],
            ..Self::new(StatusCode::BAD_REQUEST, detail)
        }
    }

    fn faults(status: StatusCode, summary: &str, errors: Vec<Fault>) -> Self {
        let first = errors.first().map(|fault| {
            let place = fault.pointer.as_deref().or(fault.parameter.as_deref()).unwrap_or("");
            if place.is_empty() {
                format!("it {}", fault.detail)
            } else {
                format!("{place} {}", fault.detail)
            }
        });
        let more = match errors.len() {
            0 | 1 => String::new(),
            number => format!(" (and {} more)", number - 1),
        };
        let detail = format!("{summary}: {}{more}.", first.unwrap_or_default());
        Self {
            errors,
            ..Self::new(status, detail)
        }
    }

    fn unavailable() -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "A store does not answer; try again in a moment.",
        )
    }

    pub(crate) fn internal() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "Something went wrong here; the service's log says what.",
        )
    }

    pub(crate) fn too_many_followers() -> Self {
        Self::new(
            StatusCode::TOO_MANY_REQUESTS,
            "As many requests wait for jobs as this service takes at a time; try again later, or ask without waiting.",
        )
    }

    pub(crate) fn draining() -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "The service is shutting down and takes no more jobs.",
        )
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (status, passes) = (self.status, self.passes);
        let mut response = (status, Json(self)).into_response();
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        if passes {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
        }
        response
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match &error {
            StoreError::NotFound => Self::new(StatusCode::NOT_FOUND, "There is no such job, or no longer."),
            StoreError::Conflict => Self::new(StatusCode::CONFLICT, "The job's present state does not allow that."),
            StoreError::Unavailable(_) => {
                tracing::error!(error = %causes(&error), "a store is unavailable");
                Self::unavailable()
            }
            StoreError::Rejected(_) => {
                tracing::error!(error = %causes(&error), "a store rejects a call");
                Self::internal()
            }
            StoreError::Corrupt(_) => {
                tracing::error!(
                    error = %causes(&error),
                    "a store holds something unreadable"
                );
                Self::internal()
            }
        }
    }
}

impl From<SubmitError> for Problem {
    fn from(error: SubmitError) -> Self {
        let playbook = |detail: String, status| {
            let fault = Fault {
                pointer: Some("/playbook".to_owned()),
                parameter: None,
                detail,
            };
            Self::faults(status, "The playbook cannot be run", vec![fault])
        };
        match error {
            SubmitError::Invalid(errors) => Self::fields(errors),
            SubmitError::Playbook(error @ PlaybookError::NotFound(_)) => {
                playbook(format!("names nothing: {error}"), StatusCode::NOT_FOUND)
            }
            SubmitError::Playbook(error @ PlaybookError::Outside(_)) => {
                playbook(format!("leads elsewhere: {error}"), StatusCode::UNPROCESSABLE_ENTITY)
            }
            SubmitError::KeyReused => Self::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "The Idempotency-Key stands for another request of the last 24 hours; use a new key for a new request.",
            ),
            SubmitError::InFlight => Self {
                passes: true,
                ..Self::new(
                    StatusCode::CONFLICT,
                    "The first request with this Idempotency-Key has not been answered yet; try again in a moment.",
                )
            },
            SubmitError::QueueFull(limit) => Self::new(
                StatusCode::TOO_MANY_REQUESTS,
                format!("{limit} jobs or more wait already, the limit of this service; try again later."),
            ),
            SubmitError::Store(error) => error.into(),
        }
    }
}

pub(crate) async fn no_such_route(uri: Uri) -> Problem {
    Problem::new(
        StatusCode::NOT_FOUND,
        format!("There is nothing at {}; /openapi.json lists what there is.", uri.path()),
    )
}

pub(crate) async fn no_such_method(uri: Uri) -> Problem {
    let detail = format!(
        "{} does not take this method; /openapi.json lists which it takes.",
        uri.path()
    );
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, detail)
}
