//! Base64 or hexadecimal digits that continue on the next line, as `base64`, `openssl base64` and `xxd -p` write them, also where
//! each line is a string in a list.

use memchr::memchr3_iter;

use super::{Reading, Written, break_length, color_length};

/// The minimum number of digits before a break: programs break lines of 60 digits and more.
const MIN_DIGITS: usize = 16;
/// The maximum length of what is between two lines: a break, quotes, indentation.
const MAX_GAP: usize = 120;
const MAX_COLOR: usize = 16;

/// What is between digits.
enum Gap {
    /// A break of this many bytes.
    Break(usize),
    /// The text ends before it is known.
    Open,
    /// Something else.
    Other,
}

/// Reads all digits that are wrapped in this way, and those that may turn out to be once more text has arrived.
pub(super) fn read(text: &[u8]) -> Vec<Reading> {
    let (mut readings, mut done) = (Vec::new(), 0);
    // the end of the text may be the beginning of a break
    let last = Some(text.len()).filter(|last| before_break(text) < *last);
    for at in memchr3_iter(b'\n', b'\\', b'"', text).chain(last) {
        if at < done || !text[done..at].last().is_some_and(|byte| may_end(*byte)) {
            continue;
        }
        let end = done + before_break(&text[done..at]);
        let digits = text[done..end].iter().rev().take_while(|byte| is_digit(**byte)).count();
        if digits >= MIN_DIGITS {
            let reading;
            (reading, done) = read_from(text, end - digits, end);
            readings.extend(reading);
        }
    }
    readings
}

/// Reads on from digits. Returns what was read, if it continues after a break, and where it ends.
fn read_from(text: &[u8], start: usize, mut end: usize) -> (Option<Reading>, usize) {
    let mut reading = Reading::default();
    let (mut at, mut lines) = (start, 0);
    loop {
        reading.add(&text[at..end], at, Written::Plainly);
        lines += 1;
        let few = end - at < MIN_DIGITS;
        match gap(&text[end..]) {
            Gap::Open => {
                reading.open = true;
                return (Some(reading), text.len());
            }
            Gap::Break(length) if !few => at = end + length,
            _ => return ((lines > 1).then_some(reading), end.max(at)),
        }
        end = at + text[at..].iter().take_while(|byte| is_digit(**byte)).count();
        if end == at && at < text.len() {
            return ((lines > 1).then_some(reading), at);
        }
    }
}

fn gap(text: &[u8]) -> Gap {
    let (mut at, mut breaks) = (0, false);
    while at < text.len() {
        let length = match text[at] {
            b'\n' | b'"' => Some(1),
            b'\\' => escape_length(&text[at..]),
            b'\r' | b' ' | b'\t' | b',' | b'\'' => {
                at += 1;
                continue;
            }
            b'\x1b' => match color_length(&text[at..]) {
                Some(length) => {
                    at += length;
                    continue;
                }
                None => return Gap::Other,
            },
            _ if breaks && at <= MAX_GAP => return Gap::Break(at),
            _ => return Gap::Other,
        };
        match length {
            Some(length) => at += length,
            None if text[at..].iter().all(|byte| *byte == b'\\') => return Gap::Open,
            None => return Gap::Other,
        }
        breaks = true;
    }
    if at <= MAX_GAP { Gap::Open } else { Gap::Other }
}

/// Returns whether a byte may come right before a break within digits: a digit, a carriage return, or a part of a colour.
fn may_end(byte: u8) -> bool {
    is_digit(byte) || byte == b'\r' || byte == b'\x1b' || byte == b'[' || byte == b';'
}

/// Returns where a carriage return or a colour before a break begins.
fn before_break(text: &[u8]) -> usize {
    if text
        .last()
        .is_some_and(|byte| *byte != b'm' && is_digit(*byte) && !byte.is_ascii_digit())
    {
        return text.len();
    }
    let end = text.strip_suffix(b"\r").unwrap_or(text).len();
    let near = end.saturating_sub(MAX_COLOR);
    let escape = text[near..end]
        .iter()
        .rposition(|byte| *byte == b'\x1b')
        .map(|at| near + at);
    let color = escape.filter(|at| color_length(&text[*at..end]) == Some(end - at));
    color.unwrap_or(end)
}

/// Returns the length of an escaped break, carriage return or quote.
fn escape_length(text: &[u8]) -> Option<usize> {
    let slashes = text.iter().take_while(|byte| **byte == b'\\').count();
    let escaped = matches!(text.get(slashes), Some(b'r' | b'"'));
    break_length(text).or(escaped.then_some(slashes + 1))
}

fn is_digit(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"+/-_".contains(&byte)
}
