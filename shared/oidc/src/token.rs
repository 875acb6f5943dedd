//! Takes tokens apart: JSON Web Signatures in their compact form (RFC 7515, 7519).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use callboard_core::base::json;
use serde_json::{Map, Value};

use crate::jwk::Algorithm;
use crate::refusal::Refusal;

/// How long a token may be, in bytes. What HTTP servers take as a header is hardly longer.
const MAX_BYTES: usize = 16 * 1024;
/// Members of a head with which a token would bring its own key, or change what its signature means.
const REFUSED: [&str; 6] = ["crit", "jwk", "jku", "x5c", "x5u", "b64"];

/// A token that has been read. Nothing of it is verified.
pub(crate) struct Token<'a> {
    /// The algorithm that its head names.
    pub(crate) algorithm: Algorithm,
    /// The name of its key.
    pub(crate) kid: String,
    /// What it claims.
    pub(crate) claims: Map<String, Value>,
    /// What is signed.
    pub(crate) signed: &'a str,
    /// The signature.
    pub(crate) signature: Vec<u8>,
}

impl<'a> Token<'a> {
    /// Reads a token.
    pub(crate) fn parse(text: &'a str) -> Result<Self, Refusal> {
        if text.len() > MAX_BYTES {
            return Err(Refusal::TooLong { max: MAX_BYTES });
        }
        let parts: Vec<&str> = text.split('.').collect();
        let [head, claims, signature] = parts[..] else {
            return Err(Refusal::Form);
        };
        let signed = &text[..head.len() + 1 + claims.len()];
        let head = object(head, "head")?;
        if let Some(refused) = REFUSED.iter().find(|name| head.contains_key(**name)) {
            return Err(Refusal::Head(refused));
        }
        let algorithm = head.get("alg").and_then(Value::as_str).and_then(Algorithm::named);
        let kid = head.get("kid").and_then(Value::as_str);
        Ok(Self {
            algorithm: algorithm.ok_or(Refusal::Algorithm)?,
            kid: kid.ok_or(Refusal::NoKid)?.to_owned(),
            claims: object(claims, "payload")?,
            signed,
            signature: decoded(signature, "signature")?,
        })
    }

    /// Returns a claim that is a text.
    pub(crate) fn text(&self, name: &'static str) -> Result<&str, Refusal> {
        let text = self.claims.get(name).and_then(Value::as_str);
        text.ok_or(Refusal::Claim(name))
    }
}

fn object(part: &str, name: &'static str) -> Result<Map<String, Value>, Refusal> {
    match json::parse(&decoded(part, name)?) {
        Ok(Value::Object(members)) => Ok(members),
        _ => Err(Refusal::Json { part: name }),
    }
}

fn decoded(part: &str, name: &'static str) -> Result<Vec<u8>, Refusal> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| Refusal::Base64 { part: name })
}
