//! Helpers for work on files.

use std::io::ErrorKind;

use callboard_core::base::store_error::StoreError;

/// Returns `absent` if the result is that something was not found.
pub(crate) fn or_absent<T>(result: std::io::Result<T>, absent: T) -> std::io::Result<T> {
    match result {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(absent),
        other => other,
    }
}

/// Runs work on files outside the async runtime's threads.
pub(crate) async fn blocking<T, F>(work: F) -> Result<T, StoreError>
where
    T: Send + 'static,
    F: FnOnce() -> std::io::Result<T> + Send + 'static,
{
    let joined = tokio::task::spawn_blocking(work).await;
    let result = joined.map_err(|error| StoreError::Unavailable(Box::new(error)))?;
    result.map_err(|error| StoreError::Unavailable(Box::new(error)))
}
