//! One byte stream of a job on its way to the log store.

use sha2::{Digest, Sha256};

use crate::ports::{Chunk, Stream};

/// Buffers, counts and hashes what is pushed.
pub(crate) struct StreamBuffer {
    stream: Stream,
    end: u64,
    waiting: Vec<u8>,
    hash: Sha256,
}

impl StreamBuffer {
    pub(crate) fn new(stream: Stream) -> Self {
        Self {
            stream,
            end: 0,
            waiting: Vec::new(),
            hash: Sha256::new(),
        }
    }

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

    /// Takes what waits, if anything does.
    pub(crate) fn take(&mut self) -> Option<Chunk> {
        let offset = self.end - self.waiting.len() as u64;
        let bytes = std::mem::take(&mut self.waiting);
        (!bytes.is_empty()).then(|| Chunk {
            stream: self.stream,
            offset,
            bytes: bytes.into(),
        })
    }

    pub(crate) fn sha256(&self) -> String {
        let digest = self.hash.clone().finalize();
        digest.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}
