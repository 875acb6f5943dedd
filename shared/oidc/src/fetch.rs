//! Asks an issuer for its keys: where they are (OpenID Connect Discovery 1.0), and then for the keys themselves.

use std::time::Duration;

use callboard_core::base::json;
use callboard_core::base::web_address::WebAddress;
use callboard_http::{Client, FetchError, Limits};
use http::header::{AGE, CACHE_CONTROL};
use http::{HeaderMap, Request, Response, StatusCode};
use serde_json::Value;
use tokio::time::timeout;

use crate::failure::{Failure, What};
use crate::jwk::Keys;

/// How long an issuer has for both answers.
const TIME: Duration = Duration::from_secs(5);
const MAX_BYTES: usize = 64 * 1024;
/// How long keys are kept if their issuer does not say it, and the bounds of what it may say.
const USUAL: Duration = Duration::from_secs(3600);
const LEAST: Duration = Duration::from_secs(60);
const MOST: Duration = Duration::from_secs(24 * 3600);

/// An issuer, as it is asked.
pub(crate) struct Source {
    issuer: String,
    client: Client,
}

/// The keys of an issuer, as it has told them.
pub(crate) struct Fetched {
    /// The keys.
    pub(crate) keys: Keys,
    /// How long they may be kept.
    pub(crate) lifetime: Duration,
}

/// Makes the client for all issuers. They are named by the operator, so they may have private addresses.
pub(crate) fn client() -> Result<Client, FetchError> {
    Client::new(Limits {
        max_bytes: MAX_BYTES,
        timeout: TIME,
    })
}

impl Source {
    /// Names an issuer.
    pub(crate) fn new(issuer: &str, client: Client) -> Self {
        Self {
            issuer: issuer.to_owned(),
            client,
        }
    }

    /// Returns the issuer's name.
    pub(crate) fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Asks for the keys.
    pub(crate) async fn fetch(&self) -> Result<Fetched, Failure> {
        let asked = timeout(TIME, self.ask()).await;
        asked.unwrap_or(Err(Failure::TooSlow(TIME.as_secs())))
    }

    async fn ask(&self) -> Result<Fetched, Failure> {
        let base = self.issuer.trim_end_matches('/');
        let address = format!("{base}/.well-known/openid-configuration");
        let (discovery, _) = self.get(&address, What::Discovery).await?;
        let answer = self.get(self.address_of_keys(&discovery)?, What::Keys).await?;
        let (set, headers) = answer;
        let keys = Keys::read(&set).ok_or_else(|| content(What::Keys, "it has no list of keys"))?;
        Ok(Fetched {
            keys,
            lifetime: lifetime(&headers),
        })
    }

    fn address_of_keys<'a>(&self, discovery: &'a Value) -> Result<&'a str, Failure> {
        if discovery.get("issuer").and_then(Value::as_str) != Some(&self.issuer) {
            return Err(content(What::Discovery, "it is another issuer's"));
        }
        let address = discovery.get("jwks_uri").and_then(Value::as_str);
        let is_secure = |address: &&str| address.starts_with("https://") && WebAddress::parse(address).is_ok();
        address
            .filter(is_secure)
            .ok_or_else(|| content(What::Discovery, "its jwks_uri is no address with https"))
    }

    async fn get(&self, address: &str, what: What) -> Result<(Value, HeaderMap), Failure> {
        let request = Request::get(address).body(Vec::new());
        let request = request.map_err(|_| Failure::Address { what })?;
        let answer = self.client.send(request).await;
        let answer: Response<Vec<u8>> = answer.map_err(|source| Failure::Fetch { what, source })?;
        if answer.status() != StatusCode::OK {
            let status = answer.status().as_u16();
            return Err(Failure::Status { what, status });
        }
        let value = json::parse(answer.body()).map_err(|_| content(what, "it is not JSON"))?;
        Ok((value, answer.headers().clone()))
    }
}

fn content(what: What, fault: &'static str) -> Failure {
    Failure::Content { what, fault }
}

/// Returns how long an answer may be kept.
fn lifetime(headers: &HeaderMap) -> Duration {
    let texts = headers.get_all(CACHE_CONTROL).into_iter();
    let directives = texts
        .filter_map(|value| value.to_str().ok())
        .flat_map(|text| text.split(','))
        .map(|directive| directive.trim().to_ascii_lowercase());
    let (mut said, mut never) = (None, false);
    for directive in directives {
        never |= matches!(directive.as_str(), "no-store" | "no-cache");
        said = said.or_else(|| directive.strip_prefix("max-age=").and_then(seconds));
    }
    if never {
        return LEAST;
    }
    // how long a cache on the way has had it
    let age = headers.get(AGE).and_then(|value| value.to_str().ok()).and_then(seconds);
    let left = said.map(|said| said.saturating_sub(age.unwrap_or_default()));
    left.unwrap_or(USUAL).clamp(LEAST, MOST)
}

fn seconds(text: &str) -> Option<Duration> {
    text.trim_matches('"').parse().ok().map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn keys_are_kept_as_long_as_the_issuer_says_within_bounds() {
        for (cache_control, age, expected) in [
            (None, None, 3600),
            (Some("public"), None, 3600),
            (Some("max-age=x"), None, 3600),
            (Some("public, Max-Age=600, must-revalidate"), None, 600),
            (Some("max-age=\"600\""), None, 600),
            (Some("max-age=600"), Some("100"), 500),
            (Some("max-age=600"), Some("1000"), 60),
            (Some("max-age=0"), None, 60),
            (Some("no-store"), None, 60),
            (Some("no-cache, max-age=600"), None, 60),
            (Some("max-age=604800"), None, 24 * 3600),
        ] {
            let mut headers = HeaderMap::new();
            headers.extend(cache_control.map(|text| (CACHE_CONTROL, HeaderValue::from_static(text))));
            headers.extend(age.map(|text| (AGE, HeaderValue::from_static(text))));
            let kept = lifetime(&headers).as_secs();
            assert_eq!(kept, expected, "{cache_control:?} {age:?}");
        }
    }
}
