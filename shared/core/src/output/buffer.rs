//! One byte stream of a job on its way to the log store.

use sha2::{Digest, Sha256};

use crate::base::hex::hex;

/// Buffers, counts and hashes the bytes that are pushed.
#[derive(Default)]
pub(crate) struct StreamBuffer {
    end: u64,
    waiting: Vec<u8>,
    hash: Sha256,
}

impl StreamBuffer {
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.hash.update(bytes);
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

    pub(crate) fn sha256(&self) -> String {
        hex(&self.hash.clone().finalize())
    }
}
