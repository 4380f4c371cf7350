//! Inputs that come while a turn runs, in each mode.

use mosaic_types::Spent;
use mosaic_types::journal::StepTurn;

use super::*;
use crate::session::parts::{Begin, Settle};

/// A session in which turn 1 runs.
fn running() -> SessionState {
    let mut state = empty();
    submit(&mut state, 1);
    assert!(accept(&mut state, 1).1.begin.is_some());
    state
}

/// What the run is given, without the history.
fn texts(begin: &Begin) -> Vec<&str> {
    begin.dialogue.iter().map(|message| &*message.text).collect()
}

fn said(text: &str) -> FinishedTurn {
    let usage = Usage::new(3, 5);
    FinishedTurn { text: text.into(), usage, cost_usd: Some(0.5), ..finished() }
}

fn step(write: Option<Write>) -> Box<StepTurn> {
    match write {
        Some(Write::Step(step)) => step,
        other => panic!("no step: {other:?}"),
    }
}

#[test]
fn inputs_that_collect_make_one_turn_that_starts_when_it_is_left_alone() {
    let mut state = empty();
    assert_eq!(submit_as(&mut state, 1, QueueMode::Collect), (turn(1), Entry::Waits { collects: true }));
    let (accepted, follow) = accept(&mut state, 1);
    assert_eq!((accepted.turn, accepted.state), (turn(1), TurnState::Queued));
    let early = Settle { turn: turn(1), inputs: 1 };
    assert_eq!(follow, Follow { settle: Some(early), ..Follow::default() });
    assert_eq!(submit_as(&mut state, 2, QueueMode::Collect), (turn(1), Entry::Joins));
    let (accepted, follow) = accept(&mut state, 2);
    assert_eq!((accepted.turn, accepted.state), (turn(1), TurnState::Queued));
    assert_eq!(state.settled(early, AT), Follow::default(), "it was not left alone");
    let Some(Write::Start { next, .. }) = state.settled(follow.settle.expect("it waits"), AT).write else {
        panic!("it starts")
    };
    assert_eq!(next.turn, turn(1));
    let begin = state.started(turn(1), AT).begin.expect("it begins");
    assert_eq!(texts(&begin), ["message 1", "message 2"]);
    // What is running collects no more.
    assert_eq!(submit_as(&mut state, 3, QueueMode::Collect), (turn(3), Entry::Waits { collects: true }));
}

#[test]
fn an_input_that_collects_overtakes_nobody_and_holds_up_nobody() {
    let mut state = empty();
    submit_as(&mut state, 1, QueueMode::Collect);
    accept(&mut state, 1);
    submit_as(&mut state, 2, QueueMode::Queue);
    let follow = accept(&mut state, 2).1;
    assert!(matches!(follow.write, Some(Write::Start { next, .. }) if next.turn == turn(1)), "nothing can join it");
    assert_eq!(submit_as(&mut state, 3, QueueMode::Collect).0, turn(3), "not the turn before another's");
    assert_eq!(submit_as(&mut state, 4, QueueMode::Collect), (turn(3), Entry::Joins));
}

#[test]
fn without_a_pause_to_wait_for_an_input_that_collects_starts_at_once() {
    let mut state = SessionState::new(snapshot(Vec::new()), 1, 1_000, false, false);
    assert_eq!(submit_as(&mut state, 1, QueueMode::Collect), (turn(1), Entry::Starts));
    accept(&mut state, 1);
    submit_as(&mut state, 2, QueueMode::Collect);
    assert_eq!(accept(&mut state, 2).1, Follow::default(), "it waits for the end only");
    let Some(Write::End(end)) = state.run_ended(turn(1), 1, Ok(finished()), AT) else { panic!("an end is written") };
    assert_eq!(end.next.map(|next| next.turn), Some(turn(2)));
}

