//! Takes what a container prints: into the log as it arrives, and its standard output into the job's output as far as that may go.

use std::sync::Arc;

use bollard::container::LogOutput;
use callboard_core::base::store_error::StoreError;
use callboard_core::output::{Beginning, Output};
use callboard_core::redact::{Piece, Redactor, Stream};

const MAX_OUTPUT_BYTES: usize = 1024 * 1024;
/// How much of the end of the standard error stream an error tells.
const MAX_TAIL_BYTES: usize = 1000;

/// What a container has printed, without its secrets.
pub(crate) struct Printed<'a> {
    output: &'a Output,
    out: Stream<()>,
    err: Stream<()>,
    pub(crate) stdout: Beginning,
    tail: Vec<u8>,
}

impl<'a> Printed<'a> {
    pub(crate) fn new(output: &'a Output, redactor: &Arc<Redactor>) -> Self {
        let stream = || Stream::new(Arc::clone(redactor));
        Self {
            output,
            out: stream(),
            err: stream(),
            stdout: Beginning::default(),
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
                let text = bytes_of(self.err.push(Piece::Text(bytes.into())));
                self.remember(&text);
                text
            }
            _ => {
                let text = bytes_of(self.out.push(Piece::Text(bytes.into())));
                self.stdout.take(&text, MAX_OUTPUT_BYTES);
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
        let (out, err) = (bytes_of(self.out.finish()), bytes_of(self.err.finish()));
        self.stdout.take(&out, MAX_OUTPUT_BYTES);
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
