//! Moves what a program prints into the log as it comes, and keeps what the job's end tells of it.

use std::io;
use std::mem;
use std::sync::Arc;
use std::time::Duration;

use callboard_core::base::store_error::StoreError;
use callboard_core::output::{Beginning, LastBytes, Output};
use callboard_core::redact::{Piece, Redactor, Stream};
use callboard_kind_service::output::MAX_PRINTED_BYTES;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::time::timeout;

const CHUNK_BYTES: usize = 64 * 1024;
/// How long the end of a line is waited for.
const LINE_PAUSE: Duration = Duration::from_millis(20);

/// Why what a program prints could not be moved.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unmoved {
    #[error("the program's output could not be read")]
    Unread(#[from] io::Error),
    #[error("the output could not be kept")]
    Unkept(#[from] StoreError),
}

/// What is kept of a stream, apart from the log.
pub(crate) trait Keep {
    /// Takes text that is free of secrets.
    fn keep(&mut self, text: &[u8]);
}

impl Keep for Beginning {
    fn keep(&mut self, text: &[u8]) {
        self.take(text, MAX_PRINTED_BYTES);
    }
}

impl Keep for LastBytes {
    fn keep(&mut self, text: &[u8]) {
        self.take(text);
    }
}

/// Returns the last lines of a stream.
pub(crate) fn last_lines(tail: &LastBytes) -> String {
    let text = String::from_utf8_lossy(tail.as_bytes());
    // the first line lacks its beginning
    let whole = match text.split_once('\n') {
        Some((_, rest)) if tail.as_bytes().len() == LastBytes::MOST && !rest.trim().is_empty() => rest,
        _ => &text,
    };
    whole.trim().to_owned()
}

/// Reads a stream to its end.
pub(crate) async fn move_all(
    mut from: impl AsyncRead + Unpin,
    output: &Output,
    redactor: &Arc<Redactor>,
    kept: &mut impl Keep,
) -> Result<(), Unmoved> {
    let mut stream = Stream::<()>::new(Arc::clone(redactor));
    let mut begun = Vec::new();
    loop {
        let text = next(&mut from, &mut begun).await?;
        let is_end = text.is_none();
        let pieces = match text {
            Some(text) => stream.push(Piece::Text(text.into())),
            None => stream.finish(),
        };
        for piece in pieces {
            let Piece::Text(text) = piece else { continue };
            output.stdout(&text).await?;
            kept.keep(&text);
        }
        if is_end {
            return Ok(());
        }
    }
}

/// Reads what comes next: whole lines where it can be, so that what the other stream prints does not get into the middle of one.
/// `begun` has the beginning of the line after them; where its end does not follow soon, it is returned as it is.
async fn next(from: &mut (impl AsyncRead + Unpin), begun: &mut Vec<u8>) -> io::Result<Option<Vec<u8>>> {
    loop {
        let has_begun = !begun.is_empty();
        begun.reserve(CHUNK_BYTES);
        let read = from.read_buf(begun);
        let read = match has_begun {
            true => timeout(LINE_PAUSE, read).await,
            false => Ok(read.await),
        };
        let count = read.unwrap_or(Ok(0))?;
        let line_end = begun.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let due = match count {
            0 => begun.len(),
            _ if begun.len() >= CHUNK_BYTES => begun.len(),
            _ => line_end,
        };
        if due > 0 || !has_begun && count == 0 {
            let rest = begun.split_off(due);
            return Ok(Some(mem::replace(begun, rest)).filter(|text| !text.is_empty()));
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_line_is_read_whole_unless_its_end_does_not_follow() -> anyhow::Result<()> {
        let (mut program, mut ours) = tokio::io::duplex(1024);
        let printing = async {
            for (text, pause) in [
                ("+ ", 1),
                ("echo", 1),
                (" a\nb\n+ ", 1),
                ("echo c\n", 1000),
                ("Name? ", 1000),
                ("x", 0),
            ] {
                program.write_all(text.as_bytes()).await?;
                tokio::time::sleep(Duration::from_millis(pause)).await;
            }
            program.shutdown().await
        };
        let reading = async {
            let (mut begun, mut texts) = (Vec::new(), Vec::new());
            while let Some(text) = next(&mut ours, &mut begun).await? {
                texts.push(String::from_utf8_lossy(&text).into_owned());
            }
            Ok(texts)
        };
        let ((), texts) = tokio::try_join!(printing, reading)?;
        assert_eq!(texts, ["+ echo a\nb\n", "+ echo c\n", "Name? ", "x"]);
        Ok(())
    }
}
