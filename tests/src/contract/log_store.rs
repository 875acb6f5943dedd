//! What every [`LogStore`] must do.

mod attempts;
mod streams;

pub use attempts::*;
pub use streams::*;

use bytes::Bytes;
use callboard_core::ports::{Chunk, LogKey, LogStore, StoreError};

/// Expands into one test per behaviour; `$make` makes an empty store and what must outlive it.
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
            little_output_needs_no_url,
            removing_a_job_forgets_all_of_it,
        ] }
    };
}

/// Grows one stream.
///
/// # Errors
/// As for [`LogStore::append`].
pub async fn append(
    store: &dyn LogStore,
    key: LogKey,
    offset: u64,
    bytes: impl AsRef<[u8]> + Send,
) -> Result<(), StoreError> {
    let chunk = Chunk {
        stream: key.stream,
        offset,
        bytes: Bytes::copy_from_slice(bytes.as_ref()),
    };
    store.append(key.job, key.attempt, &[chunk]).await
}
