//! Sealing with XChaCha20-Poly1305: without the key, nobody can read or change a sealed value.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use callboard_core::base::store_error::StoreError;
use chacha20poly1305::aead::{Aead, Generate, Key as CipherKey, Payload};
use chacha20poly1305::{KeyInit, XChaCha20Poly1305, XNonce};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::error::unavailable;

const KEY_BYTES: usize = 32;
const NONCE_BYTES: usize = 24;
/// Enough to tell a few keys apart, and too little to reveal anything about them.
const ID_BYTES: usize = 4;

/// A key, and the id by which sealed values refer to it.
#[derive(Clone)]
pub(crate) struct Key {
    id: String,
    bytes: Zeroizing<[u8; KEY_BYTES]>,
}

/// A sealed value.
pub(crate) struct Sealed {
    pub(crate) key_id: String,
    pub(crate) nonce: Vec<u8>,
    pub(crate) bytes: Vec<u8>,
}

impl Key {
    /// Makes a key from the system's random source.
    pub(crate) fn generate() -> Result<Self, StoreError> {
        let key = CipherKey::<XChaCha20Poly1305>::try_generate().map_err(|_| unavailable("there is no randomness"))?;
        Ok(Self::new(Zeroizing::new(key.into())))
    }

    fn new(bytes: Zeroizing<[u8; KEY_BYTES]>) -> Self {
        let digest = Sha256::new()
            .chain_update(b"callboard key")
            .chain_update(*bytes)
            .finalize();
        let id = digest[..ID_BYTES].iter().map(|byte| format!("{byte:02x}")).collect();
        Self { id, bytes }
    }

    /// Parses a line of a key file; `None` if it is not a key, or was changed.
    pub(crate) fn parse(line: &str) -> Option<Self> {
        let (id, text) = line.split_once(' ')?;
        let decoded = Zeroizing::new(STANDARD.decode(text.trim()).ok()?);
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        if decoded.len() != KEY_BYTES {
            return None;
        }
        bytes.copy_from_slice(&decoded);
        Some(Self::new(bytes)).filter(|key| key.id == id)
    }

    /// Returns the key's line for a key file.
    pub(crate) fn line(&self) -> Zeroizing<String> {
        let text = Zeroizing::new(STANDARD.encode(*self.bytes));
        Zeroizing::new(format!("{} {}\n", self.id, *text))
    }

    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// Seals a value together with what it belongs to. The latter is not hidden, but must be the same when the value is opened.
    pub(crate) fn seal(&self, plain: &[u8], belongs_to: &[u8]) -> Result<Sealed, StoreError> {
        let nonce = XNonce::try_generate().map_err(|_| unavailable("there is no randomness"))?;
        let payload = Payload {
            msg: plain,
            aad: belongs_to,
        };
        let sealed = self.cipher().encrypt(&nonce, payload);
        Ok(Sealed {
            key_id: self.id.clone(),
            nonce: nonce.to_vec(),
            bytes: sealed.map_err(|_| unavailable("the value is too large to be sealed"))?,
        })
    }

    /// Opens a value; `None` if the value, or what it belongs to, differs from what was sealed with this key.
    pub(crate) fn open(&self, sealed: &Sealed, belongs_to: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let nonce: [u8; NONCE_BYTES] = sealed.nonce.as_slice().try_into().ok()?;
        let payload = Payload {
            msg: &sealed.bytes,
            aad: belongs_to,
        };
        let opened = self.cipher().decrypt(&XNonce::from(nonce), payload);
        opened.ok().map(Zeroizing::new)
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(&CipherKey::<XChaCha20Poly1305>::from(*self.bytes))
    }
}
