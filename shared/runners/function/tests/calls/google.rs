//! Functions of Google Cloud: an HTTPS server of our own that checks ID tokens, a token endpoint and a metadata server.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, ensure};
use axum::extract::{Form, Query, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use callboard_core::base::secret::Secret;
use callboard_core::credential::Credential;
use callboard_testkit::calls::{Authority, JSON, Server, in_a_process_that_trusts, never};
use http::{HeaderMap, StatusCode};
use ring::rand::SystemRandom;
use ring::signature::{KeyPair, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaKeyPair, UnparsedPublicKey};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::world::{call, runner};

const EMAIL: &str = "caller@project.iam.gserviceaccount.com";

/// An RSA key.
struct Key {
    pem: String,
    pair: RsaKeyPair,
}

impl Key {
    fn new() -> anyhow::Result<Self> {
        let made = Command::new("openssl")
            .args(["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"])
            .output()?;
        let pem = String::from_utf8(made.stdout)?;
        let der = PrivatePkcs8KeyDer::from_pem_slice(pem.as_bytes())?;
        let pair = RsaKeyPair::from_pkcs8(der.secret_pkcs8_der())
            .ok()
            .context("an RSA key")?;
        Ok(Self { pem, pair })
    }

    fn sign(&self, claims: &Value) -> anyhow::Result<String> {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let text = format!("{}.{}", part(&json!({"alg": "RS256"})), part(claims));
        let mut signature = vec![0; self.pair.public().modulus_len()];
        let signed = self
            .pair
            .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text.as_bytes(), &mut signature);
        signed.ok().context("a signature")?;
        Ok(format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }

    /// Returns the claims of a token that this key has signed and that has not expired.
    fn verify(&self, token: &str) -> Option<Value> {
        let (text, signature) = token.rsplit_once('.')?;
        let (header, claims) = text.split_once('.')?;
        let decoded = |part| URL_SAFE_NO_PAD.decode(part).ok();
        let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, self.pair.public_key().as_ref());
        key.verify(text.as_bytes(), &decoded(signature)?).ok()?;
        let header: Value = serde_json::from_slice(&decoded(header)?).ok()?;
        let claims: Value = serde_json::from_slice(&decoded(claims)?).ok()?;
        (header["alg"] == "RS256" && claims["exp"].as_u64()? > now()).then_some(claims)
    }
}

fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs()
}

/// Google Cloud: its own key, a service account's, and how often it has given tokens.
#[derive(Clone)]
struct Cloud {
    own: Arc<Key>,
    account: Arc<Key>,
    given: Arc<AtomicUsize>,
    /// The address of its function, for which tokens must be.
    function: Arc<str>,
}

#[derive(Deserialize)]
struct Grant {
    grant_type: String,
    assertion: String,
}

#[derive(Deserialize)]
struct Wanted {
    audience: String,
}

