//! Reads an answer's body, within its limit.

use reqwest::Response;

use crate::error::FetchError;

/// Reads a body. A body that is announced as too large is not read at all; one that becomes too large is abandoned.
pub(crate) async fn read(mut answer: Response, host: &str, max_bytes: usize) -> Result<Vec<u8>, FetchError> {
    let too_large = || FetchError::TooLarge {
        host: host.to_owned(),
        max_bytes,
    };
    let said = answer.content_length().unwrap_or_default();
    if usize::try_from(said).is_ok_and(|said| said > max_bytes) {
        return Err(too_large());
    }
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(|error| FetchError::of(host, error))? {
        if body.len() + chunk.len() > max_bytes {
            return Err(too_large());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}
