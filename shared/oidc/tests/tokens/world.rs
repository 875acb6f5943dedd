//! An issuer over TLS, and a verifier that trusts it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{bail, ensure};
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CACHE_CONTROL;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use callboard_core::access::{Caller, CallerRules, TokenVerifier, Unverified};
use callboard_core::base::fields::{Faults, Fields};
use callboard_core::base::time::Clock;
use callboard_oidc::OidcVerifier;
use callboard_testkit::calls::Authority;
use callboard_testkit::contract::clock::FakeClock;
use serde_json::{Value, json};

use crate::signer::Signer;

/// What is in every token and in no other text.
pub(crate) const CANARY: &str = "s3cr3t-canary";

/// An issuer that answers as a test wants.
#[derive(Clone)]
pub(crate) struct Issuer {
    pub(crate) url: String,
    told: Arc<Mutex<Told>>,
    seen: Arc<[AtomicUsize; 2]>,
}

/// What an issuer tells.
pub(crate) struct Told {
    pub(crate) discovery: Value,
    pub(crate) keys: Value,
    pub(crate) cache_control: &'static str,
    pub(crate) mode: Mode,
}

/// How an issuer answers.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Mode {
    Well,
    /// After a moment in which others can ask as well.
    Slowly,
    Never,
    With(u16),
}

impl Issuer {
    pub(crate) async fn start(authority: &Authority, signers: &[&Signer]) -> anyhow::Result<Self> {
        let listener = authority.listen(None).await?;
        let url = format!("https://{}/realm", listener.address()?);
        let told = Told {
            discovery: json!({"issuer": url, "jwks_uri": format!("{url}/keys")}),
            keys: Value::Null,
            cache_control: "",
            mode: Mode::Well,
        };
        let issuer = Self {
            url,
            told: Arc::new(Mutex::new(told)),
            seen: Arc::default(),
        };
        issuer.publish(signers);
        let routes = Router::new()
            .route("/realm/.well-known/openid-configuration", get(discovery))
            .route("/realm/keys", get(keys))
            .with_state(issuer.clone());
        tokio::spawn(async move { axum::serve(listener, routes).await });
        Ok(issuer)
    }

    pub(crate) fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Replaces the keys.
    pub(crate) fn publish(&self, signers: &[&Signer]) {
        let keys: Vec<Value> = signers.iter().map(|signer| signer.jwk()).collect();
        self.told().keys = json!({ "keys": keys });
    }

    pub(crate) fn is(&self, mode: Mode) {
        self.told().mode = mode;
    }

    /// Returns how often it was asked for its discovery document, and for its keys.
    pub(crate) fn seen(&self) -> (usize, usize) {
        let [discovery, keys] = &*self.seen;
        (discovery.load(Ordering::SeqCst), keys.load(Ordering::SeqCst))
    }

    async fn answer(&self, which: usize, tell: fn(&Told) -> Value) -> Response {
        self.seen[which].fetch_add(1, Ordering::SeqCst);
        let mode = self.told().mode;
        match mode {
            Mode::Well => {}
            Mode::Slowly => tokio::time::sleep(Duration::from_millis(200)).await,
            Mode::Never => std::future::pending().await,
            Mode::With(status) => return StatusCode::from_u16(status).unwrap_or_default().into_response(),
        }
        let told = self.told();
        ([(CACHE_CONTROL, told.cache_control)], tell(&told).to_string()).into_response()
    }
}

async fn discovery(State(issuer): State<Issuer>) -> Response {
    issuer.answer(0, |told| told.discovery.clone()).await
}

async fn keys(State(issuer): State<Issuer>) -> Response {
    issuer.answer(1, |told| told.keys.clone()).await
}

/// An issuer, and a verifier with rules for it.
pub(crate) struct World {
    pub(crate) issuer: Issuer,
    pub(crate) verifier: Arc<OidcVerifier>,
    pub(crate) clock: FakeClock,
}

