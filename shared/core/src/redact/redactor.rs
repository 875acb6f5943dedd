//! Keeps secrets out of what a job prints and reports, in every form in which programs commonly write them.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use aho_corasick::{AhoCorasick, AhoCorasickKind, BuildError};

use super::forms;
use super::readings::{self, Reading};
use crate::base::secret::Secret;

/// The text that replaces a secret.
pub const REPLACEMENT: &str = "********";

/// The error for secrets that are too large to build a search for.
#[derive(Debug, thiserror::Error)]
#[error("the job's secrets are too large to be kept out of its output")]
pub struct TooLarge(#[source] BuildError);

/// Replaces secrets, in each of their forms, with [`REPLACEMENT`]. The default has no secrets and changes nothing.
#[derive(Default)]
pub struct Redactor {
    /// Every form of every secret, sorted by bytes.
    pub(super) forms: Vec<Secret>,
    longest: usize,
    search: Option<AhoCorasick>,
}

impl Redactor {
    /// Makes a redactor for secrets; skips those shorter than `MIN_SECRET_BYTES`.
    ///
    /// # Errors
    /// [`TooLarge`] if the secrets take gigabytes.
    pub fn new(secrets: &[Secret]) -> Result<Self, TooLarge> {
        let forms: Vec<Secret> = forms::of(secrets).into_iter().map(Secret::new).collect();
        if forms.is_empty() {
            return Ok(Self::default());
        }
        let patterns = forms.iter().map(Secret::expose);
        // the other automatons take many times the memory for a key of a few kilobytes
        let kind = Some(AhoCorasickKind::ContiguousNFA);
        let search = AhoCorasick::builder().kind(kind).build(patterns).map_err(TooLarge)?;
        Ok(Self {
            longest: search.max_pattern_len(),
            forms,
            search: Some(search),
        })
    }

    /// Returns whether there is nothing to replace.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.search.is_none()
    }

    /// Redacts a whole text.
    #[must_use]
    pub fn text(&self, text: &str) -> String {
        match self.bytes(text.as_bytes()) {
            Cow::Borrowed(_) => text.to_owned(),
            Cow::Owned(redacted) => String::from_utf8_lossy(&redacted).into_owned(),
        }
    }

    /// Redacts a sentence that Callboard made, except for text within one of its `own` phrases: that is not a secret, whatever the
    /// secrets are.
    #[must_use]
    pub fn sentence(&self, text: &str, own: &[&str]) -> String {
        let phrases = own.iter().flat_map(|phrase| text.match_indices(phrase));
        let phrases: Vec<_> = phrases.map(|(at, phrase)| at..at + phrase.len()).collect();
        let is_own = |span: &Range<usize>| phrases.iter().any(|own| own.start <= span.start && span.end <= own.end);
        let mut spans = self.spans(text.as_bytes(), 0, &self.read(text.as_bytes()));
        spans.retain(|span| !is_own(span));
        String::from_utf8_lossy(&replaced(text.as_bytes(), 0..text.len(), &spans)).into_owned()
    }

    /// Redacts complete bytes; borrows them if nothing changes.
    #[must_use]
    pub fn bytes<'a>(&self, bytes: &'a [u8]) -> Cow<'a, [u8]> {
        let spans = self.spans(bytes, 0, &self.read(bytes));
        if spans.is_empty() {
            return Cow::Borrowed(bytes);
        }
        Cow::Owned(replaced(bytes, 0..bytes.len(), &spans))
    }

    /// Redacts lines, where a form may span several of them. Returns the lines that change, and `None` for those that do not.
    pub(super) fn lines(&self, lines: &[Cow<'_, [u8]>]) -> Vec<Option<String>> {
        let text = lines.join(&b'\n');
        let spans = self.spans(&text, 0, &self.read(&text));
        let mut at = 0;
        let mut redact = |line: &Cow<'_, [u8]>| {
            let range = at..at + line.len();
            at = range.end + 1;
            let within = |span: &Range<usize>| span.start.max(range.start)..span.end.min(range.end);
            let parts: Vec<_> = spans.iter().map(within).filter(|part| part.start < part.end).collect();
            (!parts.is_empty()).then(|| String::from_utf8_lossy(&replaced(&text, range, &parts)).into_owned())
        };
        lines.iter().map(&mut redact).collect()
    }

    /// Returns whether a text is a form of a secret.
    pub(super) fn is_secret(&self, text: &[u8]) -> bool {
        self.forms
            .binary_search_by(|form| form.expose().as_bytes().cmp(text))
            .is_ok()
    }

    /// Finds what to replace from a place on, in order, including what was read from the bytes in pieces. Overlapping forms are
    /// merged, because otherwise half of the second secret would be left.
    pub(super) fn spans(&self, bytes: &[u8], from: usize, readings: &[Reading]) -> Vec<Range<usize>> {
        let Some(search) = &self.search else { return Vec::new() };
        let whole = search.find_overlapping_iter(&bytes[from..]);
        let mut found: Vec<_> = whole.map(|found| from + found.start()..from + found.end()).collect();
        found.extend(self.in_pieces(readings).filter(|range| range.start >= from));
        found.sort_unstable_by_key(|range| range.start);
        let mut spans: Vec<Range<usize>> = Vec::new();
        for range in found {
            match spans.last_mut() {
                Some(last) if range.start < last.end => last.end = last.end.max(range.end),
                _ => spans.push(range),
            }
        }
        spans
    }

    /// Reads what complete bytes hold in pieces.
    pub(super) fn read(&self, bytes: &[u8]) -> Vec<Reading> {
        match self.search {
            Some(_) => readings::of(bytes, true, true),
            None => Vec::new(),
        }
    }

    /// Finds forms that are written in pieces.
    pub(super) fn in_pieces<'a>(&'a self, readings: &'a [Reading]) -> impl Iterator<Item = Range<usize>> + 'a {
        let places = |reading: &'a Reading| self.found_in(reading).filter_map(|found| reading.place(&found));
        readings.iter().flat_map(places)
    }

    fn found_in<'a>(&'a self, reading: &'a Reading) -> impl Iterator<Item = Range<usize>> + 'a {
        let search = self.search.iter();
        search.flat_map(|search| search.find_overlapping_iter(reading.bytes()).map(|found| found.range()))
    }

    /// Returns the start of the tail that may still become a form, no earlier than `from`.
    pub(super) fn undecided(&self, bytes: &[u8], from: usize, readings: &[Reading]) -> usize {
        let whole = bytes.len() - self.beginning(&bytes[from..]);
        let open = readings.iter().filter(|reading| reading.is_open());
        open.filter_map(|reading| self.unread(reading))
            .fold(whole, usize::min)
            .max(from)
    }

    /// Returns where a reading becomes undecided: at the beginning of a form, or at a form, whose end has not arrived.
    fn unread(&self, reading: &Reading) -> Option<usize> {
        let tail = Some(self.beginning(reading.bytes())).filter(|length| *length > 0);
        let tail = tail.map(|length| reading.start(reading.bytes().len() - length));
        let unfinished = self.found_in(reading).filter(|found| reading.place(found).is_none());
        let begun = unfinished.map(|found| reading.start(found.start));
        begun.chain(tail).chain(reading.pending()).min()
    }

    /// Counts the bytes at the end that may be the beginning of a form.
    fn beginning(&self, bytes: &[u8]) -> usize {
        let most = bytes.len().min(self.longest.saturating_sub(1));
        let tail = |length: &usize| &bytes[bytes.len() - length..];
        (1..=most)
            .rev()
            .find(|length| self.is_beginning(tail(length)))
            .unwrap_or(0)
    }

    fn is_beginning(&self, tail: &[u8]) -> bool {
        let next = self.forms.partition_point(|form| form.expose().as_bytes() <= tail);
        let form = self.forms.get(next);
        form.is_some_and(|form| form.expose().as_bytes().starts_with(tail))
    }
}

/// Copies a range of bytes, with the replacement in place of the given parts.
pub(super) fn replaced(bytes: &[u8], range: Range<usize>, parts: &[Range<usize>]) -> Vec<u8> {
    let mut redacted = Vec::with_capacity(range.len());
    let mut at = range.start;
    for part in parts {
        redacted.extend_from_slice(&bytes[at..part.start]);
        redacted.extend_from_slice(REPLACEMENT.as_bytes());
        at = part.end;
    }
    redacted.extend_from_slice(&bytes[at..range.end]);
    redacted
}

impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Redactor")
    }
}
