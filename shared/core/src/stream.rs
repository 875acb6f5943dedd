//! One byte stream of a job on its way to the log store.

use bytes::Bytes;
use sha2::{Digest, Sha256};

use crate::ports::{LogKey, LogStore, StoreError};

/// Buffers, counts and hashes what is pushed, and appends it to the store.
pub(crate) struct StreamWriter {
    key: LogKey,
    written: u64,
    /// Kept until the store has it: a write that failed, or whose future was dropped, is repeated as it was.
    sending: Bytes,
    waiting: Vec<u8>,
    hash: Sha256,
}

impl StreamWriter {
    pub(crate) fn new(key: LogKey) -> Self {
        Self {
            key,
            written: 0,
            sending: Bytes::new(),
            waiting: Vec::new(),
            hash: Sha256::new(),
        }
    }

    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.hash.update(bytes);
        self.waiting.extend_from_slice(bytes);
    }

    /// Returns how many bytes the store is not known to have.
    pub(crate) fn unwritten(&self) -> usize {
        self.sending.len() + self.waiting.len()
    }

    /// Returns how many bytes were pushed.
    pub(crate) fn end(&self) -> u64 {
        self.written + self.unwritten() as u64
    }

    pub(crate) async fn flush(&mut self, logs: &dyn LogStore) -> Result<(), StoreError> {
        while self.unwritten() > 0 {
            if self.sending.is_empty() {
                self.sending = std::mem::take(&mut self.waiting).into();
            }
            logs.append(self.key, self.written, self.sending.clone()).await?;
            self.written += self.sending.len() as u64;
            self.sending.clear();
        }
        Ok(())
    }

    pub(crate) fn sha256(&self) -> String {
        let digest = self.hash.clone().finalize();
        digest.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}
