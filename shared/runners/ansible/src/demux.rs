//! Separates the markers of events from the output around them, across chunk borders.

use std::ops::Range;

use crate::viewer::Channel;

/// A piece of a chunk of output; pieces are in order. Ranges point into [`Demux::bytes`].
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Piece {
    /// Output.
    Text(Range<usize>),
    /// An event begins; its data is the next line of the events pipe.
    Begin,
    /// The event that began last ends.
    End,
    /// What follows was written to this stream. Until the first switch, it is standard output.
    Switch(Channel),
}

/// Splits a stream of output at the markers of one job.
pub(crate) struct Demux {
    prefix: Vec<u8>,
    buffer: Vec<u8>,
    used: usize,
}

/// The length of what follows a marker's prefix: a letter and BEL.
const SUFFIX: usize = 2;

impl Demux {
    /// Starts a stream whose markers carry `nonce`: `ESC ] nonce ; B|E|1|2 BEL`.
    pub(crate) fn new(nonce: &str) -> Self {
        Self {
            prefix: format!("\x1b]{nonce};").into_bytes(),
            buffer: Vec::new(),
            used: 0,
        }
    }

    /// Takes a chunk and returns the pieces that are complete; the start of a marker waits for the next chunk.
    pub(crate) fn split(&mut self, chunk: &[u8]) -> Vec<Piece> {
        self.buffer.drain(..self.used);
        self.buffer.extend_from_slice(chunk);
        let mut pieces = Vec::new();
        let mut at = 0;
        while let Some((start, piece)) = self.next_marker(at) {
            push_text(&mut pieces, at..start);
            at = start + self.prefix.len() + SUFFIX;
            pieces.push(piece);
        }
        let end = self.buffer.len() - self.waiting(at);
        push_text(&mut pieces, at..end);
        self.used = end;
        pieces
    }

    /// Returns the bytes that are left when the stream has ended.
    pub(crate) fn finish(&mut self) -> &[u8] {
        self.buffer.drain(..self.used);
        self.used = self.buffer.len();
        &self.buffer
    }

    /// Returns the bytes of a piece of text from the last split.
    pub(crate) fn bytes(&self, text: Range<usize>) -> &[u8] {
        &self.buffer[text]
    }

    fn next_marker(&self, from: usize) -> Option<(usize, Piece)> {
        let mut at = from;
        loop {
            at += memchr::memmem::find(&self.buffer[at..], &self.prefix)?;
            match self
                .buffer
                .get(at + self.prefix.len()..at + self.prefix.len() + SUFFIX)?
            {
                b"B\x07" => return Some((at, Piece::Begin)),
                b"E\x07" => return Some((at, Piece::End)),
                b"1\x07" => return Some((at, Piece::Switch(Channel::Stdout))),
                b"2\x07" => return Some((at, Piece::Switch(Channel::Stderr))),
                _ => at += self.prefix.len(),
            }
        }
    }

    /// Counts the bytes at the end of the buffer that may turn out to be a marker.
    fn waiting(&self, from: usize) -> usize {
        let tail = &self.buffer[from..];
        let longest = (self.prefix.len() + SUFFIX - 1).min(tail.len());
        (1..=longest)
            .rev()
            .find(|length| self.may_begin_marker(&tail[tail.len() - length..]))
            .unwrap_or(0)
    }

    fn may_begin_marker(&self, tail: &[u8]) -> bool {
        match tail.strip_prefix(self.prefix.as_slice()) {
            Some(rest) => matches!(rest, b"" | b"B" | b"E" | b"1" | b"2"),
            None => self.prefix.starts_with(tail),
        }
    }
}

fn push_text(pieces: &mut Vec<Piece>, range: Range<usize>) {
    if !range.is_empty() {
        pieces.push(Piece::Text(range));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(stream: &[u8], chunk: usize) -> (Vec<u8>, String) {
        let mut demux = Demux::new("0123");
        let (mut text, mut marks) = (Vec::new(), String::new());
        for chunk in stream.chunks(chunk) {
            for piece in demux.split(chunk) {
                match piece {
                    Piece::Text(range) => text.extend_from_slice(demux.bytes(range)),
                    Piece::Begin => marks.push_str(&format!("B{} ", text.len())),
                    Piece::End => marks.push_str(&format!("E{} ", text.len())),
                    Piece::Switch(channel) => marks.push_str(&format!("{channel:?}{} ", text.len())),
                }
            }
        }
        text.extend_from_slice(demux.finish());
        (text, marks)
    }

    #[test]
    fn wherever_a_chunk_ends_the_same_text_and_the_same_markers_come_out() {
        let stream =
            b"\x1b[0;32mok\x1b]0123;B\x07a\xff\x1b]0123;E\x07\x1b]0123;Bx\x1b]0124;B\x07\x1b]0123;E\x07\x1b]0123;2\x07w\x1b]0123;1\x07\x1b]012";
        let text = b"\x1b[0;32moka\xff\x1b]0123;Bx\x1b]0124;B\x07w\x1b]012".to_vec();
        for chunk in 1..=stream.len() {
            assert_eq!(
                run(stream, chunk),
                (text.clone(), "B9 E11 E29 Stderr29 Stdout30 ".to_owned()),
                "chunks of {chunk}"
            );
        }
    }
}
