//! Dumps: an offset, bytes in hexadecimal digits, and the text they stand for, as `xxd`, `hexdump` and `od` write them.

use memchr::memchr3_iter;

use super::{Reading, Written, break_length, color_length};

/// A line that is longer than this is not a dump.
const MAX_LINE: usize = 200;
const OFFSET_DIGITS: std::ops::RangeInclusive<usize> = 4..=16;
const MAX_GROUP_DIGITS: usize = 32;
/// The bytes that may occur between two lines: breaks, quotes, indentation and colours.
const BETWEEN: &[u8] = b"\r\n \t\",\\n\x1b[;m0123456789";

/// A line of a dump.
struct Line {
    bytes: Vec<u8>,
    /// Groups of digits: how many bytes there are up to the end of each, and where it begins.
    groups: Vec<(usize, usize)>,
    /// Where the line ends; `None` if its end has not arrived yet.
    end: Option<usize>,
    /// Where digits begin that may continue.
    pending: Option<usize>,
}

/// Reads the dumps in a text; consecutive lines form one dump.
pub(super) fn read(text: &[u8], line: bool, last: bool) -> Vec<Reading> {
    let starts = memchr3_iter(b'\n', b'\\', b'"', text).filter_map(|at| match text[at] {
        b'"' => Some((at + 1, false)),
        b'\n' => Some((at + 1, true)),
        _ => break_length(&text[at..]).map(|length| (at + length, false)),
    });
    let first = line.then_some((0, true));
    let (mut readings, mut reading, mut follows) = (Vec::new(), Reading::default(), 0);
    for (start, whole) in first.into_iter().chain(starts) {
        let start = start + indentation(&text[start..]);
        if start < follows {
            continue;
        }
        let Some(line) = Line::read(text, start, whole, last) else {
            continue;
        };
        if !is_gap(&text[follows.min(start)..start]) && !reading.bytes().is_empty() {
            readings.push(std::mem::take(&mut reading));
        }
        line.add_to(&mut reading);
        follows = line.end.unwrap_or(text.len());
        (reading.open, reading.pending) = (line.end.is_none_or(|end| may_go_on(&text[end..])), line.pending);
    }
    readings.extend(Some(reading).filter(|reading| !reading.bytes().is_empty() || reading.pending.is_some()));
    readings
}

/// Counts the bytes before an offset.
fn indentation(text: &[u8]) -> usize {
    let mut at = 0;
    loop {
        let length = match text.get(at) {
            Some(b' ' | b'\t' | b'"') => 1,
            Some(b'\x1b') => color_length(&text[at..]).unwrap_or(0),
            _ => 0,
        };
        if length == 0 {
            return at;
        }
        at += length;
    }
}

/// Returns whether there is nothing between two lines but a break, quotes, indentation and colours.
fn is_gap(text: &[u8]) -> bool {
    text.len() <= MAX_LINE && text.iter().all(|byte| BETWEEN.contains(byte))
}

/// Returns whether the text after a line may be the beginning of another line.
fn may_go_on(text: &[u8]) -> bool {
    let gap = text.iter().take_while(|byte| BETWEEN.contains(byte)).count();
    let offset = gap + hex_digits(&text[gap..]);
    let colon = offset + usize::from(text.get(offset) == Some(&b':'));
    colon <= MAX_LINE && text[colon..].iter().all(|byte| *byte == b' ')
}

impl Line {
    /// Reads a line that begins with an offset. A whole line ends with a line break; the breaks of others are escaped.
    fn read(text: &[u8], start: usize, whole: bool, last: bool) -> Option<Self> {
        let digits = hex_digits(&text[start..]);
        let colon = usize::from(text.get(start + digits) == Some(&b':'));
        if !OFFSET_DIGITS.contains(&digits) || text.get(start + digits + colon) != Some(&b' ') {
            return None;
        }
        let end = line_end(&text[start..], whole).map(|length| start + length);
        let end = end.or(last.then_some(text.len()));
        let line = &text[..end.unwrap_or(text.len())];
        if line.len() - start > MAX_LINE {
            return None;
        }
        let (at, swapped) = (start + digits + colon, colon == 0);
        let mut read = Self {
            bytes: Vec::new(),
            groups: Vec::new(),
            end,
            pending: None,
        };
        read.read_groups(line, at, swapped);
        (!read.bytes.is_empty() || read.pending.is_some()).then_some(read)
    }

    /// Reads groups of digits. Except for the gap in the middle, two spaces begin the text that the digits stand for.
    fn read_groups(&mut self, line: &[u8], mut at: usize, swapped: bool) {
        loop {
            let spaces = line[at..].iter().take_while(|byte| **byte == b' ').count();
            let digits = hex_digits(&line[at + spaces..]);
            let (from, to) = (at + spaces, at + spaces + digits);
            let first = self.bytes.is_empty();
            let middle = spaces == 2 && self.bytes.len() == 8 && digits == 2;
            if spaces == 0 || !(first || spaces == 1 || middle) {
                return;
            }
            if to == line.len() && self.end.is_none() {
                self.pending = (digits > 0).then_some(from);
                return;
            }
            if digits == 0
                || !digits.is_multiple_of(2)
                || digits > MAX_GROUP_DIGITS
                || line.get(to).is_some_and(|byte| !b" \t\r\"',\\\x1b".contains(byte))
            {
                return;
            }
            self.read_group(&line[from..to], from, swapped);
            at = to;
        }
    }

    fn add_to(&self, reading: &mut Reading) {
        let mut from = 0;
        for (to, at) in &self.groups {
            reading.add(&self.bytes[from..*to], *at, Written::InDigits(self.end));
            from = *to;
        }
    }

    /// Reads a group of digits. Words are written with their last byte first if there is no colon after the offset.
    fn read_group(&mut self, digits: &[u8], at: usize, swapped: bool) {
        let byte =
            |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap_or_default(), 16).unwrap_or_default();
        let bytes = digits.chunks(2).map(byte);
        match swapped {
            true => self.bytes.extend(bytes.rev()),
            false => self.bytes.extend(bytes),
        }
        self.groups.push((self.bytes.len(), at));
    }
}

fn hex_digits(text: &[u8]) -> usize {
    text.iter().take_while(|byte| byte.is_ascii_hexdigit()).count()
}

/// Returns the length of a line without its break; `None` if its end is not found.
fn line_end(text: &[u8], whole: bool) -> Option<usize> {
    let ends = |at: &usize| match text[*at] {
        b'\n' => true,
        b'"' => !whole,
        b'\\' => !whole && break_length(&text[*at..]).is_some(),
        _ => false,
    };
    (0..text.len().min(MAX_LINE + 1)).find(ends)
}
