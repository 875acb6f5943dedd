//! ID tokens of Google Cloud: of the machine that the worker runs on, or of a service account.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use callboard_core::base::causes::causes;
use callboard_core::base::secret::Secret;
use callboard_http::{Caller, Client, Limits};
use callboard_identity::{Fetched, Tokens};
use http::Request;
use http::header::CONTENT_TYPE;
use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio::time::timeout;
use url::form_urlencoded::{Serializer, byte_serialize};

use crate::service_account::ServiceAccount;

/// The time for one token.
const LIMIT: Duration = Duration::from_secs(30);
const MAX_BYTES: usize = 64 * 1024;
/// The limits of the client for the metadata server.
pub(crate) const LIMITS: Limits = Limits {
    max_bytes: MAX_BYTES,
    timeout: LIMIT,
};
/// The longest that a token may be.
const MAX_TOKEN_BYTES: usize = 16 * 1024;
const GRANT: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// Where an ID token comes from.
pub(crate) enum Source<'a> {
    /// The metadata server, at a host.
    Metadata(&'a Client, &'a str),
    /// The token endpoint of a service account.
    ServiceAccount(&'a ServiceAccount, &'a Caller),
}

impl Source<'_> {
    /// Returns an ID token for an audience: one that is kept, or else a new one.
    ///
    /// # Errors
    /// Why there is none; holds nothing secret.
    pub(crate) async fn token(&self, audience: &str, tokens: &Tokens) -> Result<Secret, String> {
        let fetched = tokens.get(self.key(audience), None, self.fetch(audience)).await?;
        Ok(fetched.token)
    }

    /// Returns what tells its tokens from those of others.
    fn key(&self, audience: &str) -> [u8; 32] {
        let (at, key) = match self {
            Self::Metadata(_, host) => (*host, ""),
            Self::ServiceAccount(account, _) => (account.token_uri.as_str(), account.private_key.expose()),
        };
        let mut hash = Sha256::new();
        for part in [at, key, audience] {
            hash.update(part.len().to_be_bytes());
            hash.update(part);
        }
        hash.finalize().into()
    }

    async fn fetch(&self, audience: &str) -> Result<Fetched, String> {
        let asked = async {
            match self {
                Self::Metadata(client, host) => of_machine(client, host, audience).await,
                Self::ServiceAccount(account, caller) => of_account(account, caller, audience).await,
            }
        };
        let text = match timeout(LIMIT, asked).await {
            Ok(text) => text?,
            Err(_) => return Err(format!("no ID token was given within {} s", LIMIT.as_secs())),
        };
        let valid = lifetime(&text).ok_or("what was given as an ID token is none")?;
        Ok(Fetched {
            token: Secret::new(text),
            valid: Some(valid),
        })
    }
}

/// Asks the metadata server, which knows the machine's service account.
async fn of_machine(client: &Client, host: &str, audience: &str) -> Result<String, String> {
    let about = |told: &str| {
        format!(
            "the metadata server {host} gives no ID token: {told}; name a credential if this is no machine of Google Cloud"
        )
    };
    let audience: String = byte_serialize(audience.as_bytes()).collect();
    let url =
        format!("http://{host}/computeMetadata/v1/instance/service-accounts/default/identity?audience={audience}");
    let request = Request::get(url).header("metadata-flavor", "Google").body(Vec::new());
    let request = request.map_err(|error| about(&error.to_string()))?;
    let answer = client
        .send(request)
        .await
        .map_err(|error| about(&causes(&error).to_string()))?;
    if !answer.status().is_success() {
        return Err(about(&format!("it answered with status {}", answer.status().as_u16())));
    }
    let text = String::from_utf8(answer.into_body()).map_err(|_| about("its answer is no text"))?;
    Ok(text.trim().to_owned())
}

/// Asks the token endpoint of a service account.
async fn of_account(account: &ServiceAccount, caller: &Caller, audience: &str) -> Result<String, String> {
    let about = |told: &str| format!("the token endpoint {}: {told}", account.token_uri);
    let assertion = account.assertion(audience)?;
    let form = Serializer::new(String::new())
        .append_pair("grant_type", GRANT)
        .append_pair("assertion", assertion.expose())
        .finish();
    let request = Request::post(&account.token_uri)
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(form.into_bytes());
    let request = request.map_err(|error| about(&error.to_string()))?;
    let answer = caller
        .send(request, LIMIT)
        .await
        .map_err(|error| about(&causes(&error).to_string()))?;
    let status = answer.status();
    let body = answer
        .body(MAX_BYTES)
        .await
        .map_err(|error| about(&causes(&error).to_string()))?;
    if !status.is_success() {
        return Err(about(&format!("it answered with status {}", status.as_u16())));
    }
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let token = body["id_token"]
        .as_str()
        .ok_or_else(|| about("its answer holds no ID token"))?;
    Ok(token.to_owned())
}

/// Returns how long a token is valid from now on; `None` if it is no token. Whether it is genuine, its receiver finds out.
fn lifetime(token: &str) -> Option<Duration> {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if token.len() > MAX_TOKEN_BYTES || !token.bytes().all(good) {
        return None;
    }
    let mut parts = token.split('.');
    let (_header, claims, _signature) = (parts.next()?, parts.next()?, parts.next()?);
    let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).ok()?).ok()?;
    let end = UNIX_EPOCH.checked_add(Duration::from_secs(claims["exp"].as_u64()?))?;
    Some(end.duration_since(SystemTime::now()).unwrap_or_default())
}