impl World {
    /// Starts an issuer with keys. Its tokens are let in for the repository acme/web and branches, or tags whose environment is live.
    pub(crate) async fn start(authority: &Authority, signers: &[&Signer]) -> anyhow::Result<Self> {
        let issuer = Issuer::start(authority, signers).await?;
        let rule = |claims: Value, tenant: &str| {
            json!({
                "issuer": issuer.url, "audience": "callboard", "claims": claims, "tenant": tenant, "scopes": ["jobs:run"],
            })
        };
        let rules = json!([
            rule(
                json!({"repository": "acme/web", "ref": "refs/tags/*", "environment": "live"}),
                "live"
            ),
            rule(json!({"repository": "acme/web", "ref": "refs/heads/*"}), "web"),
        ]);
        let clock = FakeClock::default();
        Ok(Self {
            verifier: verifier(&rules, &clock)?,
            issuer,
            clock,
        })
    }

    /// Returns the claims of a token that is let in.
    pub(crate) fn claims(&self) -> Value {
        let now = self.clock.now().as_millis() / 1000;
        json!({
            "iss": self.issuer.url,
            "aud": ["other", "callboard"],
            "sub": "repo:acme/web:ref:refs/heads/main",
            "repository": "acme/web",
            "ref": "refs/heads/main",
            "canary": CANARY,
            "iat": now,
            "nbf": now,
            "exp": now + 300,
        })
    }

    /// Returns those claims with another one.
    pub(crate) fn claims_with(&self, name: &str, value: Value) -> Value {
        let mut claims = self.claims();
        claims[name] = value;
        claims
    }

    pub(crate) async fn verify(&self, token: &str) -> Result<Caller, Unverified> {
        self.verifier.verify(token, self.clock.now()).await
    }

    /// Verifies a new token of a key.
    pub(crate) async fn shows(&self, signer: &Signer) -> anyhow::Result<Caller> {
        Ok(self.verify(&signer.token(&self.claims())?).await?)
    }

    /// Fails unless a token is refused, with something in the sentence and nothing of the token.
    pub(crate) async fn refuses(&self, name: &str, token: &str, expected: &str) -> anyhow::Result<()> {
        let told = match self.verify(token).await {
            Err(Unverified::Refused(told)) => told,
            other => bail!("{name}: {other:?}"),
        };
        ensure!(told.contains(expected) && told.ends_with('.'), "{name}: {told}");
        let parts = token.split('.').filter(|part| part.len() > 3);
        for secret in parts.chain([CANARY, "acme/web", "refs/heads"]) {
            ensure!(!told.contains(secret), "{name}: {told} has {secret}");
        }
        Ok(())
    }

    /// Fails unless it is said that the issuer of a token cannot be asked, for a reason.
    pub(crate) async fn is_down(&self, signer: &Signer, expected: &str) -> anyhow::Result<()> {
        match self.verify(&signer.token(&self.claims())?).await {
            Err(Unverified::Unavailable(error)) => {
                let told = callboard_core::base::causes::causes(&*error).to_string();
                ensure!(told.contains(expected), "{told}");
                Ok(())
            }
            other => bail!("{expected}: {other:?}"),
        }
    }

    /// Lets time pass.
    pub(crate) fn pass(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }
}

/// Makes a verifier with the rules of a policy.
pub(crate) fn verifier(rules: &Value, clock: &FakeClock) -> anyhow::Result<Arc<OidcVerifier>> {
    let (policy, mut faults) = (json!({"callers": {"oidc": rules}}), Faults::default());
    let mut fields = Fields::of(&policy, "", &mut faults);
    let rules = fields.as_mut().map(|fields| CallerRules::read(fields, &mut faults));
    let faults = faults.into_inner();
    ensure!(faults.is_empty(), "{faults:?}");
    let clock: Arc<dyn Clock> = Arc::new(clock.clone());
    Ok(Arc::new(OidcVerifier::new(rules.unwrap_or_default().oidc, &clock)?))
}
