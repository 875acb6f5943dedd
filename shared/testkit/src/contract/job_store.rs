//! The behaviour of every [`JobStore`](callboard_core::job::JobStore).

mod blocked;
mod cancels;
mod claims;
mod detached;
mod endings;
mod lists;
mod pages;
mod races;
mod records;
mod sweeps;
mod variants;

pub use blocked::*;
pub use cancels::*;
pub use claims::*;
pub use detached::*;
pub use endings::*;
pub use lists::*;
pub use pages::*;
pub use races::*;
pub use records::*;
pub use sweeps::*;

/// Expands into one test per behaviour; `$make` returns an empty store and whatever must outlive it.
#[macro_export]
macro_rules! job_store_contract {
    ($make:path) => {
        $crate::contract_tests! { $make, job_store, [
            a_created_job_reads_back_as_it_was,
            every_kind_of_request_survives,
            every_outcome_survives,
            every_state_survives,
            a_refused_job_is_created_ended,
            an_id_is_taken_once,
            an_unknown_job_is_not_found,
            an_expired_job_is_hidden,
            a_job_that_has_not_ended_never_expires,
            a_claim_starts_an_attempt,
            a_job_is_claimed_once,
            one_of_twenty_claims_wins,
            a_renewal_extends_the_lease,
            a_renewal_needs_the_token_that_holds,
            a_renewal_brings_the_cancel_request,
            progress_is_kept_until_there_is_news,
            a_job_ends_once,
            an_end_needs_the_token_that_holds,
            a_released_job_starts_again,
            every_attempt_is_kept_with_its_end,
            a_release_needs_the_token_that_holds,
            a_released_job_that_was_to_stop_is_canceled,
            a_job_that_is_put_back_is_as_if_nobody_had_claimed_it,
            a_job_is_put_back_by_whoever_holds_it,
            a_job_that_is_put_back_and_was_to_stop_is_canceled,
            a_detached_job_runs_and_is_queued_for_the_next_look,
            a_detached_job_is_taken_up_where_it_was_left,
            a_job_is_detached_by_whoever_holds_it,
            a_detached_job_that_is_to_stop_is_due_at_once,
            a_detached_job_does_not_wait_for_its_start,
            a_detached_job_may_start_again,
            one_of_many_takes_up_a_detached_job,
            a_blocked_job_waits_in_the_store,
            a_blocked_job_is_unblocked_once,
            only_a_job_that_is_due_as_it_was_is_blocked,
            a_blocked_job_is_canceled_at_once,
            a_blocked_job_may_be_redriven,
            the_waiting_jobs_of_a_tenant_are_counted,
            jobs_that_somebody_should_look_at_are_counted,
            a_pending_job_is_canceled_at_once,
            a_running_job_is_marked_to_stop_by_the_first_who_asks,
            a_job_that_was_to_stop_may_end_otherwise,
            an_ended_job_is_not_canceled,
            cancel_against_claim_leaves_one_state,
            cancel_against_finish_leaves_one_state,
            cancel_against_release_leaves_it_canceled,
            one_of_many_ends_wins,
            a_record_names_the_jobs_that_repeat_it,
            finish_against_release_leaves_one_state,
            running_jobs_come_with_their_leases,
            running_jobs_are_bounded,
            a_lease_is_seized_once_and_not_if_it_was_renewed,
            due_jobs_are_those_the_queue_was_not_given,
            due_jobs_are_bounded,
            queued_jobs_are_those_that_wait_for_a_worker,
            a_job_that_was_given_up_is_not_due,
            a_job_that_does_not_wait_is_not_due,
            a_job_that_waits_is_abandoned_once,
            a_job_that_was_given_up_is_redriven,
            a_list_is_newest_first_and_tells_what_became_of_each,
            a_list_is_filtered_by_status,
            a_list_is_filtered_by_kind_and_by_what_is_called,
            a_list_shows_one_tenant,
            dead_letters_are_listed_and_wait_like_others,
            an_expired_job_is_not_counted,
            pages_follow_by_offset,
            a_cursor_sees_each_job_once_while_new_ones_come,
            a_cursor_keeps_to_its_filter,
            totals_are_exact_up_to_a_thousand,
            a_walk_past_many_jobs_that_do_not_match_finds_each_that_does,
        ] }
    };
}
