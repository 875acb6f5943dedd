//! The objects of an attempt in the bucket, and the pieces of them that make up a range of a stream.

use std::ops::Range;

use callboard_core::base::store_error::StoreError;
use callboard_core::output::{Manifest, SegmentHead, Stream};

use crate::log_store::key::Object;

/// The objects of an attempt.
#[derive(Clone, Debug, Default)]
pub(super) struct Listing {
    /// The segments in the order in which they were written.
    segments: Vec<SegmentHead>,
    /// The sizes of the streams that also exist in one piece.
    whole: [Option<u64>; Stream::ALL.len()],
    sealed: bool,
}

/// A range of an object.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Piece {
    pub(super) object: Object,
    pub(super) range: Range<u64>,
}

impl Listing {
    /// Adds an object.
    pub(super) fn add(&mut self, object: Object, size: u64) {
        match object {
            Object::Segment(segment) => self.segments.push(segment),
            Object::Whole(stream) => self.whole[stream as usize] = Some(size),
            Object::Manifest => self.sealed = true,
        }
    }

    /// Returns whether the attempt is sealed, so that nothing will be added.
    pub(super) fn is_sealed(&self) -> bool {
        self.sealed
    }

    /// Returns the segments.
    pub(super) fn heads(&self) -> &[SegmentHead] {
        &self.segments
    }

    /// Removes the segments that a worker that had lost its job wrote after the attempt was sealed.
    pub(super) fn cut(&mut self, manifest: &Manifest) {
        self.segments.retain(|head| head.number <= manifest.segments);
    }

    /// Returns whether the listing has everything that a manifest counts.
    pub(super) fn is_all_of(&self, manifest: &Manifest) -> bool {
        self.segments.len() as u64 == manifest.segments
            && self.size(Stream::Stdout) == manifest.stdout_bytes
            && self.size(Stream::Events) == manifest.events_bytes
    }

    /// Returns the size of a stream in bytes.
    pub(super) fn size(&self, stream: Stream) -> u64 {
        let ends = self.segments.iter().map(|segment| segment.range(stream).end);
        ends.max().unwrap_or(0)
    }

    /// Returns how many segments hold part of a stream.
    pub(super) fn segments(&self, stream: Stream) -> usize {
        let ranges = self.segments.iter().map(|segment| segment.range(stream));
        ranges.filter(|range| !range.is_empty()).count()
    }

    /// Returns whether a stream exists in one piece.
    pub(super) fn has_whole(&self, stream: Stream) -> bool {
        self.whole[stream as usize] == Some(self.size(stream))
    }

    /// Returns whether a segment exists.
    pub(super) fn has(&self, head: &SegmentHead) -> bool {
        self.segments.contains(head)
    }

    /// Returns whether a segment is the next one.
    pub(super) fn is_next(&self, head: &SegmentHead) -> bool {
        match self.segments.last() {
            Some(last) => head.number == last.number + 1 && head.follows(last.ends()),
            None => head.number == 1 && head.follows([0; Stream::ALL.len()]),
        }
    }

    /// Returns the pieces of a range of a stream, in order; the part of the range beyond the stream's end is left out.
    pub(super) fn locate(&self, stream: Stream, range: &Range<u64>) -> Result<Vec<Piece>, StoreError> {
        let range = range.start..range.end.min(self.size(stream));
        if range.is_empty() {
            return Ok(Vec::new());
        }
        if self.has_whole(stream) {
            let object = Object::Whole(stream);
            return Ok(vec![Piece { object, range }]);
        }
        self.locate_in_segments(stream, &range)
    }

    fn locate_in_segments(&self, stream: Stream, range: &Range<u64>) -> Result<Vec<Piece>, StoreError> {
        let mut pieces = Vec::new();
        let mut next = range.start;
        for segment in &self.segments {
            let has = segment.range(stream);
            if has.contains(&next) {
                let found = next..has.end.min(range.end);
                next = found.end;
                pieces.push(Piece {
                    object: Object::Segment(*segment),
                    range: segment.locate(stream, &found),
                });
            }
            if next == range.end {
                return Ok(pieces);
            }
        }
        Err(StoreError::Corrupt(
            format!("a segment is missing: {stream:?} has nothing at {next}").into(),
        ))
    }
}
