//! The end of a job's output, for its record.

use callboard_core::base::store_error::StoreError;
use callboard_core::job::Job;
use callboard_core::output::{LogKey, LogStore, Stream};

/// How many bytes of output a record shows.
const MAX_BYTES: u64 = 256 * 1024;

/// The end of a job's output.
#[derive(Debug, Default)]
pub(crate) struct Tail {
    /// The text; bytes that are not UTF-8 are replaced.
    pub(crate) text: String,
    /// Whether there is more before it.
    pub(crate) truncated: bool,
    /// The size of the whole output, in bytes.
    pub(crate) bytes: u64,
}

impl Tail {
    /// Reads the end of the output of a job's last attempt.
    pub(crate) async fn read(logs: &dyn LogStore, job: &Job) -> Result<Self, StoreError> {
        let key = LogKey {
            job: job.id,
            attempt: job.state.attempt,
            stream: Stream::Stdout,
        };
        let tail = logs.tail(key, MAX_BYTES).await?;
        let truncated = tail.size > MAX_BYTES;
        let whole_chars = tail
            .bytes
            .iter()
            .position(|byte| !truncated || !is_continuation(*byte))
            .unwrap_or(tail.bytes.len());
        let text = String::from_utf8_lossy(&tail.bytes[whole_chars..]).into_owned();
        Ok(Self {
            text,
            truncated,
            bytes: tail.size,
        })
    }
}

/// Returns whether a byte goes on with a character of UTF-8.
pub(crate) fn is_continuation(byte: u8) -> bool {
    byte & 0b1100_0000 == 0b1000_0000
}
