//! Takes what a container prints: into the log as it arrives, and its standard output into the job's output as far as that may go.

use std::sync::Arc;

use bollard::container::LogOutput;
use callboard_core::base::store_error::StoreError;
use callboard_core::output::Output;
use callboard_core::redact::{Piece, Redactor, Stream};

const MAX_OUTPUT_BYTES: usize = 1024 * 1024;
/// How much of the end of the standard error stream an error tells.
const MAX_TAIL_BYTES: usize = 1000;

/// What a container has printed, without its secrets.
pub(crate) struct Printed<'a> {
    output: &'a Output,
    stdout: Stream<()>,
    stderr: Stream<()>,
    /// The beginning of the standard output.
    pub(crate) kept: Vec<u8>,
    pub(crate) truncated: bool,
    tail: Vec<u8>,
}

impl<'a> Printed<'a> {
    pub(crate) fn new(output: &'a Output, redactor: &Arc<Redactor>) -> Self {
        let stream = || Stream::new(Arc::clone(redactor));
        Self {
            output,
            stdout: stream(),
            stderr: stream(),
            kept: Vec::new(),
            truncated: false,
            tail: Vec::new(),
        }
    }

    /// Takes the next bytes of one of the streams.
    ///
    /// # Errors
    /// The log store refuses the write.
    pub(crate) async fn take(&mut self, printed: LogOutput) -> Result<(), StoreError> {
        let bytes = printed.as_ref();
        let text = match printed {
            LogOutput::StdErr { .. } => {
                let text = bytes_of(self.stderr.push(Piece::Text(bytes.into())));
                self.remember(&text);
                text
            }
            _ => {
                let text = bytes_of(self.stdout.push(Piece::Text(bytes.into())));
                self.keep(&text);
                text
            }
        };
        self.write(&text).await
    }

    /// Takes what was held back when both streams have ended.
    ///
    /// # Errors
    /// As for [`Printed::take`].
    pub(crate) async fn finish(&mut self) -> Result<(), StoreError> {
        let (out, err) = (bytes_of(self.stdout.finish()), bytes_of(self.stderr.finish()));
        self.keep(&out);
        self.remember(&err);
        self.write(&out).await?;
        self.write(&err).await
    }

    /// Returns the end of the standard error stream.
    pub(crate) fn tail(&self) -> String {
        String::from_utf8_lossy(&self.tail).trim().to_owned()
    }

    async fn write(&mut self, text: &[u8]) -> Result<(), StoreError> {
        if text.is_empty() {
            return Ok(());
        }
        self.output.stdout(text).await
    }

    fn keep(&mut self, text: &[u8]) {
        let room = MAX_OUTPUT_BYTES - self.kept.len();
        self.truncated |= text.len() > room;
        self.kept.extend_from_slice(&text[..text.len().min(room)]);
    }

    fn remember(&mut self, text: &[u8]) {
        self.tail.extend_from_slice(text);
        self.tail.drain(..self.tail.len().saturating_sub(MAX_TAIL_BYTES));
    }
}

fn bytes_of(pieces: Vec<Piece<'_, ()>>) -> Vec<u8> {
    let texts = pieces.into_iter().filter_map(|piece| match piece {
        Piece::Text(text) => Some(text.into_owned()),
        Piece::Mark(()) => None,
    });
    texts.collect::<Vec<_>>().concat()
}
