//! What makes an API key the session of a web page: a cookie shows it, in place of the key or the token that it was made with.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::presented::{KeyId, SecretHash};
use crate::base::hex::hex;

/// Keeps what a token is made of from being taken for something else that is hashed.
const LABEL: &[u8] = b"callboard csrf token\0";

/// Whose session a key is, and what its page must know besides.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Session {
    /// What stands for the caller whose session it is.
    pub subject: String,
    /// The key that it was made with, with which it ends; `None` if that was a token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<Parent>,
    /// What is kept of its first secret. It stays, so that the other pages of a browser need not learn of a rotation.
    pub first: SecretHash,
}

/// The key that a session was made with.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Parent {
    /// Its public part.
    pub id: KeyId,
    /// What is kept of the secret that was shown: where that is replaced, the sessions of who had it end as well.
    pub hash: SecretHash,
}

impl Session {
    /// Returns what a page must send with whatever changes something. Pages of others cannot read it, and it is of no use without the
    /// cookie.
    #[must_use]
    pub fn csrf_token(&self) -> String {
        let mut hash = Sha256::new_with_prefix(LABEL);
        hash.update(self.first.to_hex());
        hex(&hash.finalize())
    }

    /// Returns whether this is the session's CSRF token, in a time that does not depend on where they differ.
    #[must_use]
    pub fn is_csrf_token(&self, shown: &[u8]) -> bool {
        self.csrf_token().as_bytes().ct_eq(shown).into()
    }
}
