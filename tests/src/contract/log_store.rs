//! What every [`LogStore`](callboard_core::ports::LogStore) must do.

mod attempts;
mod streams;

pub use attempts::*;
pub use streams::*;

/// Expands into one test per behaviour; `$make` makes an empty store and what must outlive it.
#[macro_export]
macro_rules! log_store_contract {
    ($make:path) => {
        $crate::contract_tests! { $make, log_store, [
            what_is_appended_is_read,
            a_stream_that_was_never_written_is_empty,
            what_lies_beyond_the_end_is_left_out,
            appending_the_same_again_changes_nothing,
            a_gap_is_refused,
            a_stream_can_be_read_while_it_grows,
            a_large_stream_reads_back_by_ranges,
            streams_attempts_and_jobs_are_separate,
            an_attempt_is_sealed_with_its_manifest,
            removing_a_job_forgets_all_of_it,
        ] }
    };
}
