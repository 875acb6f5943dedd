//! Tokens for a client's id and secret: RFC 6749, section 4.4.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use callboard_core::base::causes::causes;
use callboard_core::base::secret::{MIN_SECRET_BYTES, Secret};
use callboard_http::Caller;
use callboard_identity::{Fetched, Token, Tokens};
use callboard_kind_service::config::{ClientAuth, OauthAuth};
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderValue, Request};
use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio::time::timeout;
use url::form_urlencoded::{Serializer, byte_serialize};

/// The time for one token.
const LIMIT: Duration = Duration::from_secs(30);
const MAX_BYTES: usize = 64 * 1024;
/// After this time a token may have expired, even if it was fetched for this job.
const FRESH: Duration = Duration::from_secs(60);
/// The codes of RFC 6749, section 5.2. Nothing else of an error's answer is repeated: it may hold what was sent.
const CODES: [&str; 6] = [
    "invalid_request",
    "invalid_client",
    "invalid_grant",
    "unauthorized_client",
    "unsupported_grant_type",
    "invalid_scope",
];

/// The token of one job.
pub(crate) struct Oauth<'a> {
    source: Source<'a>,
    tokens: &'a Tokens,
    current: Mutex<(Token, Instant)>,
}

/// Where tokens come from, and for what.
pub(crate) struct Source<'a> {
    pub(crate) config: &'a OauthAuth,
    pub(crate) secret: Secret,
    pub(crate) caller: Caller,
    /// Whether private addresses may be asked.
    pub(crate) private: bool,
}

impl<'a> Oauth<'a> {
    /// Gets a token: one that is kept, or else a new one.
    ///
    /// # Errors
    /// Why there is none; holds nothing secret.
    pub(crate) async fn new(source: Source<'a>, tokens: &'a Tokens) -> Result<Self, String> {
        let token = tokens.get(source.key(), None, source.fetch()).await?;
        Ok(Self {
            source,
            tokens,
            current: Mutex::new((token, Instant::now())),
        })
    }

    /// Returns the token.
    pub(crate) fn token(&self) -> Secret {
        self.current().0.token
    }

    /// Gets another token after the service has refused this one; `None` if a new one would not differ.
    ///
    /// # Errors
    /// As for [`Oauth::new`].
    pub(crate) async fn renew(&self) -> Result<Option<Secret>, String> {
        let (refused, since) = self.current();
        if !refused.kept && since.elapsed() < FRESH {
            return Ok(None);
        }
        let key = self.source.key();
        let token = self.tokens.get(key, Some(&refused.token), self.source.fetch()).await?;
        let secret = token.token.clone();
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        *current = (Token { kept: false, ..token }, Instant::now());
        Ok(Some(secret))
    }

    fn current(&self) -> (Token, Instant) {
        self.current.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Source<'_> {
    /// Returns what tells its tokens from those of others.
    fn key(&self) -> [u8; 32] {
        let config = self.config;
        let mut hash = Sha256::new();
        for part in [
            self.secret.expose(),
            &config.client_id,
            &config.token_url,
            config.scope.as_deref().unwrap_or_default(),
            config.audience.as_deref().unwrap_or_default(),
        ] {
            hash.update(part.len().to_be_bytes());
            hash.update(part);
        }
        hash.update([
            u8::from(config.client_auth == ClientAuth::Basic),
            u8::from(self.private),
        ]);
        hash.finalize().into()
    }

    async fn fetch(&self) -> Result<Fetched, String> {
        let about = |told: &str| format!("the token endpoint {}: {told}", self.config.token_url);
        match timeout(LIMIT, self.ask()).await {
            Ok(fetched) => fetched.map_err(|told| about(&told)),
            Err(_) => Err(about(&format!("no answer within {} s", LIMIT.as_secs()))),
        }
    }

    async fn ask(&self) -> Result<Fetched, String> {
        let request = self.request().map_err(|error| error.to_string())?;
        let answer = self.caller.send(request, LIMIT).await;
        let answer = answer.map_err(|error| causes(&error).to_string())?;
        let status = answer.status();
        let body = answer
            .body(MAX_BYTES)
            .await
            .map_err(|error| causes(&error).to_string())?;
        let body: Value = serde_json::from_slice(&body).unwrap_or_default();
        if !status.is_success() {
            let code = CODES.into_iter().find(|code| body["error"] == **code);
            let code = code.map(|code| format!(" ({code})")).unwrap_or_default();
            return Err(format!("it answered with status {}{code}", status.as_u16()));
        }
        read(&body).ok_or_else(|| "its answer holds no bearer token".to_owned())
    }

    fn request(&self) -> Result<Request<Vec<u8>>, http::Error> {
        let (config, secret) = (self.config, self.secret.expose());
        let mut form = Serializer::new(String::new());
        form.append_pair("grant_type", "client_credentials");
        for (name, value) in [("scope", &config.scope), ("audience", &config.audience)] {
            if let Some(value) = value {
                form.append_pair(name, value);
            }
        }
        let mut request = Request::post(&config.token_url)
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(ACCEPT, "application/json");
        match config.client_auth {
            ClientAuth::Body => {
                form.append_pair("client_id", &config.client_id);
                form.append_pair("client_secret", secret);
            }
            ClientAuth::Basic => {
                // RFC 6749, section 2.3.1: as parts of a form, before they become a user and a password
                let part = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
                let pair = STANDARD.encode(format!("{}:{}", part(&config.client_id), part(secret)));
                let mut value = HeaderValue::from_str(&format!("Basic {pair}"))?;
                value.set_sensitive(true);
                request = request.header(AUTHORIZATION, value);
            }
        }
        request.body(form.finish().into_bytes())
    }
}

/// Reads a token that can be put into a header.
fn read(body: &Value) -> Option<Fetched> {
    let kind = body.get("token_type").map_or(Some("bearer"), Value::as_str)?;
    let token = body["access_token"].as_str()?;
    let good = token.len() >= MIN_SECRET_BYTES && token.bytes().all(|byte| byte.is_ascii_graphic());
    let seconds = &body["expires_in"];
    let seconds = seconds.as_u64().or_else(|| seconds.as_str()?.parse().ok());
    (good && kind.eq_ignore_ascii_case("bearer")).then(|| Fetched {
        token: Secret::new(token),
        valid: seconds.map(Duration::from_secs),
    })
}
