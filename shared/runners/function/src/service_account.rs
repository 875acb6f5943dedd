//! The key of a service account of Google Cloud, as its key file has it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use callboard_core::base::secret::Secret;
use callboard_core::base::web_address::WebAddress;
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject;
use serde::Deserialize;
use serde_json::{Value, json};

/// How long an assertion is valid; the longest that Google takes.
const VALID: Duration = Duration::from_secs(3600);

/// A service account with its key.
#[derive(Deserialize)]
pub(crate) struct ServiceAccount {
    client_email: String,
    pub(crate) private_key: Secret,
    #[serde(default)]
    private_key_id: Option<String>,
    pub(crate) token_uri: String,
}

impl ServiceAccount {
    /// Reads a key file. `private` says whether it may name a token endpoint that is asked without TLS.
    ///
    /// # Errors
    /// What is wrong with it; never what it holds.
    pub(crate) fn parse(file: &str, private: bool) -> Result<Self, String> {
        let told =
            "the credential is no key file of a service account: JSON with client_email, private_key and token_uri";
        // the parser's own words could quote the key
        let account: Self = serde_json::from_str(file).map_err(|_| told.to_owned())?;
        WebAddress::parse(&account.token_uri).map_err(|wrong| format!("the token_uri of the key file {wrong}"))?;
        if !account.token_uri.starts_with("https://") && !private {
            return Err("the token_uri of the key file must begin with https://".to_owned());
        }
        Ok(account)
    }

    /// Makes an assertion that asks for an ID token for an audience: RFC 7523, signed with RS256.
    ///
    /// # Errors
    /// The key cannot sign.
    pub(crate) fn assertion(&self, audience: &str) -> Result<Secret, String> {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .as_secs();
        let header = json!({"alg": "RS256", "typ": "JWT", "kid": self.private_key_id});
        let claims = json!({
            "iss": self.client_email,
            "sub": self.client_email,
            "aud": self.token_uri,
            "iat": now,
            "exp": now + VALID.as_secs(),
            "target_audience": audience,
        });
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(&header), part(&claims));
        let signature = self.sign(signed.as_bytes())?;
        Ok(Secret::new(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))))
    }

    fn sign(&self, text: &[u8]) -> Result<Vec<u8>, String> {
        let told = |_| "the private_key of the key file is no RSA key in PEM format (PKCS #8)".to_owned();
        let key = PrivatePkcs8KeyDer::from_pem_slice(self.private_key.expose().as_bytes());
        let key = RsaKeyPair::from_pkcs8(key.map_err(|_| told(()))?.secret_pkcs8_der()).map_err(|_| told(()))?;
        let mut signature = vec![0; key.public().modulus_len()];
        key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text, &mut signature)
            .map_err(|_| told(()))?;
        Ok(signature)
    }
}