#[test]
fn a_turn_that_collects_is_not_started_by_an_end_before_it_is_left_alone() {
    let mut state = running();
    submit_as(&mut state, 2, QueueMode::Collect);
    let settle = accept(&mut state, 2).1.settle.expect("it waits");
    let Some(Write::End(end)) = state.run_ended(turn(1), 1, Ok(finished()), AT) else { panic!("an end is written") };
    assert_eq!(end.next, None);
    assert_eq!(state.ended(&end.end, None, AT), Follow::default());
    assert!(matches!(state.settled(settle, AT).write, Some(Write::Start { .. })));
}

#[test]
fn a_turn_that_collects_can_be_cancelled_before_it_starts() {
    let mut state = empty();
    submit_as(&mut state, 1, QueueMode::Collect);
    accept(&mut state, 1);
    let Cancel::Now(end) = state.cancel(None, AT) else { panic!("it ends") };
    assert_eq!((end.turn, &end.end), (turn(1), &TurnEnd::cancelled()));
    assert_eq!(submit_as(&mut state, 2, QueueMode::Collect).0, turn(2), "what ends takes nothing in");
    state.ended(&end.end, None, AT);
}

#[test]
fn a_steered_turn_goes_on_to_another_step_with_what_was_said_and_the_new_input() {
    let mut state = running();
    assert_eq!(submit_as(&mut state, 2, QueueMode::Steer), (turn(1), Entry::Joins));
    let (accepted, follow) = accept(&mut state, 2);
    assert_eq!((accepted.turn, accepted.state), (turn(1), TurnState::Running));
    assert_eq!(follow, Follow::default(), "the run is not disturbed");
    let first = step(state.run_ended(turn(1), 1, Ok(said("half")), AT));
    assert_eq!((first.step, first.saw, &*first.said.text), (1, 1, "half"));
    assert_eq!(state.run_ended(turn(1), 1, Ok(said("half")), AT), None, "a step ends once");
    let begin = state.started(turn(1), AT).begin.expect("it goes on");
    assert_eq!((begin.attempt, begin.step), (1, 2));
    assert_eq!(texts(&begin), ["message 1", "half", "message 2"]);

    let Some(Write::End(end)) = state.run_ended(turn(1), 1, Ok(said("all")), AT) else { panic!("an end is written") };
    assert_eq!((end.step, end.saw), (2, 2));
    let TurnEnd::Finished(answer) = &end.end else { panic!("an answer") };
    assert_eq!((&*answer.text, answer.usage.output_tokens, answer.cost_usd), ("all", 10, Some(1.0)), "sums");
    state.ended(&end.end, None, AT);
    submit(&mut state, 3);
    let begin = accept(&mut state, 3).1.begin.expect("it begins");
    assert_eq!(texts(&begin), ["message 1", "half", "message 2", "all", "message 3"]);
}

#[test]
fn a_step_without_a_price_leaves_the_sum_without_one() {
    let mut state = running();
    submit_as(&mut state, 2, QueueMode::Steer);
    accept(&mut state, 2);
    step(state.run_ended(turn(1), 1, Ok(FinishedTurn { cost_usd: None, ..said("half") }), AT));
    state.started(turn(1), AT);
    let Some(Write::End(end)) = state.run_ended(turn(1), 1, Ok(said("all")), AT) else { panic!("an end is written") };
    assert!(matches!(end.end, TurnEnd::Finished(answer) if answer.cost_usd.is_none()));
}

#[test]
fn an_answer_that_an_input_outran_becomes_a_step() {
    let mut state = running();
    submit_as(&mut state, 2, QueueMode::Steer);
    // The run ends while the input is on its way to the store, which then refuses the end.
    let Some(Write::End(end)) = state.run_ended(turn(1), 1, Ok(said("half")), AT) else { panic!("an end is written") };
    assert_eq!(submit_as(&mut state, 3, QueueMode::Steer).1, Entry::Waits { collects: false }, "it ends");
    assert_eq!(accept(&mut state, 2).1, Follow::default());
    let outrun = step(state.unseen(end.end, AT));
    assert_eq!((outrun.step, outrun.saw, &*outrun.said.text), (1, 1, "half"));
    let begin = state.started(turn(1), AT).begin.expect("it goes on");
    assert_eq!(texts(&begin), ["message 1", "half", "message 2"]);
}

