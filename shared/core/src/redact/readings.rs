//! Reads what a text holds in pieces: base64 or hexadecimal digits over several lines, and the bytes of dumps in columns. The
//! pieces are read without the text between them, and what is found in them is traced back to its place.

mod dumps;
mod wrapped;

use std::ops::Range;

/// How many of the already decided bytes a reading needs: the longest line of a dump, or the longest text between digits.
pub(super) const PAST: usize = 256;

/// Bytes that are read from a text.
#[derive(Debug, Default)]
pub(super) struct Reading {
    bytes: Vec<u8>,
    /// Where the bytes are in the text, in order.
    segments: Vec<Segment>,
    /// Whether the text that follows may belong to the reading.
    open: bool,
    /// Where something begins that cannot be read until its end has arrived.
    pending: Option<usize>,
}

/// A run of bytes of a reading, from byte `from` on.
#[derive(Debug)]
struct Segment {
    from: usize,
    /// Where the run begins in the text.
    start: usize,
    written: Written,
}

/// How the bytes of a reading are written.
#[derive(Clone, Copy, Debug)]
enum Written {
    /// Unchanged, one after the other.
    Plainly,
    /// In digits. Hiding one byte hides its whole run and the rest of its line, whose end may not be known yet.
    InDigits(Option<usize>),
}

/// Reads everything that is there in pieces. `line` says whether the text begins a line, `last` whether nothing follows it.
pub(super) fn of(text: &[u8], line: bool, last: bool) -> Vec<Reading> {
    let mut readings = wrapped::read(text);
    readings.extend(dumps::read(text, line, last));
    readings
}

impl Reading {
    fn add(&mut self, bytes: &[u8], start: usize, written: Written) {
        let from = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        self.segments.push(Segment { from, start, written });
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Returns where in the text a range of the reading is; `None` until its end has arrived.
    pub(super) fn place(&self, range: &Range<usize>) -> Option<Range<usize>> {
        let last = range.end - 1;
        let end = match self.segments.get(self.segment(last))?.written {
            Written::Plainly => self.start(last) + 1,
            Written::InDigits(end) => end?,
        };
        Some(self.start(range.start)..end)
    }

    /// Returns where in the text a byte of the reading begins.
    pub(super) fn start(&self, at: usize) -> usize {
        match self.segments.get(self.segment(at)) {
            Some(Segment {
                from,
                start,
                written: Written::Plainly,
            }) => start + at - from,
            Some(segment) => segment.start,
            None => 0,
        }
    }

    fn segment(&self, at: usize) -> usize {
        self.segments
            .partition_point(|segment| segment.from <= at)
            .saturating_sub(1)
    }

    /// Returns whether the text that follows may belong to the reading.
    pub(super) fn is_open(&self) -> bool {
        self.open
    }

    /// Returns where in the text something begins that cannot be read yet.
    pub(super) fn pending(&self) -> Option<usize> {
        self.pending
    }
}

/// Returns the length of a colour at the start of a text, or of its beginning if the text ends within it. A colour is an ANSI
/// sequence, which Ansible puts around each line.
fn color_length(text: &[u8]) -> Option<usize> {
    let rest = text.strip_prefix(b"\x1b")?;
    let Some(rest) = rest.strip_prefix(b"[") else {
        return rest.is_empty().then_some(text.len());
    };
    let numbers = rest
        .iter()
        .take_while(|byte| byte.is_ascii_digit() || **byte == b';')
        .count();
    match rest.get(numbers) {
        Some(b'm') => Some(numbers + 3),
        Some(_) => None,
        None => Some(text.len()),
    }
}

/// Returns the length of a line break, plain or escaped, at the start of a text; `None` if there is none.
fn break_length(text: &[u8]) -> Option<usize> {
    match text {
        [b'\n', ..] => Some(1),
        [b'\\', rest @ ..] => {
            let more = rest.iter().take_while(|byte| **byte == b'\\').count();
            matches!(rest.get(more), Some(b'n')).then_some(more + 2)
        }
        _ => None,
    }
}
