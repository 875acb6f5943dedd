//! Fetches URLs that requests name.

use http::HeaderMap;
use tokio::time::timeout;
use url::Url;

use crate::error::FetchError;
use crate::guard::Guard;
use crate::{CONNECT_TIMEOUT, Limits, body, client, redirect};

const MAX_REDIRECTS: usize = 3;

/// Fetches an http or https URL and returns the body. The host's name is looked up once, and only the addresses found
/// then are connected to. At most 3 redirects are followed, all to the same host and port.
///
/// # Errors
/// The guard refuses the host, or there is no successful answer within the limits.
pub async fn get(url: &str, headers: &HeaderMap, limits: Limits, guard: &Guard) -> Result<Vec<u8>, FetchError> {
    let url = parse(url)?;
    let host = url.host_str().unwrap_or_default().to_owned();
    let fetched = timeout(limits.timeout, fetch(url, &host, headers, limits, guard)).await;
    fetched.unwrap_or(Err(FetchError::TooSlow { host }))
}

async fn fetch(
    mut url: Url,
    host: &str,
    headers: &HeaderMap,
    limits: Limits,
    guard: &Guard,
) -> Result<Vec<u8>, FetchError> {
    let addresses = guard.addresses(&url).await?;
    let client = client(addresses, CONNECT_TIMEOUT, Some(limits.timeout))?;
    for _ in 0..=MAX_REDIRECTS {
        let answer = client.get(url.clone()).headers(headers.clone()).send().await;
        let answer = answer.map_err(|error| FetchError::of(host, error))?;
        match redirect::next(&url, &answer)? {
            Some(next) => url = next,
            None => return body::read(answer, host, limits.max_bytes).await,
        }
    }
    Err(FetchError::Redirects {
        host: host.to_owned(),
        times: MAX_REDIRECTS,
    })
}

fn parse(url: &str) -> Result<Url, FetchError> {
    let url = Url::parse(url).map_err(|_| FetchError::Address)?;
    let plain = url.username().is_empty() && url.password().is_none();
    if plain && url.has_host() && matches!(url.scheme(), "http" | "https") {
        return Ok(url);
    }
    Err(FetchError::Address)
}