#[test]
fn an_interrupted_turn_begins_again_with_both_inputs() {
    let mut state = running();
    assert_eq!(submit_as(&mut state, 2, QueueMode::Interrupt), (turn(1), Entry::Joins));
    let (accepted, follow) = accept(&mut state, 2);
    assert_eq!((accepted.turn, accepted.state), (turn(1), TurnState::Running));
    let Some(Write::Restart(restart)) = follow.write else { panic!("it begins again") };
    assert_eq!((restart.turn, restart.attempt, restart.charged), (turn(1), 2, 0), "nobody is to blame");
    assert_eq!(state.run_ended(turn(1), 1, Ok(finished()), AT), None, "the old run is not heard");
    // Another one on its heels needs no restart of its own.
    submit_as(&mut state, 3, QueueMode::Interrupt);
    assert_eq!(accept(&mut state, 3).1, Follow::default());
    let begin = state.started(turn(1), AT).begin.expect("it begins");
    assert_eq!((begin.attempt, begin.step), (2, 1));
    assert_eq!(texts(&begin), ["message 1", "message 2", "message 3"]);
}

#[test]
fn an_interrupted_turn_keeps_its_finished_steps() {
    let mut state = running();
    submit_as(&mut state, 2, QueueMode::Steer);
    accept(&mut state, 2);
    step(state.run_ended(turn(1), 1, Ok(said("half")), AT));
    state.started(turn(1), AT);
    submit_as(&mut state, 3, QueueMode::Interrupt);
    assert!(matches!(accept(&mut state, 3).1.write, Some(Write::Restart(_))));
    let begin = state.started(turn(1), AT).begin.expect("it begins");
    assert_eq!((begin.attempt, begin.step), (2, 2));
    assert_eq!(texts(&begin), ["message 1", "half", "message 2", "message 3"]);
}

#[test]
fn where_nothing_runs_every_mode_begins_a_turn() {
    for mode in [QueueMode::Queue, QueueMode::Steer, QueueMode::Interrupt] {
        assert_eq!(submit_as(&mut empty(), 1, mode), (turn(1), Entry::Starts), "{mode}");
    }
}

#[test]
fn an_input_for_another_model_is_a_turn_of_its_own() {
    for mode in [QueueMode::Steer, QueueMode::Interrupt, QueueMode::Collect] {
        let mut state = running();
        submit_as(&mut state, 2, QueueMode::Collect);
        let other = SubmitTurn { model: Some("a/b".parse().expect("valid")), ..ask(3) };
        let Ok(Submission::Write(accept)) = state.submit(&other, mode, AT) else { panic!("it is taken") };
        assert!(matches!(accept.entry, Entry::Waits { .. }), "{mode}");
    }
}

#[test]
fn what_joins_counts_as_waiting_until_it_is_seen() {
    let mut state = running();
    for n in 2..=21 {
        let mode = [QueueMode::Steer, QueueMode::Queue, QueueMode::Collect][usize::try_from(n % 3).expect("small")];
        submit_as(&mut state, n, mode);
        accept(&mut state, n);
    }
    for (_, mode) in QueueMode::NAMED {
        assert_eq!(state.submit(&ask(22), mode, AT).expect_err("refused").code, Code::Busy, "{mode}");
    }
    step(state.run_ended(turn(1), 1, Ok(said("half")), AT));
    state.started(turn(1), AT);
    submit_as(&mut state, 22, QueueMode::Steer);
}

#[test]
fn a_turn_that_is_steered_without_end_takes_a_hundred_inputs() {
    let mut state = running();
    for n in 2..=100 {
        assert_eq!(submit_as(&mut state, n, QueueMode::Interrupt).1, Entry::Joins);
        accept(&mut state, n);
        state.started(turn(1), AT);
    }
    assert_eq!(submit_as(&mut state, 101, QueueMode::Interrupt).0, turn(101));
}