impl Cloud {
    /// Starts the function, with TLS; returns the cloud.
    async fn start(authority: &Authority) -> anyhow::Result<Self> {
        let listener = authority.listen(None).await?;
        let cloud = Self {
            own: Arc::new(Key::new()?),
            account: Arc::new(Key::new()?),
            given: Arc::default(),
            function: format!("https://{}/resize", listener.address()?).into(),
        };
        let router = Router::new().route("/resize", post(function)).with_state(cloud.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(cloud)
    }

    /// Starts the token endpoint and the metadata server; returns their address.
    async fn identities(&self) -> anyhow::Result<String> {
        let identity = "/computeMetadata/v1/instance/service-accounts/default/identity";
        let router = Router::new()
            .route("/token", post(exchanged))
            .route(identity, get(of_machine));
        let router = router.with_state(self.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?.to_string();
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(address)
    }

    /// Returns the service account's key file.
    fn key_file(&self, address: &str) -> Credential {
        let file = json!({
            "type": "service_account", "client_email": EMAIL, "private_key_id": "k1", "private_key": self.account.pem,
            "token_uri": format!("http://{address}/token"),
        });
        Credential::Password {
            password: Secret::new(file.to_string()),
        }
    }

    fn give(&self, audience: &Value) -> String {
        self.given.fetch_add(1, Ordering::SeqCst);
        let claims = json!({"aud": audience, "exp": now() + 3600, "email": EMAIL});
        self.own.sign(&claims).unwrap_or_default()
    }
}

/// Returns what it gets, to whoever shows an ID token for it; the token, too.
async fn function(State(cloud): State<Cloud>, headers: HeaderMap, Json(input): Json<Value>) -> Response {
    let shown = headers
        .get("authorization")
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let token = shown.strip_prefix("Bearer ").unwrap_or_default();
    match cloud.own.verify(token) {
        Some(claims) if claims["aud"] == *cloud.function => Json(json!({"got": input, "token": token})).into_response(),
        _ => StatusCode::UNAUTHORIZED.into_response(),
    }
}

/// Gives an ID token for an assertion that the service account has signed for this endpoint.
async fn exchanged(State(cloud): State<Cloud>, headers: HeaderMap, Form(grant): Form<Grant>) -> Response {
    let host = headers
        .get("host")
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    match cloud.account.verify(&grant.assertion) {
        Some(claims)
            if grant.grant_type == "urn:ietf:params:oauth:grant-type:jwt-bearer"
                && claims["iss"] == EMAIL
                && claims["aud"] == format!("http://{host}/token") =>
        {
            Json(json!({"id_token": cloud.give(&claims["target_audience"])})).into_response()
        }
        _ => (StatusCode::BAD_REQUEST, grant.assertion).into_response(),
    }
}

async fn of_machine(State(cloud): State<Cloud>, headers: HeaderMap, Query(wanted): Query<Wanted>) -> Response {
    if headers.get("metadata-flavor").is_none_or(|value| value != "Google") {
        return StatusCode::FORBIDDEN.into_response();
    }
    cloud.give(&json!(wanted.audience)).into_response()
}

#[tokio::test]
async fn a_function_is_called_with_an_id_token_of_a_service_account_or_of_the_machine() -> anyhow::Result<()> {
    let test = "google::a_function_is_called_with_an_id_token_of_a_service_account_or_of_the_machine";
    let Some(authority) = in_a_process_that_trusts(test)? else {
        return Ok(());
    };
    let cloud = Cloud::start(&authority).await?;
    let address = cloud.identities().await?;
    let runner = runner(&address, Some(cloud.key_file(&address)))?;
    let config = format!("provider: google_cloud_functions, function: '{}'", cloud.function);
    for (access, given) in [(", credential: c", 1), (", credential: c", 1), ("", 2), ("", 2)] {
        let config = format!("{config}{access}");
        let run = call(&runner, &config, "timeout: 30", &json!({"a": 1}), never()).await?;
        let result = run.result()?;
        ensure!(
            result["output"] == json!({"got": {"a": 1}, "token": "********"}),
            "{access}: {result}"
        );
        ensure!(
            result["called"] == *cloud.function && result["status_code"] == 200,
            "{result}"
        );
        ensure!(
            run.stdout.contains("********") && !run.kept().contains("eyJ"),
            "{}",
            run.kept()
        );
        ensure!(
            cloud.given.load(Ordering::SeqCst) == given,
            "{access}: a token was not kept"
        );
    }
    // a token for somebody else is refused by the function
    let config = format!("{config}, audience: 'https://other.example.com'");
    let result = call(&runner, &config, "timeout: 30", &json!({}), never())
        .await?
        .result()?;
    ensure!(
        result["reason"] == "http_status" && result["status_code"] == 401,
        "{result}"
    );
    Ok(())
}

#[tokio::test]
async fn an_identity_that_cannot_be_had_is_told_without_its_secrets() -> anyhow::Result<()> {
    let config = "provider: google_cloud_functions, function: 'https://127.0.0.1:1/x'";
    let named = format!("{config}, credential: c");
    let key = Key::new()?;
    let file = |pem: &str, address: &str| {
        let uri = format!("http://{address}/token");
        Some(Credential::Password {
            password: Secret::new(json!({"client_email": EMAIL, "private_key": pem, "token_uri": uri}).to_string()),
        })
    };
    let refused = format!(r#"{{"error": "invalid_grant", "error_description": "not {EMAIL}"}}"#);
    let (_server, address) = Server::start(&[(400, JSON, &refused)]).await?;
    let (_other, no_token) = Server::start(&[(200, JSON, r#"{"id_token": "not a token"}"#)]).await?;
    for (credential, config, told) in [
        (
            None,
            config,
            "gives no ID token: it answered with status 400; name a credential",
        ),
        (file(&key.pem, &address), &named, "/token: it answered with status 400."),
        (
            file(&key.pem, &no_token),
            &named,
            "What was given as an ID token is none.",
        ),
        (
            file("a-text-that-is-no-key", &address),
            &named,
            "is no RSA key in PEM format (PKCS #8).",
        ),
        (
            Some(Credential::Password {
                password: Secret::new(key.pem.clone()),
            }),
            &named,
            "The credential is no key file of a service account",
        ),
    ] {
        let run = call(
            &runner(&address, credential)?,
            config,
            "timeout: 30",
            &json!({}),
            never(),
        )
        .await?;
        let result = run.result()?;
        ensure!(result["reason"] == "credential_unavailable", "{result}");
        ensure!(
            result["error"].as_str().is_some_and(|error| error.contains(told)),
            "{told}: {result}"
        );
        ensure!(
            !run.kept().contains(&key.pem[40..80]) && !run.kept().contains(EMAIL),
            "{}",
            run.kept()
        );
    }
    Ok(())
}
