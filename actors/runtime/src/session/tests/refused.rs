//! What the store refuses for good.

use mosaic_types::EventBody;
use mosaic_types::event::{Part, StepKind};
use mosaic_types::journal::EndTurn;
use mosaic_types::ledger::{Beside, Known};

use super::*;
use crate::session::refused::GivenUp;

/// The write of an answer to turn 1, beside which turn 2 waits.
fn answered(state: &mut SessionState) -> Write {
    submit(state, 1);
    accept(state, 1);
    submit(state, 2);
    accept(state, 2);
    state.run_ended(turn(1), 1, Ok(finished()), AT).expect("it ends")
}

/// The failure that a turn ends with, since this write of it is refused for good.
fn given_up(state: &mut SessionState, write: &Write) -> Box<EndTurn> {
    match state.give_up_for(write, Vec::new(), AT) {
        GivenUp::Turn(end) => end,
        other => panic!("the turn fails: {other:?}"),
    }
}

#[test]
fn a_turn_whose_answer_is_refused_for_good_fails_and_the_next_one_starts_by_itself() {
    let mut state = empty();
    let answer = answered(&mut state);
    let end = given_up(&mut state, &answer);
    assert!(
        matches!(&end.end, TurnEnd::Failed { code: Code::StorageDefect, message, .. } if message.contains("doctor"))
    );
    assert_eq!((end.turn, end.next.is_none(), end.steps.is_empty()), (turn(1), true, true));
    let next = state.ended(&end.end, None, AT).write;
    assert!(matches!(next, Some(Write::Start { next, .. }) if next.turn == turn(2)));
}

#[test]
fn where_not_even_the_failure_can_be_stored_nothing_is_left_to_say() {
    let mut state = empty();
    let answer = answered(&mut state);
    let end = given_up(&mut state, &answer);
    assert!(matches!(state.give_up_for(&Write::End(end), Vec::new(), AT), GivenUp::Session));
}

#[test]
fn what_was_spent_goes_with_the_failure_and_by_itself_where_that_is_refused_too() {
    let mut state = empty();
    let answer = answered(&mut state);
    let spent = vec![Beside {
        id: Beside::id_of(turn(1), 1, 1, 0),
        user: user(),
        agent: "assistant".parse().expect("valid"),
        of: Some((session(), turn(1))),
        model: "p/m".parse().expect("valid"),
        calls: 1,
        spent: Spent::default(),
        known: Known::Foreseen,
        at: AT,
    }];
    let GivenUp::Turn(end) = state.give_up_for(&answer, spent.clone(), AT) else { panic!("the turn fails") };
    assert_eq!(end.beside, spent);
    let GivenUp::Spent(end, by_itself) = state.give_up_for(&Write::End(end), spent.clone(), AT) else {
        panic!("the end is tried alone")
    };
    assert_eq!((end.beside.len(), by_itself), (0, spent));
    assert!(matches!(state.give_up_for(&Write::End(end), Vec::new(), AT), GivenUp::Session));
}

#[test]
fn a_turn_that_cannot_be_started_or_begun_again_fails_too() {
    let mut state = SessionState::new(snapshot(vec![open(1, TurnState::Running, 0)]), 1, 1_000, false, true);
    let restart = state.resume(None, AT).write.expect("it begins again");
    assert_eq!(given_up(&mut state, &restart).turn, turn(1));
    let mut state = SessionState::new(snapshot(vec![open(1, TurnState::Queued, 0)]), 1, 1_000, false, true);
    let start = state.resume(None, AT).write.expect("it starts");
    assert_eq!(given_up(&mut state, &start).turn, turn(1));
}

#[test]
fn a_life_after_one_that_could_not_store_an_end_asks_nobody_again() {
    for stored in [TurnState::Running, TurnState::Queued] {
        let open = vec![open(1, stored, 0), open(2, TurnState::Queued, 0)];
        let mut state = SessionState::new(snapshot(open), 1, 1_000, false, true);
        let resumed = state.resume(Some(turn(1)), AT);
        // Only of one that ran an attempt was cut off, which may have cost something.
        assert_eq!(state.take_cut_attempt(), (stored == TurnState::Running).then_some(1));
        assert!(resumed.begin.is_none());
        let Some(Write::End(end)) = resumed.write else { panic!("its end is tried again: {:?}", resumed.write) };
        assert!(matches!(end.end, TurnEnd::Failed { code: Code::StorageDefect, .. }));
        assert_eq!(end.turn, turn(1), "{stored:?}");
    }
    // It was removed, or is over, meanwhile.
    let mut state = SessionState::new(snapshot(vec![open(2, TurnState::Running, 0)]), 1, 1_000, false, true);
    assert!(matches!(state.resume(Some(turn(1)), AT).write, Some(Write::Restart(_))));
}

#[test]
fn a_part_that_was_refused_is_journaled_with_the_end_of_its_step() {
    let mut state = empty();
    submit(&mut state, 1);
    accept(&mut state, 1);
    let (ms, usage, cost_usd) = (1, Usage::default(), None);
    let part = Part { number: 1, ms, usage, cost_usd, estimated: false, text: None, code: None, saw: 1 };
    let name = "p/m".to_owned();
    let part =
        EventBody::StepFinished { kind: StepKind::Model, name, ok: true, part: Some(Box::new(part)), tool: None };
    state.part_refused(turn(9), part.clone());
    state.part_refused(turn(1), part.clone());
    let Some(Write::End(end)) = state.run_ended(turn(1), 1, Ok(finished()), AT) else { panic!("it ends") };
    assert_eq!(end.steps.len(), 2);
    assert_eq!(end.steps[0], part);
}
