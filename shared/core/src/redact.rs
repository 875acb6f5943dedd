//! Keeping secrets out of what a job prints and tells, in every form in which programs commonly write them.

mod forms;
mod json;
mod stream;

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use aho_corasick::{AhoCorasick, AhoCorasickKind, BuildError};

pub use self::stream::{Piece, Stream};
use crate::secret::Secret;

/// What stands in a secret's place.
pub const REPLACEMENT: &str = "********";

/// Secrets of such a size that no search for them can be made.
#[derive(Debug, thiserror::Error)]
#[error("the job's secrets are too large to be kept out of its output")]
pub struct TooLarge(#[source] BuildError);

/// Replaces secrets, in each of their forms, by [`REPLACEMENT`]. The default has none and changes nothing.
#[derive(Default)]
pub struct Redactor {
    /// Every form of every secret, sorted by their bytes.
    forms: Vec<Secret>,
    longest: usize,
    search: Option<AhoCorasick>,
}

impl Redactor {
    /// Prepares for secrets; one of less than `MIN_SECRET_BYTES` is passed over.
    ///
    /// # Errors
    /// [`TooLarge`]: the secrets have gigabytes.
    pub fn new(secrets: &[Secret]) -> Result<Self, TooLarge> {
        let forms: Vec<Secret> = forms::of(secrets).into_iter().map(Secret::new).collect();
        if forms.is_empty() {
            return Ok(Self::default());
        }
        let patterns = forms.iter().map(Secret::expose);
        // the other automatons take many times the memory for a key of some kilobytes
        let kind = Some(AhoCorasickKind::ContiguousNFA);
        let search = AhoCorasick::builder().kind(kind).build(patterns).map_err(TooLarge)?;
        Ok(Self {
            longest: search.max_pattern_len(),
            forms,
            search: Some(search),
        })
    }

    /// Tells whether there is nothing to replace.
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

    /// Redacts bytes that are whole; borrows them if nothing is to be changed.
    #[must_use]
    pub fn bytes<'a>(&self, bytes: &'a [u8]) -> Cow<'a, [u8]> {
        let spans = self.spans(bytes);
        if spans.is_empty() {
            return Cow::Borrowed(bytes);
        }
        let mut redacted = Vec::with_capacity(bytes.len());
        let mut at = 0;
        for span in spans {
            redacted.extend_from_slice(&bytes[at..span.start]);
            redacted.extend_from_slice(REPLACEMENT.as_bytes());
            at = span.end;
        }
        redacted.extend_from_slice(&bytes[at..]);
        Cow::Owned(redacted)
    }

    /// Redacts every string of a JSON text, keys too, and touches nothing else; numbers stay as they are.
    #[must_use]
    pub fn json(&self, json: &[u8]) -> Vec<u8> {
        if self.is_empty() {
            return json.to_vec();
        }
        json::redact(self, json)
    }

    /// Finds what is to be replaced, in order. Forms that overlap are one: half a secret would be left of the second.
    fn spans(&self, bytes: &[u8]) -> Vec<Range<usize>> {
        let Some(search) = &self.search else { return Vec::new() };
        let mut found: Vec<_> = search.find_overlapping_iter(bytes).map(|found| found.range()).collect();
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

    /// Counts the bytes at the end that a form may begin with.
    fn undecided(&self, bytes: &[u8]) -> usize {
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

impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Redactor")
    }
}

#[cfg(test)]
mod tests;
