//! The keys of an issuer: a JSON Web Key Set (RFC 7517, 7518, 8037), and the signatures that they verify.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents, UnparsedPublicKey,
};
use serde_json::{Map, Value};

/// The length of a private number of P-256 and Ed25519, in bytes.
const POINT_BYTES: usize = 32;
/// How long the modulus of a key for RSA must be, in bits.
const MIN_RSA_BITS: usize = 2048;

/// How tokens may be signed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Algorithm {
    /// RSA with PKCS #1 v1.5 and SHA-256.
    Rs256,
    /// ECDSA with P-256 and SHA-256.
    Es256,
    /// Ed25519.
    EdDsa,
}

impl Algorithm {
    /// Returns the algorithm of a name, if it is accepted.
    pub(crate) fn named(name: &str) -> Option<Self> {
        match name {
            "RS256" => Some(Self::Rs256),
            "ES256" => Some(Self::Es256),
            "EdDSA" => Some(Self::EdDsa),
            _ => None,
        }
    }
}

/// The keys of an issuer that can verify tokens.
#[derive(Debug, Default)]
pub(crate) struct Keys(Vec<Key>);

/// A public key.
#[derive(Debug)]
struct Key {
    kid: String,
    material: Material,
}

/// The numbers of a key; its type alone decides for which algorithm it is.
#[derive(Debug)]
enum Material {
    Rsa {
        n: Vec<u8>,
        e: Vec<u8>,
    },
    /// A point without compression.
    P256(Vec<u8>),
    Ed25519(Vec<u8>),
}

impl Keys {
    /// Reads a set of keys; `None` if it is no such set. Keys of other types, for other uses, and without a name are left out.
    pub(crate) fn read(set: &Value) -> Option<Self> {
        let keys = set.get("keys")?.as_array()?;
        Some(Self(keys.iter().filter_map(Key::read).collect()))
    }

    /// Returns whether there is a key with a name.
    pub(crate) fn have(&self, kid: &str) -> bool {
        self.0.iter().any(|key| key.kid == kid)
    }

    /// Returns whether a key with that name, for that algorithm, has made the signature.
    pub(crate) fn verify(&self, kid: &str, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        let mut fitting = self
            .0
            .iter()
            .filter(|key| key.kid == kid && key.material.algorithm() == algorithm);
        fitting.any(|key| key.material.verify(message, signature))
    }
}

impl Key {
    fn read(key: &Value) -> Option<Self> {
        let key = key.as_object()?;
        let text = |name| key.get(name).and_then(Value::as_str);
        let material = match (text("kty")?, text("crv")) {
            ("RSA", _) => rsa(key)?,
            ("EC", Some("P-256")) => p256(key)?,
            ("OKP", Some("Ed25519")) => Material::Ed25519(point(key, "x")?),
            _ => return None,
        };
        let of_algorithm = |name: &Value| name.as_str().and_then(Algorithm::named) == Some(material.algorithm());
        let verifies = |uses: &Value| {
            uses.as_array()
                .is_some_and(|uses| uses.iter().any(|name| name == "verify"))
        };
        let fits = key.get("alg").is_none_or(of_algorithm)
            && key.get("use").is_none_or(|name| name == "sig")
            && key.get("key_ops").is_none_or(verifies);
        let kid = text("kid")?.to_owned();
        fits.then_some(Self { kid, material })
    }
}

impl Material {
    fn algorithm(&self) -> Algorithm {
        match self {
            Self::Rsa { .. } => Algorithm::Rs256,
            Self::P256(_) => Algorithm::Es256,
            Self::Ed25519(_) => Algorithm::EdDsa,
        }
    }

    fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        let verified = match self {
            Self::Rsa { n, e } => {
                RsaPublicKeyComponents { n, e }.verify(&RSA_PKCS1_2048_8192_SHA256, message, signature)
            }
            Self::P256(point) => UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(message, signature),
            Self::Ed25519(point) => UnparsedPublicKey::new(&ED25519, point).verify(message, signature),
        };
        verified.is_ok()
    }
}

fn rsa(key: &Map<String, Value>) -> Option<Material> {
    let (n, e) = (number(key, "n")?, number(key, "e")?);
    let bits = n.len() * 8 - n.first()?.leading_zeros() as usize;
    (bits >= MIN_RSA_BITS).then_some(Material::Rsa { n, e })
}

fn p256(key: &Map<String, Value>) -> Option<Material> {
    // 4 is for a point without compression
    let point = [vec![4], point(key, "x")?, point(key, "y")?].concat();
    Some(Material::P256(point))
}

/// Reads a number without the zeros that some issuers put before it.
fn number(key: &Map<String, Value>, name: &str) -> Option<Vec<u8>> {
    let bytes = bytes(key, name)?;
    Some(bytes.into_iter().skip_while(|byte| *byte == 0).collect())
}

fn point(key: &Map<String, Value>, name: &str) -> Option<Vec<u8>> {
    bytes(key, name).filter(|bytes| bytes.len() == POINT_BYTES)
}

fn bytes(key: &Map<String, Value>, name: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(key.get(name)?.as_str()?).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn number_of(bits: usize) -> String {
        let mut bytes = vec![0xff; bits.div_ceil(8)];
        bytes[0] = 0xff >> (bytes.len() * 8 - bits);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    #[test]
    fn only_keys_that_can_verify_tokens_are_kept() {
        let rsa = |bits| json!({"kty": "RSA", "kid": "a", "e": "AQAB", "n": number_of(bits)});
        let ec = json!({"kty": "EC", "kid": "a", "crv": "P-256", "x": number_of(256), "y": number_of(256)});
        let ed = json!({"kty": "OKP", "kid": "a", "crv": "Ed25519", "x": number_of(256)});
        let with = |key: &Value, name: &str, value: Value| {
            let mut key = key.clone();
            key[name] = value;
            key
        };
        for key in [
            rsa(2048),
            rsa(4096),
            with(&rsa(2048), "n", json!(format!("AAAA{}", number_of(2048)))),
            with(&rsa(2048), "alg", json!("RS256")),
            with(&ec, "use", json!("sig")),
            with(&ed, "key_ops", json!(["sign", "verify"])),
        ] {
            let keys = Keys::read(&json!({"keys": [1, {"kty": "EC"}, key]}));
            assert!(keys.is_some_and(|keys| keys.have("a")), "{key}");
        }
        for key in [
            rsa(2047),
            rsa(1024),
            with(&rsa(2048), "alg", json!("PS256")),
            with(&rsa(2048), "alg", json!(null)),
            with(&rsa(2048), "use", json!("enc")),
            with(&rsa(2048), "kid", json!(7)),
            with(&rsa(2048), "n", json!("")),
            with(&rsa(2048), "n", json!("AAAA")),
            with(&rsa(2048), "n", json!(format!("{}==", number_of(2048)))),
            with(&ec, "crv", json!("P-384")),
            with(&ec, "x", json!(number_of(264))),
            with(&ec, "alg", json!("EdDSA")),
            with(&ed, "crv", json!("X25519")),
            with(&ed, "key_ops", json!(["sign"])),
            json!({"kty": "oct", "kid": "a", "k": "c2VjcmV0"}),
        ] {
            let keys = Keys::read(&json!({"keys": [key]}));
            assert!(keys.is_some_and(|keys| !keys.have("a")), "{key}");
        }
        for set in [json!({}), json!([]), json!({"keys": {}})] {
            assert!(Keys::read(&set).is_none(), "{set}");
        }
    }
}
