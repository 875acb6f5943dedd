//! The behaviour of every [`LogStore`].

mod attempts;
mod streams;

pub use attempts::*;
pub use streams::*;

use callboard_core::base::store_error::StoreError;
use callboard_core::output::{LogKey, LogStore, Segment};

/// Expands into one test per behaviour; `$make` returns an empty store and whatever must outlive it.
#[macro_export]
macro_rules! log_store_contract {
    ($make:path) => {
        $crate::contract_tests! { $make, log_store, [
            what_is_appended_is_read,
            a_stream_that_was_never_written_is_empty,
            what_lies_beyond_the_end_is_left_out,
            the_end_of_a_stream_comes_with_its_size,
            appending_the_same_again_changes_nothing,
            a_gap_is_refused,
            a_stream_can_be_read_while_it_grows,
            a_large_stream_reads_back_by_ranges,
            one_append_grows_several_streams,
            a_gap_in_one_stream_refuses_the_whole_append,
            streams_attempts_and_jobs_are_separate,
            an_attempt_is_sealed_with_its_manifest,
            a_sealed_attempt_grows_no_more,
            another_segment_under_a_number_is_refused,
            segments_are_listed_as_they_were_written,
            little_output_needs_no_url,
            removing_a_job_forgets_all_of_it,
        ] }
    };
}

/// Makes the segments of one attempt, one after another.
#[derive(Clone, Debug, Default)]
pub struct Writer {
    number: u64,
    ends: [u64; 3],
}

impl Writer {
    /// Makes the next segment.
    pub fn next(&mut self, parts: [&[u8]; 3]) -> Segment {
        self.number += 1;
        let segment = Segment::new(self.number, self.ends, parts);
        self.ends = segment.head.ends();
        segment
    }
}

/// Makes the first segment of an attempt, with some output.
#[must_use]
pub fn first(printed: &str) -> Segment {
    Writer::default().next([printed.as_bytes(), b"", b""])
}

/// Appends to one stream at an offset, with the segment after the last one; or with the number of the segment that has already
/// written this range.
///
/// # Errors
/// As for [`LogStore::append`].
pub async fn append(
    store: &dyn LogStore,
    key: LogKey,
    offset: u64,
    bytes: impl AsRef<[u8]> + Send,
) -> Result<(), StoreError> {
    let bytes = bytes.as_ref();
    let heads = store.segments(key.job, key.attempt).await?;
    let range = offset..offset + bytes.len() as u64;
    let again = heads.iter().position(|head| head.range(key.stream) == range);
    let before = &heads[..again.unwrap_or(heads.len())];
    let mut ends = before.last().map_or([0; 3], |head| head.ends());
    ends[key.stream as usize] = offset;
    let mut parts: [&[u8]; 3] = [b"", b"", b""];
    parts[key.stream as usize] = bytes;
    let segment = Segment::new(before.len() as u64 + 1, ends, parts);
    store.append(key.job, key.attempt, &segment).await
}
