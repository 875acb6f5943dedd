//! An issuer of tokens of OpenID Connect, as GitHub's is for workflows.

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::anyhow;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::routing::get;
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use callboard_core::base::time::{Clock, SystemClock};
use callboard_testkit::calls::Authority;
use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde_json::{Value, json};

/// Whose tokens they are.
pub const SUBJECT: &str = "repo:acme/web:ref:refs/heads/main";
/// What a workflow shows to get its tokens.
pub const REQUEST_TOKEN: &str = "s3cr3t-of-a-workflow";
/// How long after its end a token is still accepted, because clocks differ.
pub const SKEW: i64 = 60;

/// An issuer of tokens for workflows.
#[derive(Clone)]
pub struct Issuer {
    /// Its address.
    pub url: String,
    key: Arc<Ed25519KeyPair>,
    /// How many seconds its tokens are valid.
    lifetime: i64,
    given: Arc<Mutex<Vec<String>>>,
}

impl Issuer {
    /// Starts to listen; its tokens are valid for so many seconds.
    ///
    /// # Errors
    /// It cannot listen, or no key can be made.
    pub async fn start(authority: &Authority, lifetime: i64) -> anyhow::Result<Self> {
        let listener = authority.listen(None).await?;
        let made = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).map_err(|_| anyhow!("no key was made"))?;
        let key = Ed25519KeyPair::from_pkcs8(made.as_ref()).map_err(|error| anyhow!("{error}"))?;
        let issuer = Self {
            url: format!("https://{}", listener.address()?),
            key: Arc::new(key),
            lifetime,
            given: Arc::default(),
        };
        let routes = Router::new()
            .route("/.well-known/openid-configuration", get(discovery))
            .route("/keys", get(keys))
            .route("/token", get(token))
            .with_state(issuer.clone());
        tokio::spawn(async move { axum::serve(listener, routes).await });
        Ok(issuer)
    }

    /// Returns the claims of a workflow of acme/web.
    fn claims(&self) -> Value {
        let now = SystemClock.now().as_millis() / 1000;
        json!({
            "iss": self.url,
            "aud": "callboard",
            "sub": SUBJECT,
            "repository": "acme/web",
            "ref": "refs/heads/main",
            "iat": now - SKEW,
            "exp": now + self.lifetime,
        })
    }

    /// Returns a token, with one claim changed if that is given.
    #[must_use]
    pub fn token(&self, changed: Option<(&str, Value)>) -> String {
        let mut claims = self.claims();
        if let Some((name, value)) = changed {
            claims[name] = value;
        }
        let head = json!({"alg": "EdDSA", "kid": "ed", "typ": "JWT"});
        let encode = |text: String| URL_SAFE_NO_PAD.encode(text);
        let message = format!("{}.{}", encode(head.to_string()), encode(claims.to_string()));
        let signature = URL_SAFE_NO_PAD.encode(self.key.sign(message.as_bytes()));
        format!("{message}.{signature}")
    }

    /// Returns the tokens that workflows have got.
    #[must_use]
    pub fn given(&self) -> Vec<String> {
        self.given.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

async fn discovery(State(issuer): State<Issuer>) -> Json<Value> {
    let keys = format!("{}/keys", issuer.url);
    Json(json!({"issuer": issuer.url, "jwks_uri": keys}))
}

async fn keys(State(issuer): State<Issuer>) -> Json<Value> {
    let x = URL_SAFE_NO_PAD.encode(issuer.key.public_key());
    Json(json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": "ed", "use": "sig", "x": x}]}))
}

/// Answers as GitHub does whom a workflow asks for a token.
async fn token(State(issuer): State<Issuer>, uri: Uri, headers: HeaderMap) -> Result<Json<Value>, StatusCode> {
    let shown = headers.get("authorization").and_then(|value| value.to_str().ok());
    let is_known = shown.is_some_and(|shown| shown.eq_ignore_ascii_case(&format!("bearer {REQUEST_TOKEN}")));
    if !is_known || uri.query() != Some("api-version=2.0&audience=callboard") {
        return Err(StatusCode::UNAUTHORIZED);
    }
    let token = issuer.token(None);
    let mut given = issuer.given.lock().unwrap_or_else(PoisonError::into_inner);
    given.push(token.clone());
    Ok(Json(json!({"count": token.len(), "value": token})))
}
