//! Takes what a container prints: into the log as it arrives, and its standard output into the job's output as far as that may go.

use std::sync::Arc;

use bollard::container::LogOutput;
use callboard_core::base::store_error::StoreError;
use callboard_core::output::{Beginning, LastBytes, Output};
use callboard_core::redact::{Piece, Redactor, Stream};
use callboard_kind_service::output::MAX_PRINTED_BYTES;

/// What a container has printed, without its secrets.
pub(crate) struct Printed<'a> {
    output: &'a Output,
    out: Stream<()>,
    err: Stream<()>,
    pub(crate) stdout: Beginning,
    /// The end of the standard error stream.
    pub(crate) tail: LastBytes,
}

impl<'a> Printed<'a> {
    pub(crate) fn new(output: &'a Output, redactor: &Arc<Redactor>) -> Self {
        let stream = || Stream::new(Arc::clone(redactor));
        Self {
            output,
            out: stream(),
            err: stream(),
            stdout: Beginning::default(),
            tail: LastBytes::default(),
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
                self.tail.take(&text);
                text
            }
            _ => {
                let text = bytes_of(self.out.push(Piece::Text(bytes.into())));
                self.stdout.take(&text, MAX_PRINTED_BYTES);
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
        self.stdout.take(&out, MAX_PRINTED_BYTES);
        self.tail.take(&err);
        self.write(&out).await?;
        self.write(&err).await
    }

    async fn write(&mut self, text: &[u8]) -> Result<(), StoreError> {
        if text.is_empty() {
            return Ok(());
        }
        self.output.stdout(text).await
    }
}

fn bytes_of(pieces: Vec<Piece<'_, ()>>) -> Vec<u8> {
    let texts = pieces.into_iter().filter_map(|piece| match piece {
        Piece::Text(text) => Some(text.into_owned()),
        Piece::Mark(()) => None,
    });
    texts.collect::<Vec<_>>().concat()
}
