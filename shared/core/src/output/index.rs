//! The index of events: where each event ends in the event stream, in 8 bytes each, little-endian.

use std::ops::Range;

const ENTRY_BYTES: u64 = 8;

/// The index goes backwards, which events never do.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the index of the events is not in ascending order")]
pub struct Unsorted;

/// Returns the index entry of an event that ends at `end`.
pub(super) fn entry(end: u64) -> [u8; 8] {
    end.to_le_bytes()
}

/// Returns how many events an index of `bytes` bytes has.
#[must_use]
pub fn count(bytes: u64) -> u64 {
    bytes / ENTRY_BYTES
}

/// Returns the complete entries. An entry that was being written when a machine stopped is not complete.
#[must_use]
pub fn whole(part: &[u8]) -> &[u8] {
    part.as_chunks::<8>().0.as_flattened()
}

/// Returns where the last event in a part of the index ends; 0 if the part has no events.
#[must_use]
pub fn end(part: &[u8]) -> u64 {
    part.last_chunk().map_or(0, |end| u64::from_le_bytes(*end))
}

/// Returns the part of the index that says where the events after `after`, up to `last`, begin and end.
#[must_use]
pub fn range(after: u64, last: u64) -> Range<u64> {
    after.saturating_sub(1) * ENTRY_BYTES..last.max(after) * ENTRY_BYTES
}

/// Reads that part: returns where the first of these events begins, and where each of them ends.
///
/// # Errors
/// The index is damaged.
pub fn bounds(part: &[u8], after: u64) -> Result<Vec<u64>, Unsorted> {
    let ends = part.as_chunks().0.iter().map(|bytes| u64::from_le_bytes(*bytes));
    let bounds: Vec<u64> = (after == 0).then_some(0).into_iter().chain(ends).collect();
    if bounds.is_sorted() { Ok(bounds) } else { Err(Unsorted) }
}
