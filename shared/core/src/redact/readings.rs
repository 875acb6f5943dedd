//! What a text holds in pieces: base64 or hexadecimal digits over several lines, and the bytes of dumps in columns. It is read
//! without what stands between, and what is found there is traced to its place.

mod dumps;
mod wrapped;

use std::ops::Range;

/// How much of what has been decided already a reading needs.
pub(super) const PAST: usize = 512;

/// Bytes that are read out of a text.
#[derive(Debug, Default)]
pub(super) struct Reading {
    bytes: Vec<u8>,
    /// Where each begins in the text.
    starts: Vec<usize>,
    /// How far the text is hidden if it is the last of a secret; nothing where that is not known yet.
    ends: Vec<Option<usize>>,
    /// Whether what follows in the text may belong to it.
    open: bool,
    /// Where something begins that is not read before its end is there.
    pending: Option<usize>,
}

/// Reads whatever is there in pieces; `line` tells whether the text begins a line, `last` whether nothing follows it.
pub(super) fn of(text: &[u8], line: bool, last: bool) -> Vec<Reading> {
    let mut readings = wrapped::read(text);
    readings.extend(dumps::read(text, line, last));
    readings
}

impl Reading {
    fn add(&mut self, byte: u8, start: usize, end: Option<usize>) {
        self.bytes.push(byte);
        self.starts.push(start);
        self.ends.push(end);
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Returns where in the text a range of what was read stands; nothing while its end is not there.
    pub(super) fn place(&self, range: &Range<usize>) -> Option<Range<usize>> {
        Some(self.starts[range.start]..self.ends[range.end - 1]?)
    }

    /// Returns where the last bytes that were read begin in the text.
    pub(super) fn tail(&self, length: usize) -> usize {
        self.starts[self.starts.len() - length]
    }

    /// Returns where a range of what was read begins in the text.
    pub(super) fn start(&self, range: &Range<usize>) -> usize {
        self.starts[range.start]
    }

    /// Tells whether what follows in the text may belong to it.
    pub(super) fn is_open(&self) -> bool {
        self.open
    }

    /// Returns where in the text something begins that cannot be read yet.
    pub(super) fn pending(&self) -> Option<usize> {
        self.pending
    }
}

/// Returns the length of a colour that a text begins with, or of its beginning where the text ends in it: an ANSI sequence,
/// which Ansible puts around each line.
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

/// Returns the length of a line break that a text begins with, as it is or escaped; `None` if it begins with none.
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
