//! The whole runtime under a seed: people, models, a store and chaos on one thread and a paused clock.
//!
//! A failure names its seed; `cargo run --release -p mosaic-runtime --example simulate -- --from SEED --seeds 1 --trace`
//! shows that run line by line.

mod delivery;
mod world;

use std::sync::Arc;

use mosaic_store::Store;
use mosaic_types::Clock;
use world::World;
use world::plan::Plan;
use world::run::replayed;
use world::store::MemoryStore;
use world::tally::Tally;

/// Seeds of [`Plan::plain`] that once went wrong, with what they found.
const PLAIN: &[(u64, &str)] = &[
    (0, "a reader that left stayed in the hub for ever"),
    (7, "two writes of a session overtook each other, and its readers were told of the second first"),
    (9, "an end that was stored while its session died was announced to nobody"),
    (12, "a session that was stopped with open turns slept until the next message"),
    (16, "a session that was stopped and woken again did not tell its readers to look into the journal"),
];

/// Seeds of [`Plan::of`] that once went wrong, with what they found.
const PINNED: &[(u64, &str)] = &[
    (219, "an input that was to make a turn was a repeat; two others joined that turn again and again, for ever"),
    (507, "the same, in another order"),
    (426, "a run that began to speak after its session was removed stayed in the hub for ever"),
    (232, "what a turn had spent was in no ledger, since the store refused its restart for good"),
    (2784, "the same, since the store refused its answer"),
    (495, "a call was made though its entry could not be written before it, and its process died"),
    (380, "no fault of Mosaic's: faults never ended where the process ended by its own budget again and again"),
];

async fn memory() -> (Arc<dyn Store>, ()) {
    (Arc::new(MemoryStore::new(Default::default(), None)), ())
}

// What of a store's contract the runtime rests on.
mosaic_store::store_contract!(@tests in_memory, memory(),
    an_input_is_stored_once
    a_repeat_with_another_body_is_a_conflict
    a_key_is_forgotten_after_its_time
    a_turn_is_told_in_order
    a_turn_ends_once
    an_end_starts_the_next_turn
    a_waiting_turn_can_be_cancelled
    a_waiting_turn_is_started_where_nothing_runs
    a_restarted_turn_keeps_its_count
    an_old_epoch_changes_nothing
    a_bad_write_costs_only_itself
    a_dropped_commit_is_carried_out
    events_are_read_after_a_position
    a_snapshot_holds_what_is_open_and_what_was_said
    context_is_cut_at_whole_turns
    sessions_with_open_turns_are_found
    a_session_is_made_changed_and_removed
    an_input_that_came_too_late_for_an_answer_stands_before_what_there_is_of_it
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
    what_ended_long_ago_is_removed_and_counted_while_it_is_there
    a_conversation_finds_its_session_or_makes_one
    a_store_says_that_it_can_be_written
);

/// Runs seeds, each of them twice, and answers what happened in all of them.
fn run(plans: impl IntoIterator<Item = Plan>) -> Tally {
    let mut tally = Tally::default();
    for plan in plans {
        match replayed(&plan) {
            Ok(ran) => tally.merge(&ran.tally),
            Err(broken) => panic!("{broken}\nreplay: {}", replay(plan.seed)),
        }
    }
    tally
}

fn replay(seed: u64) -> String {
    format!("cargo run --release -p mosaic-runtime --example simulate -- --from {seed} --seeds 1 --trace")
}

/// What did not happen proves nothing.
fn happened(tally: &Tally, what: &[&str]) {
    let missing: Vec<_> = what.iter().filter(|what| tally.of(what) == 0).collect();
    assert!(missing.is_empty(), "never happened: {missing:?}\n{tally}");
}

