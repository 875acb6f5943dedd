//! Translates the answers of AWS's services into the errors of the ports.

use std::error::Error;

use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use callboard_core::base::store_error::StoreError;

/// Codes of 4xx answers to calls that may succeed on a retry: throttling, lost races, slow requests.
const TRANSIENT: [&str; 13] = [
    "KmsThrottled",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestTimeout",
    "RequestTimeoutException",
    "SlowDown",
    "ThrottledException",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
    "TransactionConflictException",
    "TransactionInProgressException",
];

/// Translates an error that the SDK no longer retries. An adapter first handles the errors that mean `NotFound` or
/// `Conflict` in its call.
pub(crate) fn aws<E>(error: SdkError<E>) -> StoreError
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
{
    if is_transient(&error) {
        StoreError::Unavailable(Box::new(error))
    } else {
        StoreError::Rejected(Box::new(error))
    }
}

/// Translates the answer of DynamoDB to a conditional write; `None` if the condition does not hold.
pub(crate) fn conditional<T, E>(answer: Result<T, SdkError<E>>) -> Result<Option<T>, StoreError>
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
{
    match answer {
        Ok(written) => Ok(Some(written)),
        Err(error) if error.code() == Some("ConditionalCheckFailedException") => Ok(None),
        Err(error) => Err(aws(error)),
    }
}

/// Translates an error of Secrets Manager.
pub(crate) fn secrets_manager<E>(error: SdkError<E>) -> StoreError
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
{
    match error.code() {
        Some("ResourceNotFoundException") => StoreError::NotFound,
        Some("ResourceExistsException") => StoreError::Conflict,
        _ => aws(error),
    }
}

/// Returns whether a secret's name is still taken by a secret that is being deleted; Secrets Manager has no code for that.
pub(crate) fn is_being_deleted<E: ProvideErrorMetadata>(error: &SdkError<E>) -> bool {
    let message = error.message().unwrap_or_default();
    error.code() == Some("InvalidRequestException") && (message.contains("deletion") || message.contains("deleted"))
}

fn is_transient<E: ProvideErrorMetadata>(error: &SdkError<E>) -> bool {
    match error {
        SdkError::ConstructionFailure(_) => false,
        SdkError::ServiceError(answer) => {
            let code = answer.err().code().unwrap_or_default();
            answer.raw().status().is_server_error() || TRANSIENT.contains(&code)
        }
        _ => true,
    }
}
