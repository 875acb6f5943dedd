//! One byte stream of a job on its way to the log store.

use sha2::{Digest, Sha256};

use crate::base::hex::hex;

/// Buffers, counts and hashes the bytes that are pushed.
pub(crate) struct StreamBuffer {
    end: u64,
    waiting: Vec<u8>,
    /// That of the whole stream; none where others wrote its beginning.
    hash: Option<Sha256>,
}

impl StreamBuffer {
    /// Goes on with a stream of which so many bytes are written.
    pub(crate) fn after(end: u64) -> Self {
        Self {
            end,
            waiting: Vec::new(),
            hash: (end == 0).then(Sha256::default),
        }
    }

    pub(crate) fn push(&mut self, bytes: &[u8]) {
        if let Some(hash) = &mut self.hash {
            hash.update(bytes);
        }
        self.waiting.extend_from_slice(bytes);
        self.end += bytes.len() as u64;
    }

    /// Returns how many bytes were pushed.
    pub(crate) fn end(&self) -> u64 {
        self.end
    }

    /// Returns how many bytes wait to be taken.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Takes the bytes that wait, and returns where in the stream they start.
    pub(crate) fn take(&mut self) -> (u64, Vec<u8>) {
        let start = self.end - self.waiting.len() as u64;
        (start, std::mem::take(&mut self.waiting))
    }

    pub(crate) fn sha256(&self) -> Option<String> {
        self.hash.clone().map(|hash| hex(&hash.finalize()))
    }
}
