//! API keys as they are shown: `cbk_`, an id of 12 characters, `_`, a secret of 32 characters, and a checksum of 6, all of letters and digits.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::base::hex::{from_hex, hex};
use crate::base::secret::Secret;

const PREFIX: &str = "cbk_";
const ID_CHARS: usize = 12;
/// With letters and digits, 190 bits: no guess finds it, so that a fast hash protects it.
const SECRET_CHARS: usize = 32;
const CHECKSUM_CHARS: usize = 6;
const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// The public part of a key.
#[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct KeyId(String);

/// A text that is no key.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("is not an API key of Callboard: its form or its checksum is wrong")]
pub struct NotAKey;

/// A text that is no key's public part.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("is not the id of an API key, which has 12 letters and digits, such as those after `cbk_`")]
pub struct NotAKeyId;

/// A key as its holder shows it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Presented {
    /// Its public part.
    pub id: KeyId,
    secret: Secret,
}

/// What is kept of a secret.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SecretHash([u8; 32]);

impl KeyId {
    /// Returns its text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for KeyId {
    type Err = NotAKeyId;

    fn from_str(text: &str) -> Result<Self, NotAKeyId> {
        let fits = text.len() == ID_CHARS && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
        fits.then(|| Self(text.to_owned())).ok_or(NotAKeyId)
    }
}

impl Presented {
    /// Makes a new key from the system's random source.
    ///
    /// # Errors
    /// The system has no randomness.
    pub fn generate() -> Result<Self, std::io::Error> {
        Ok(Self {
            id: KeyId(random(ID_CHARS)?),
            secret: Secret::new(random(SECRET_CHARS)?),
        })
    }

    /// Makes another secret for a key.
    ///
    /// # Errors
    /// The system has no randomness.
    pub fn renewed(id: KeyId) -> Result<Self, std::io::Error> {
        Ok(Self {
            id,
            secret: Secret::new(random(SECRET_CHARS)?),
        })
    }

    /// Returns whether a text looks like a key, so that it is not taken for something else.
    #[must_use]
    pub fn is_like(text: &str) -> bool {
        text.starts_with(PREFIX)
    }

    /// Returns what is kept of the secret.
    #[must_use]
    pub fn hash(&self) -> SecretHash {
        SecretHash(Sha256::digest(self.secret.expose().as_bytes()).into())
    }

    /// Returns the whole key, to be shown once.
    #[must_use]
    pub fn text(&self) -> Secret {
        let text = format!("{PREFIX}{}_{}", self.id, self.secret.expose());
        let checksum = checksum(&text);
        Secret::new(text + &checksum)
    }
}

impl FromStr for Presented {
    type Err = NotAKey;

    fn from_str(text: &str) -> Result<Self, NotAKey> {
        let (id, rest) = text
            .strip_prefix(PREFIX)
            .and_then(|rest| rest.split_once('_'))
            .ok_or(NotAKey)?;
        let fits = rest.len() == SECRET_CHARS + CHECKSUM_CHARS && rest.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if !fits {
            return Err(NotAKey);
        }
        let (secret, given) = rest.split_at(SECRET_CHARS);
        let presented = Self {
            id: id.parse().map_err(|NotAKeyId| NotAKey)?,
            secret: Secret::new(secret),
        };
        (checksum(&text[..text.len() - CHECKSUM_CHARS]) == given)
            .then_some(presented)
            .ok_or(NotAKey)
    }
}

impl SecretHash {
    /// Compares in a time that does not depend on where they differ.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }

    /// Returns the hash as text.
    #[must_use]
    pub fn to_hex(self) -> String {
        hex(&self.0)
    }
}

impl Serialize for SecretHash {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.to_hex())
    }
}

impl<'de> Deserialize<'de> for SecretHash {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        from_hex(&text)
            .map(Self)
            .ok_or_else(|| serde::de::Error::custom("is not a SHA-256 digest"))
    }
}

/// Returns random letters and digits.
fn random(chars: usize) -> Result<String, std::io::Error> {
    let mut text = String::with_capacity(chars);
    let mut bytes = [0; 64];
    while text.len() < chars {
        getrandom::fill(&mut bytes)?;
        // the last numbers would make some letters more likely than others
        let usable = bytes.iter().filter(|byte| **byte < 248);
        text.extend(
            usable
                .map(|byte| char::from(ALPHABET[usize::from(*byte) % 62]))
                .take(chars - text.len()),
        );
    }
    Ok(text)
}

/// Returns the CRC-32 of a text in letters and digits: it tells a mistyped key from a wrong one without a look at the store.
fn checksum(text: &str) -> String {
    let mut number = crc32fast::hash(text.as_bytes());
    let mut digits = [b'0'; CHECKSUM_CHARS];
    for digit in digits.iter_mut().rev() {
        *digit = ALPHABET[(number % 62) as usize];
        number /= 62;
    }
    digits.iter().map(|digit| char::from(*digit)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_reads_back_and_one_that_was_changed_does_not() -> Result<(), Box<dyn std::error::Error>> {
        let key = Presented::generate()?;
        let text = key.text();
        assert_eq!(text.expose().parse::<Presented>()?, key);
        assert_eq!(text.expose().len(), 4 + 12 + 1 + 32 + 6);
        for at in 4..text.expose().len() {
            let mut changed: Vec<u8> = text.expose().bytes().collect();
            changed[at] = if changed[at] == b'a' { b'b' } else { b'a' };
            assert!(String::from_utf8(changed)?.parse::<Presented>().is_err(), "{at}");
        }
        for other in [
            "",
            "cbk_",
            "cbk__",
            "ghp_abc",
            &text.expose()[..54],
            &format!("{}0", text.expose()),
        ] {
            assert!(other.parse::<Presented>().is_err(), "{other}");
        }
        assert!(!format!("{key:?}").contains(&text.expose()[17..49]));
        Ok(())
    }
}
