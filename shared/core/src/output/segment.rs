//! Segments: the pieces that an attempt's output is written in, numbered from 1, each with the hash of its content.

use std::fmt;
use std::ops::Range;

use bytes::Bytes;
use sha2::{Digest, Sha256};

use super::stream::Stream;
use crate::base::hex::{from_hex, hex};

const STREAMS: usize = Stream::ALL.len();

/// A segment without its content. Its name is `NUMBER-START.LENGTH-START.LENGTH-START.LENGTH-SHA256`: the number in 8 digits,
/// so that names sort in the order in which they were written; where each stream's part starts and how long it is, in bytes,
/// in the order of [`Stream::ALL`]; and the SHA-256 of the parts one after the other, in hex.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SegmentHead {
    /// Its place among the attempt's segments, from 1.
    pub number: u64,
    parts: [Part; STREAMS],
    sha256: [u8; 32],
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
struct Part {
    start: u64,
    length: u64,
}

/// A segment and its content: the parts of each stream, one after the other.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Segment {
    /// The segment without its content.
    pub head: SegmentHead,
    /// The content.
    pub content: Bytes,
}

impl Segment {
    /// Makes the next segment of the streams: `ends` are their sizes before it, `parts` the bytes they grow by.
    #[must_use]
    pub fn new(number: u64, ends: [u64; STREAMS], parts: [&[u8]; STREAMS]) -> Self {
        let mut placed = [Part::default(); STREAMS];
        for (place, (start, part)) in placed.iter_mut().zip(ends.into_iter().zip(parts)) {
            let length = part.len() as u64;
            *place = Part { start, length };
        }
        let content: Bytes = parts.concat().into();
        let head = SegmentHead {
            number,
            parts: placed,
            sha256: Sha256::digest(&content).into(),
        };
        Self { head, content }
    }

    /// Returns the bytes that a stream grows by.
    #[must_use]
    pub fn part(&self, stream: Stream) -> Bytes {
        let range = self.head.locate(stream, &self.head.range(stream));
        let index = |at: u64| usize::try_from(at).unwrap_or(usize::MAX);
        self.content.slice(index(range.start)..index(range.end))
    }
}

impl SegmentHead {
    /// Parses a name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        let mut fields = name.split('-');
        let number = fields.next().filter(|text| text.len() >= 8)?.parse().ok()?;
        let mut part = || {
            let (start, length) = fields.next()?.split_once('.')?;
            let (start, length): (u64, u64) = (start.parse().ok()?, length.parse().ok()?);
            start.checked_add(length).map(|_end| Part { start, length })
        };
        let parts = [part()?, part()?, part()?];
        let sha256 = from_hex(fields.next()?)?;
        let head = Self { number, parts, sha256 };
        (fields.next().is_none() && head.to_string() == name).then_some(head)
    }

    /// Returns the range of a stream that the segment contains.
    #[must_use]
    pub fn range(&self, stream: Stream) -> Range<u64> {
        let part = self.parts[stream as usize];
        part.start..part.start + part.length
    }

    /// Returns where the streams end after the segment.
    #[must_use]
    pub fn ends(&self) -> [u64; STREAMS] {
        self.parts.map(|part| part.start + part.length)
    }

    /// Returns where in the content a range of a stream is. The segment must contain the whole range.
    #[must_use]
    pub fn locate(&self, stream: Stream, range: &Range<u64>) -> Range<u64> {
        let before: u64 = self.parts[..stream as usize].iter().map(|part| part.length).sum();
        let start = before + range.start - self.parts[stream as usize].start;
        start..start + range.end - range.start
    }

    /// Returns whether the segment continues streams of these sizes.
    #[must_use]
    pub fn follows(&self, ends: [u64; STREAMS]) -> bool {
        self.parts.iter().zip(ends).all(|(part, end)| part.start == end)
    }

    /// Returns the length of the content in bytes.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.parts.iter().map(|part| part.length).sum()
    }

    /// Returns whether bytes are the segment's content.
    #[must_use]
    pub fn is_of(&self, content: &[u8]) -> bool {
        self.length() == content.len() as u64 && Sha256::digest(content)[..] == self.sha256
    }
}

impl fmt::Display for SegmentHead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08}", self.number)?;
        for part in self.parts {
            write!(f, "-{}.{}", part.start, part.length)?;
        }
        write!(f, "-{}", hex(&self.sha256))
    }
}

/// Hashes the names of an attempt's segments, one per line. The manifest holds this hash.
#[derive(Clone, Debug, Default)]
pub struct Chain(Sha256);

impl Chain {
    /// Adds the next segment.
    pub fn add(&mut self, head: &SegmentHead) {
        self.0.update(format!("{head}\n"));
    }

    /// Returns the hash of all added segments, in hex.
    #[must_use]
    pub fn sha256(&self) -> String {
        hex(&self.0.clone().finalize())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_where_each_part_belongs_and_is() {
        let segment = Segment::new(7, [4096, 32, 8], [b"abc", b"", b"12345678"]);
        let name = segment.head.to_string();
        assert!(name.starts_with("00000007-4096.3-32.0-8.8-"), "{name}");
        assert_eq!(SegmentHead::parse(&name), Some(segment.head));
        assert_eq!(segment.part(Stream::EventIndex), "12345678");
        assert_eq!(segment.head.locate(Stream::EventIndex, &(9..12)), 4..7);
        assert!(segment.head.is_of(b"abc12345678") && !segment.head.is_of(b"abc12345679"));
    }

    #[test]
    fn only_a_name_of_its_own_is_read_as_one() {
        let name = Segment::new(1, [0, 0, 0], [b"a", b"", b""]).head.to_string();
        for other in [
            String::new(),
            "stdout".to_owned(),
            name.replacen("00000001", "1", 1),
            name.replacen("-0.1", "-0.01", 1),
            name.replacen("-0.1", "-18446744073709551615.1", 1),
            name.to_uppercase(),
            format!("{name}-0.0"),
            name[..name.len() - 1].to_owned(),
        ] {
            assert_eq!(SegmentHead::parse(&other), None, "{other}");
        }
    }
}
