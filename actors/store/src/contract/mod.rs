//! One suite that every store passes.
//!
//! Each check gets a store that is open and empty. [`store_contract!`](crate::store_contract) makes a test of each.

mod back;
mod cut;
mod files;
mod hand;
mod inputs;
mod ledger;
mod lists;
mod outbox;
mod pairing;
mod people;
mod rules;
mod sessions;
mod signin;
mod tools;
mod turns;

pub use back::*;
pub use cut::*;
pub use files::*;
pub use hand::Hand;
pub use inputs::*;
pub use ledger::*;
pub use lists::*;
pub use outbox::*;
pub use pairing::*;
pub use people::*;
pub use rules::*;
pub use sessions::*;
pub use signin::*;
pub use tools::*;
pub use turns::*;

/// Makes a module of tests, one per check, each with a store of its own from `$open`: an expression that answers a
/// future of a store and of whatever must live as long as it.
#[macro_export]
macro_rules! store_contract {
    ($module:ident, $open:expr) => {
        $crate::store_contract!(@tests $module, $open,
            an_input_is_stored_once
            a_repeat_with_another_body_is_a_conflict
            a_key_is_forgotten_after_its_time
            an_input_joins_an_open_turn_under_a_key_of_its_own
            an_input_joins_no_turn_that_has_ended
            an_answer_is_refused_while_there_is_input_that_it_has_not_seen
            a_step_is_stored_with_its_place_and_its_price
            what_a_cancelled_turn_had_spent_stays_spent
            a_waiting_turn_remembers_that_it_collects
            a_turn_is_told_in_order
            a_turn_ends_once
            an_end_starts_the_next_turn
            a_waiting_turn_can_be_cancelled
            a_waiting_turn_is_started_where_nothing_runs
            a_restarted_turn_keeps_its_count
            what_a_rule_decided_for_a_turn_is_known_for_all_its_attempts
            an_old_epoch_changes_nothing
            a_bad_write_costs_only_itself
            a_dropped_commit_is_carried_out
            sessions_come_newest_change_first
            sessions_that_are_put_away_are_listed_apart
            a_search_finds_titles_and_the_newest_messages
            pages_of_sessions_are_complete_while_others_are_made
            pages_of_messages_are_complete_while_others_are_written
            the_newest_messages_are_read_from_behind
            a_foreign_cursor_is_refused
            a_cursor_at_the_end_of_time_is_only_a_position
            what_holds_a_nul_is_stored_as_it_is_told
            events_are_read_after_a_position
            a_snapshot_holds_what_is_open_and_what_was_said
            many_snapshots_at_once_are_those_of_each_session
            context_is_cut_at_whole_turns
            a_long_context_is_read_whole_and_in_order
            sessions_with_open_turns_are_found
            an_input_takes_the_place_of_another_and_of_all_after_it
            what_is_no_input_of_the_dialogue_cannot_be_replaced
            an_input_in_the_middle_of_a_turn_takes_the_rest_of_it_along
            a_fork_has_the_transcript_up_to_its_message_and_goes_on_by_itself
            a_fork_of_what_runs_has_it_cancelled
            what_was_said_before_an_answer_was_cut_short_is_kept_with_a_mark
            an_input_that_came_too_late_for_an_answer_stands_before_what_there_is_of_it
            an_answer_that_was_cut_short_is_replaced_and_taken_over_like_any_other
            a_nul_in_what_was_cut_short_spoils_nothing
            files_are_stored_once_with_their_message
            files_count_as_a_part_of_the_context
            a_fork_keeps_the_files_and_a_removed_session_takes_its_own_along
            a_fork_takes_over_so_much_and_no_more
            what_tools_said_stands_behind_what_asked_for_them_in_the_order_of_the_calls
            a_call_that_was_cut_off_is_answered_with_the_new_beginning_of_its_turn
            a_turn_that_ends_leaves_no_call_without_a_result
            a_fork_keeps_the_calls_of_its_part_and_their_results
            a_session_is_made_changed_and_removed
            a_removed_session_frees_its_keys
            what_was_spent_is_summed_by_day_agent_model_and_session
            what_was_spent_beside_an_answer_is_in_the_sums_once_and_is_no_turn
            an_estimate_gives_way_to_what_is_known_and_nothing_else_does
            a_part_is_stored_with_its_price_and_known_until_its_step_ends
            pages_of_sums_are_complete
            absurd_counts_do_not_spoil_the_sum
            people_and_tokens_are_kept
            a_name_is_one_persons_whatever_the_case_of_its_letters
            a_removed_person_leaves_their_sessions_to_the_heir_and_nothing_that_lets_them_in
            the_last_owner_stays
            what_was_made_for_a_person_can_do_no_more_than_they
            what_was_done_is_kept_with_it_and_only_where_it_was_done
            whoever_speaks_as_a_user_is_a_stranger_once_that_one_is_gone
            an_owner_is_shown_the_sessions_of_platforms_beside_their_own
            rules_of_people_are_kept_in_their_order
            a_link_signs_one_browser_in_once
            a_newer_link_voids_the_older_one
            a_stranger_waits_until_somebody_lets_them_in_or_their_code_expires
            three_strangers_of_a_channel_wait_and_no_more
            what_a_channel_keeps_is_found_again
            a_browser_ends_with_its_token_and_by_itself
            an_end_leaves_an_item_for_each_conversation_that_its_inputs_came_from
            an_open_turn_knows_that_it_delivers
            items_of_a_conversation_go_out_one_after_the_other
            an_item_is_settled_once_and_by_its_holder_only
            what_was_put_back_is_due_at_its_moment_whatever_the_clock_does
            a_long_text_goes_out_in_parts
            who_waited_longest_is_taken_first
            a_channel_is_taken_from_by_itself
            what_waits_behind_a_removed_session_goes_on
            a_preview_is_kept_and_becomes_the_end
            what_a_conversation_was_told_by_is_known_the_newest_first
            what_ended_long_ago_is_removed_and_counted_while_it_is_there
            a_conversation_finds_its_session_or_makes_one
            a_store_says_that_it_can_be_written
        );
    };
    (@tests $module:ident, $open:expr, $($check:ident)+) => {
        mod $module {
            use super::*;
            $(
                #[tokio::test]
                async fn $check() {
                    let (store, _alive) = $open.await;
                    $crate::contract::$check(store).await;
                }
            )+
        }
    };
}
