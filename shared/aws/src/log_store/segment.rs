//! What one append writes: one object, whose name says what is in it.
//!
//! A name has the position, which is where the streams stood in all, as 16 digits, so that names sort as they were
//! written; then where each stream's part starts and how long it is: `POSITION-START.LENGTH-START.LENGTH-START.LENGTH`,
//! in the order of [`Stream::ALL`], all in hex. The parts stand in the object in that order.

use std::fmt;
use std::ops::Range;

use bytes::Bytes;
use callboard_core::ports::{Chunk, Stream};

/// Where a segment's parts belong.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Segment([Part; Stream::ALL.len()]);

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
struct Part {
    start: u64,
    length: u64,
}

impl Segment {
    /// Places chunks behind what the streams have; a stream without a chunk has an empty part at its end.
    pub(super) fn new(chunks: &[Chunk], size: impl Fn(Stream) -> u64) -> Self {
        Self(Stream::ALL.map(|stream| match of(chunks, stream) {
            Some(chunk) => Part {
                start: chunk.offset,
                length: chunk.bytes.len() as u64,
            },
            None => Part {
                start: size(stream),
                length: 0,
            },
        }))
    }

    /// Returns the object that holds chunks.
    pub(super) fn content(chunks: &[Chunk]) -> Bytes {
        let ordered = Stream::ALL.into_iter().filter_map(|stream| of(chunks, stream));
        let parts: Vec<&[u8]> = ordered.map(|chunk| &chunk.bytes[..]).collect();
        parts.concat().into()
    }

    /// Reads a name.
    pub(super) fn parse(name: &str) -> Option<Self> {
        let mut fields = name.split('-');
        let position = hex(fields.next()?)?;
        let mut part = || {
            let (start, length) = fields.next()?.split_once('.')?;
            let (start, length) = (hex(start)?, hex(length)?);
            start.checked_add(length).map(|_end| Part { start, length })
        };
        let segment = Self([part()?, part()?, part()?]);
        (fields.next().is_none() && segment.position() == position).then_some(segment)
    }

    /// Returns the range of a stream that the segment has.
    pub(super) fn range(&self, stream: Stream) -> Range<u64> {
        let part = self.0[stream as usize];
        part.start..part.start + part.length
    }

    /// Returns where a range of a stream, all of which the segment has, is in the object.
    pub(super) fn locate(&self, stream: Stream, range: &Range<u64>) -> Range<u64> {
        let before: u64 = self.0[..stream as usize].iter().map(|part| part.length).sum();
        let start = before + range.start - self.0[stream as usize].start;
        start..start + range.end - range.start
    }

    fn position(&self) -> u64 {
        self.0.iter().fold(0, |sum, part| part.start.saturating_add(sum))
    }
}

impl fmt::Display for Segment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.position())?;
        self.0
            .iter()
            .try_for_each(|part| write!(f, "-{:x}.{:x}", part.start, part.length))
    }
}

fn of(chunks: &[Chunk], stream: Stream) -> Option<&Chunk> {
    chunks.iter().find(|chunk| chunk.stream == stream)
}

fn hex(text: &str) -> Option<u64> {
    u64::from_str_radix(text, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_where_each_part_belongs_and_is() {
        let chunk = |stream, offset, text: &'static str| Chunk {
            stream,
            offset,
            bytes: text.into(),
        };
        let chunks = [
            chunk(Stream::EventIndex, 8, "12345678"),
            chunk(Stream::Stdout, 4096, "abc"),
        ];
        let segment = Segment::new(&chunks, |_| 0x20);
        assert_eq!(segment.to_string(), "0000000000001028-1000.3-20.0-8.8");
        assert_eq!(Segment::content(&chunks), "abc12345678");
        assert_eq!(segment.range(Stream::EventIndex), 8..16);
        assert_eq!(segment.locate(Stream::EventIndex, &(9..12)), 4..7);
    }

    #[test]
    fn only_a_name_of_its_own_is_read_as_one() {
        let name = "0000000000001028-1000.3-20.0-8.8";
        assert_eq!(
            Segment::parse(name).map(|segment| segment.to_string()).as_deref(),
            Some(name)
        );
        for other in [
            "",
            "stdout",
            "0000000000001028-1000.3-20.0",
            "0000000000001028-1000.3-20.0-8.8-0.0",
            "0000000000001029-1000.3-20.0-8.8",
            "0000000000001028-1000.3-20-8.8",
            "ffffffffffffffff-ffffffffffffffff.1-0.0-0.0",
        ] {
            assert_eq!(Segment::parse(other), None, "{other}");
        }
    }
}
