//! Moves what a program prints into the log as it comes, and keeps what the job's end tells of it.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

use callboard_core::base::store_error::StoreError;
use callboard_core::output::{Beginning, Output};
use callboard_core::redact::{Piece, Redactor, Stream};
use tokio::io::{AsyncRead, AsyncReadExt};

/// How many bytes of the standard output the job's output has.
const MAX_KEPT_BYTES: usize = 1024 * 1024;
/// How many bytes of the errors' end the job's error has.
const MAX_TAIL_BYTES: usize = 1000;
const CHUNK_BYTES: usize = 64 * 1024;

/// Why what a program prints could not be moved.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unmoved {
    #[error("the program's output could not be read")]
    Unread(#[from] io::Error),
    #[error("the output could not be kept")]
    Unkept(#[from] StoreError),
}

/// What is kept of a program's errors.
#[derive(Default)]
pub(crate) struct Tail(VecDeque<u8>);

/// What is kept of a stream, apart from the log.
pub(crate) trait Keep {
    /// Takes text that is free of secrets.
    fn keep(&mut self, text: &[u8]);
}

impl Keep for Beginning {
    fn keep(&mut self, text: &[u8]) {
        self.take(text, MAX_KEPT_BYTES);
    }
}

impl Keep for Tail {
    fn keep(&mut self, text: &[u8]) {
        self.0.extend(text);
        let over = self.0.len().saturating_sub(MAX_TAIL_BYTES);
        self.0.drain(..over);
    }
}

impl Tail {
    /// Returns the last lines.
    pub(crate) fn text(&self) -> String {
        let bytes: Vec<u8> = self.0.iter().copied().collect();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        // the first line lacks its beginning
        let whole = match text.split_once('\n') {
            Some((_, rest)) if bytes.len() == MAX_TAIL_BYTES && !rest.trim().is_empty() => rest,
            _ => &text,
        };
        whole.trim().to_owned()
    }
}

/// Reads a stream to its end.
pub(crate) async fn move_all(
    mut from: impl AsyncRead + Unpin,
    output: &Output,
    redactor: &Arc<Redactor>,
    kept: &mut impl Keep,
) -> Result<(), Unmoved> {
    let mut stream = Stream::<()>::new(Arc::clone(redactor));
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        let count = from.read(&mut chunk).await?;
        let pieces = match count {
            0 => stream.finish(),
            _ => stream.push(Piece::Text(chunk[..count].into())),
        };
        for piece in pieces {
            let Piece::Text(text) = piece else { continue };
            output.stdout(&text).await?;
            kept.keep(&text);
        }
        if count == 0 {
            return Ok(());
        }
    }
}
