//! The index of events: where each event ends in the stream of events, 8 bytes each, little-endian.

use std::ops::Range;

const ENTRY_BYTES: u64 = 8;

/// The index goes back, which no event does.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the index of the events goes back")]
pub struct Unsorted;

/// Writes where an event ends.
pub(super) fn entry(end: u64) -> [u8; 8] {
    end.to_le_bytes()
}

/// Returns how many events an index of so many bytes has.
#[must_use]
pub fn count(bytes: u64) -> u64 {
    bytes / ENTRY_BYTES
}

/// Returns the entries that are whole: what was being written when a machine stopped is not.
#[must_use]
pub fn whole(part: &[u8]) -> &[u8] {
    part.as_chunks::<8>().0.as_flattened()
}

/// Returns where the last event ends that a part of the index tells of; 0 if it tells of none.
#[must_use]
pub fn end(part: &[u8]) -> u64 {
    part.last_chunk().map_or(0, |end| u64::from_le_bytes(*end))
}

/// Returns the part of the index that tells where the events after one, up to another, begin and end.
#[must_use]
pub fn range(after: u64, last: u64) -> Range<u64> {
    after.saturating_sub(1) * ENTRY_BYTES..last.max(after) * ENTRY_BYTES
}

/// Reads that part: where the first of these events begins, and where each of them ends.
///
/// # Errors
/// The index is damaged.
pub fn bounds(part: &[u8], after: u64) -> Result<Vec<u64>, Unsorted> {
    let ends = part.as_chunks().0.iter().map(|bytes| u64::from_le_bytes(*bytes));
    let bounds: Vec<u64> = (after == 0).then_some(0).into_iter().chain(ends).collect();
    if bounds.is_sorted() { Ok(bounds) } else { Err(Unsorted) }
}
