//! Keys of issuers, and what they sign.

use anyhow::{Context, anyhow};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::rand::SystemRandom;
use ring::rsa::PublicKeyComponents;
use ring::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair,
    RSA_PKCS1_SHA256, RsaKeyPair,
};
use serde_json::{Value, json};

/// A key for RSA of the tests, which `openssl genpkey` has made: ring makes none.
const RSA: &str = include_str!("rsa.key");

/// A key with its name.
pub(crate) struct Signer {
    pub(crate) kid: String,
    key: Key,
}

enum Key {
    Rsa(RsaKeyPair),
    /// With the same key in PKCS #8, for signatures in another form.
    Ec(EcdsaKeyPair, Vec<u8>),
    Ed(Ed25519KeyPair),
}

impl Signer {
    pub(crate) fn rsa(kid: &str) -> anyhow::Result<Self> {
        let base64: String = RSA.lines().filter(|line| !line.starts_with('-')).collect();
        let key = RsaKeyPair::from_pkcs8(&STANDARD.decode(base64)?).map_err(|error| anyhow!("{error}"))?;
        Ok(Self::of(kid, Key::Rsa(key)))
    }

    pub(crate) fn ec(kid: &str) -> anyhow::Result<Self> {
        let random = SystemRandom::new();
        let made = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random);
        let pkcs8 = made.map_err(|_| anyhow!("no key was made"))?.as_ref().to_vec();
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &pkcs8, &random);
        let key = key.map_err(|error| anyhow!("{error}"))?;
        Ok(Self::of(kid, Key::Ec(key, pkcs8)))
    }

    pub(crate) fn ed(kid: &str) -> anyhow::Result<Self> {
        let made = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new());
        let made = made.map_err(|_| anyhow!("no key was made"))?;
        let key = Ed25519KeyPair::from_pkcs8(made.as_ref()).map_err(|error| anyhow!("{error}"))?;
        Ok(Self::of(kid, Key::Ed(key)))
    }

    /// Returns one of each, with the names `rsa`, `ec` and `ed`.
    pub(crate) fn all() -> anyhow::Result<[Self; 3]> {
        Ok([Self::rsa("rsa")?, Self::ec("ec")?, Self::ed("ed")?])
    }

    fn of(kid: &str, key: Key) -> Self {
        let kid = kid.to_owned();
        Self { kid, key }
    }

    /// Returns the name of the algorithm.
    pub(crate) fn algorithm(&self) -> &'static str {
        match self.key {
            Key::Rsa(_) => "RS256",
            Key::Ec(..) => "ES256",
            Key::Ed(_) => "EdDSA",
        }
    }

    /// Returns the public key as its issuer tells it.
    pub(crate) fn jwk(&self) -> Value {
        let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let mut jwk = match &self.key {
            Key::Rsa(key) => {
                let public = PublicKeyComponents::<Vec<u8>>::from(key.public());
                json!({"kty": "RSA", "n": encode(&public.n), "e": encode(&public.e)})
            }
            Key::Ec(key, _) => {
                let (x, y) = key.public_key().as_ref()[1..].split_at(32);
                json!({"kty": "EC", "crv": "P-256", "x": encode(x), "y": encode(y)})
            }
            Key::Ed(key) => json!({"kty": "OKP", "crv": "Ed25519", "x": encode(key.public_key().as_ref())}),
        };
        jwk["kid"] = json!(self.kid);
        jwk["use"] = json!("sig");
        jwk
    }

    /// Returns the numbers of the public key, as ring has them: for RSA, in DER.
    pub(crate) fn public(&self) -> &[u8] {
        match &self.key {
            Key::Rsa(key) => key.public_key().as_ref(),
            Key::Ec(key, _) => key.public_key().as_ref(),
            Key::Ed(key) => key.public_key().as_ref(),
        }
    }

    pub(crate) fn sign(&self, message: &str) -> anyhow::Result<Vec<u8>> {
        let (random, message) = (SystemRandom::new(), message.as_bytes());
        match &self.key {
            Key::Rsa(key) => {
                let mut signature = vec![0; key.public().modulus_len()];
                key.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature)
                    .map_err(|_| anyhow!("it was not signed"))?;
                Ok(signature)
            }
            Key::Ec(key, _) => {
                let signature = key.sign(&random, message).map_err(|_| anyhow!("it was not signed"))?;
                Ok(signature.as_ref().to_vec())
            }
            Key::Ed(key) => Ok(key.sign(message).as_ref().to_vec()),
        }
    }

    /// Signs as `sign` does, with the signature in DER.
    pub(crate) fn sign_in_der(&self, message: &str) -> anyhow::Result<Vec<u8>> {
        let Key::Ec(_, pkcs8) = &self.key else {
            return Err(anyhow!("only a key of P-256 has signatures in DER"));
        };
        let random = SystemRandom::new();
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, pkcs8, &random);
        let key = key.map_err(|error| anyhow!("{error}"))?;
        let signature = key
            .sign(&random, message.as_bytes())
            .ok()
            .context("it was not signed")?;
        Ok(signature.as_ref().to_vec())
    }

    /// Returns the head of the key's tokens.
    pub(crate) fn head(&self) -> Value {
        json!({"alg": self.algorithm(), "kid": self.kid, "typ": "JWT"})
    }

    /// Makes a token.
    pub(crate) fn token(&self, claims: &Value) -> anyhow::Result<String> {
        self.token_of(&self.head().to_string(), &claims.to_string())
    }

    /// Makes a token of a head and a payload, whatever they are.
    pub(crate) fn token_of(&self, head: &str, payload: &str) -> anyhow::Result<String> {
        let message = message(head, payload);
        Ok(signed(&message, &self.sign(&message)?))
    }
}

/// Returns what is signed.
pub(crate) fn message(head: &str, payload: &str) -> String {
    format!("{}.{}", URL_SAFE_NO_PAD.encode(head), URL_SAFE_NO_PAD.encode(payload))
}

/// Returns the token of a message and its signature.
pub(crate) fn signed(message: &str, signature: &[u8]) -> String {
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
}
