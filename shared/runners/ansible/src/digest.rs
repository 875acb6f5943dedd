//! Names that are derived from the content they stand for.

use callboard_core::base::hex::hex;
use sha2::{Digest, Sha256};

/// Returns the first half of a SHA-256 over the parts and their lengths, in hexadecimal.
pub(crate) fn digest<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    let mut text = hex(&hash.finalize());
    text.truncate(32);
    text
}