#[test]
fn whatever_happens_every_accepted_turn_ends_once_in_order_and_nothing_is_left_behind() {
    let tally = run((0..200).map(Plan::of));
    happened(
        &tally,
        &[
            "ends: killed",
            "ends: drained",
            "ends: the root's budget was spent",
            "store: batches done as the process died",
            "store: batches refused",
            "store: batches of which nobody learns",
            "store: reads that failed",
            "store: slow batches",
            "kills: panics of sessions",
            "kills: panics of agents",
            "kills: panics of providers",
            "kills: panics of the root's children",
            "kills: orders to stop",
            "models: panics of a call",
            "models: panics in mid-stream",
            "models: silent from the beginning",
            "models: silent in mid-stream",
            "models: answers cut off",
            "models: errors in mid-stream",
            "models: refusals",
            "models: told what was left of an answer",
            "clock: jumps",
            "people: messages said again",
            "people: turns cancelled",
            "people: old messages said again",
            "people: sessions removed",
            "people: messages to a session that was removed",
            "turns: of several inputs",
            "turns: of several steps",
            "turns: removed while they had several inputs",
            "refusals: unavailable",
            "refusals: storage",
            "refusals: draining",
            "refusals: another message under a known key",
            "turns: finished",
            "turns: failed",
            "turns: cancelled",
            "turns: given up after three deaths",
        ],
    );
}

#[test]
fn whatever_happens_every_tool_call_has_one_result_and_runs_again_only_where_it_may() {
    let tally = run((0..80).map(Plan::with_tools));
    happened(
        &tally,
        &[
            "ends: killed",
            "tools: calls that went well",
            "tools: calls that failed",
            "tools: calls that hang",
            "tools: panics",
            "tools: calls that ran again",
            "models: answers that ask for tools",
            "people: turns cancelled",
            "turns: of several steps",
            "turns: finished",
        ],
    );
}

#[test]
fn whatever_dies_every_answer_is_seen_once_on_its_platform_or_accounted_for() {
    let mut counts = std::collections::BTreeMap::<&str, u64>::new();
    for seed in 0..100 {
        let shown = world::deliveries::run(seed).unwrap_or_else(|wrong| panic!("{wrong}"));
        assert_eq!(world::deliveries::run(seed).as_ref(), Ok(&shown), "seed {seed} ran otherwise the second time");
        shown.counts.into_iter().for_each(|(what, times)| *counts.entry(what).or_default() += times);
    }
    assert!(["sent", "unknown", "dead"].iter().all(|what| counts.contains_key(what)), "{counts:?}");
    assert!(counts["lives"] > 200, "{counts:?}");
}

#[test]
fn seeds_that_found_a_mistake_stay_good() {
    run(PINNED.iter().map(|(seed, _)| Plan::of(*seed)));
    run(PLAIN.iter().map(|(seed, _)| Plan::plain(*seed)));
}

#[test]
fn under_one_kill_a_second_every_turn_ends_and_every_depth_returns_to_zero() {
    let tally = run([Plan::chaos(1, 3)]);
    happened(&tally, &["kills: panics of sessions", "kills: panics of agents", "kills: panics of providers"]);
    assert!(tally.of("turns: finished") > 500, "{tally}");
}

#[test]
fn hours_of_mixed_traffic_with_faults_end_with_nothing_left() {
    let tally = run([Plan::hours(1, 1)]);
    happened(&tally, &["clock: jumps", "kills: panics of sessions", "store: batches refused"]);
    assert!(tally.of("lives of the process") > 1, "{tally}");
    assert!(tally.of("turns: finished") > 1_000, "{tally}");
}

#[test]
fn whoever_goes_round_in_circles_is_found_though_no_time_goes_by() {
    let world = World::new(Plan::of(0), false);
    let rounds = (0..1_000_000).take_while(|_| {
        world.now();
        !world.is_broken()
    });
    assert!(rounds.count() < 1_000_000, "there is a bound");
    let (broken, ..) = world.verdict();
    assert!(broken.is_some_and(|what| what.starts_with("I10")));
}
