//! Why a request was not accepted.

use crate::access::Missing;
use crate::base::fields::FieldError;
use crate::base::store_error::StoreError;
use crate::run::Exceeded;

/// Why a request was not accepted.
#[derive(Debug, thiserror::Error)]
pub enum SubmitError {
    /// Fields are wrong.
    #[error("the request is not valid")]
    Invalid(Vec<FieldError>),
    /// The caller may not run that.
    #[error(transparent)]
    Forbidden(#[from] Missing),
    /// Something that the request names does not exist.
    #[error("{} {}", .0.pointer, .0.detail)]
    Missing(FieldError),
    /// The same idempotency key was sent with another request before.
    #[error("the idempotency key was used for a different request")]
    KeyReused,
    /// The first submission with the same idempotency key has not been answered yet.
    #[error("a submission with the same idempotency key is in flight")]
    InFlight,
    /// The tenant has used up a quota.
    #[error(transparent)]
    Exceeded(#[from] Exceeded),
    /// The maximum number of jobs is already waiting.
    #[error("the queue is full")]
    QueueFull(u32),
    /// The request cannot be read at the moment; holds a sentence that says why.
    #[error("{0}")]
    Unavailable(&'static str),
    /// The job could not be recorded.
    #[error(transparent)]
    Store(#[from] StoreError),
}