#[test]
fn a_cancel_ends_the_turn_with_all_its_inputs() {
    let mut state = running();
    submit_as(&mut state, 2, QueueMode::Steer);
    accept(&mut state, 2);
    step(state.run_ended(turn(1), 1, Ok(said("half")), AT));
    assert_eq!(state.cancel(None, AT), Cancel::Soon, "while a step is being written");
    assert_eq!(submit_as(&mut state, 3, QueueMode::Steer).0, turn(3), "it takes nothing in any more");
    let follow = state.started(turn(1), AT);
    assert_eq!(follow.begin, None);
    assert!(matches!(follow.write, Some(Write::End(end)) if end.end == TurnEnd::cancelled() && end.turn == turn(1)));
}

#[test]
fn an_input_whose_turn_was_not_made_after_all_is_decided_on_anew() {
    // The first is a repeat, as the store finds; the second was to join it.
    for (mode, entry) in [(QueueMode::Steer, Entry::Starts), (QueueMode::Collect, Entry::Waits { collects: true })] {
        let mut state = SessionState::new(snapshot(Vec::new()), 1, 1_000, false, mode == QueueMode::Collect);
        assert_eq!(submit_as(&mut state, 1, mode).1, entry);
        assert_eq!(submit_as(&mut state, 2, mode), (turn(1), Entry::Joins));
        state.not_accepted(turn(1), AT);
        state.not_accepted(turn(2), AT);
        assert!(state.is_idle(), "{mode}");
        assert_eq!(submit_as(&mut state, 2, mode), (turn(2), entry));
        accept(&mut state, 2);
        assert!(!state.is_idle());
    }
}

#[test]
fn a_turn_that_was_not_made_after_all_takes_nobody_in_again() {
    // One runs, so that the turn which collects has to wait; the input that was to make it is a repeat, and two joined it.
    let mut state = running();
    assert_eq!(submit_as(&mut state, 2, QueueMode::Collect), (turn(2), Entry::Waits { collects: true }));
    for n in [3, 4] {
        assert_eq!(submit_as(&mut state, n, QueueMode::Collect), (turn(2), Entry::Joins));
    }
    assert_eq!(state.not_accepted(turn(2), AT), Follow::default());
    assert_eq!(state.not_accepted(turn(3), AT), Follow::default());
    assert_eq!(submit_as(&mut state, 3, QueueMode::Collect), (turn(3), Entry::Waits { collects: true }));
    assert_eq!(state.not_accepted(turn(4), AT), Follow::default());
    assert_eq!(submit_as(&mut state, 4, QueueMode::Collect), (turn(3), Entry::Joins));
}

#[test]
fn a_new_life_goes_on_after_the_steps_that_were_finished() {
    let say = |seq, role, text: &str| Said::new(seq, role, text);
    let said = vec![say(1, Role::User, "one"), say(4, Role::Assistant, "half"), say(3, Role::User, "two")];
    let usage = Usage::new(3, 5);
    let spent = Spent { usage, cost_usd: Some(0.5) };
    let running = OpenTurn { said, spent, ..open(1, TurnState::Running, 0) };
    let waiting = OpenTurn { collects: true, ..open(2, TurnState::Queued, 0) };
    let mut state = SessionState::new(snapshot(vec![running, waiting]), 2, 1_000, false, true);
    let resumed = state.resume(None, AT);
    assert!(matches!(resumed.write, Some(Write::Restart(_))));
    assert_eq!(resumed.settle, Some(Settle { turn: turn(2), inputs: 1 }), "it collects on");
    let begin = state.started(turn(1), AT).begin.expect("it begins");
    assert_eq!((begin.attempt, begin.step, texts(&begin)), (2, 2, vec!["one", "half", "two"]));
    assert_eq!(submit_as(&mut state, 3, QueueMode::Collect), (turn(2), Entry::Joins));
    let answer = FinishedTurn { usage, cost_usd: Some(0.25), ..finished() };
    let Some(Write::End(end)) = state.run_ended(turn(1), 2, Ok(answer), AT) else { panic!("an end is written") };
    assert_eq!((end.step, end.saw), (2, 3));
    assert!(matches!(end.end, TurnEnd::Finished(sum) if sum.usage.input_tokens == 6 && sum.cost_usd == Some(0.75)));
}
