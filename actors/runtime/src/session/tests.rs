//! The state alone: messages in, writes out, in every order that can happen.

mod modes;
mod parts;
mod refused;
mod routing;
mod tools;
mod world;

use mosaic_messages::{Accepted, SubmitTurn};
use mosaic_types::event::FinishedTurn;
use mosaic_types::journal::{
    API_CHANNEL, Entry, InboxKey, OpenTurn, Said, SessionPhase, SessionRow, Snapshot, TurnEnd, TurnState, Write,
};
use mosaic_types::{Code, Principal, QueueMode, Role, SessionId, Spent, Timestamp, TurnId, Usage, UserId, UserRole};
use uuid::Uuid;

use super::parts::{Cancel, Follow, Submission};
use super::state::SessionState;

const AT: Timestamp = Timestamp(0);

fn session() -> SessionId {
    "s".parse().expect("valid")
}

fn turn(n: u128) -> TurnId {
    TurnId(Uuid::from_u128(n))
}

fn user() -> UserId {
    UserId(Uuid::from_u128(7))
}

fn empty() -> SessionState {
    SessionState::new(snapshot(Vec::new()), 1, 1_000, false, true)
}

fn snapshot(open: Vec<OpenTurn>) -> Snapshot {
    let row = SessionRow {
        id: session(),
        user: user(),
        agent: "assistant".parse().expect("valid"),
        title: String::new(),
        channel: API_CHANNEL.to_owned(),
        archived: false,
        model: None,
        state: SessionPhase::Idle,
        created_at: AT,
        updated_at: AT,
    };
    Snapshot { row, open, context: Vec::new(), last_input: None }
}

fn open(n: u128, state: TurnState, charged: u32) -> OpenTurn {
    let agent = "assistant".parse().expect("valid");
    let said = vec![Said::new(1, Role::User, "hi")];
    let (spent, beside, parts) = (Spent::default(), Spent::default(), Vec::new());
    let (id, attempt, model, route, collects, delivers) = (turn(n), 1, None, None, false, false);
    OpenTurn { id, state, attempt, charged, agent, model, route, collects, delivers, said, spent, beside, parts }
}

fn ask(n: u128) -> SubmitTurn {
    SubmitTurn {
        session: session(),
        from: Principal { user: user(), role: UserRole::Member },
        turn: turn(n),
        inbox: InboxKey {
            channel: API_CHANNEL.into(),
            account: "a".into(),
            conversation: "s".into(),
            event: n.to_string().into(),
        },
        reply_to: None,
        body_hash: [u8::try_from(n % 251).expect("small"); 32],
        text: format!("message {n}").into(),
        attachments: std::sync::Arc::default(),
        replaces: None,
        model: None,
        mode: None,
        create: None,
        repeats_last: false,
        span: tracing::Span::none(),
    }
}

fn finished() -> FinishedTurn {
    FinishedTurn {
        text: "answer".into(),
        model: "m".into(),
        provider: "p".parse().expect("valid"),
        route_reason: String::new(),
        stop_reason: "stop".into(),
        usage: Usage::default(),
        cost_usd: None,
    }
}

/// Submits an input that is new; answers whether it starts at once.
fn submit(state: &mut SessionState, n: u128) -> bool {
    submit_as(state, n, QueueMode::Queue).1 == Entry::Starts
}

/// The same in any mode; answers where it goes.
fn submit_as(state: &mut SessionState, n: u128, mode: QueueMode) -> (TurnId, Entry) {
    match state.submit(&ask(n), mode, AT).expect("accepted") {
        Submission::Write(accept) => (accept.turn, accept.entry),
        Submission::Attach(_) => panic!("a new input is written"),
    }
}

/// The input is stored; its number is its seq too.
fn accept(state: &mut SessionState, n: u128) -> (Accepted, Follow) {
    state.accepted(turn(n), i64::try_from(n).expect("small"), None, AT)
}

#[test]
fn the_first_input_starts_at_once_and_the_next_waits_for_its_end() {
    let mut state = empty();
    assert!(submit(&mut state, 1));
    assert!(!submit(&mut state, 2));
    let (_, follow) = accept(&mut state, 1);
    assert_eq!(follow.begin.map(|begin| begin.turn), Some(turn(1)));
    assert_eq!(accept(&mut state, 2).1, Follow::default());
    let Some(Write::End(end)) = state.run_ended(turn(1), 1, Ok(finished()), AT) else { panic!("an end is written") };
    assert_eq!(end.next.as_ref().map(|next| next.turn), Some(turn(2)));
    let begin = state.ended(&end.end, end.next, AT).begin.expect("the next begins");
    assert_eq!(begin.dialogue.len(), 3, "an exchange and the new input");
}

#[test]
fn the_twenty_second_input_is_refused_as_busy() {
    let mut state = empty();
    for n in 1..=21 {
        submit(&mut state, n);
        accept(&mut state, n);
    }
    assert_eq!(state.submit(&ask(22), QueueMode::Queue, AT).expect_err("refused").code, Code::Busy);
}

#[test]
fn what_is_accepted_while_an_end_is_being_written_starts_after_it() {
    let mut state = empty();
    submit(&mut state, 1);
    accept(&mut state, 1);
    let Some(Write::End(end)) = state.run_ended(turn(1), 1, Ok(finished()), AT) else { panic!("an end is written") };
    assert!(!submit(&mut state, 2));
    assert_eq!(state.ended(&end.end, None, AT), Follow::default());
    let follow = accept(&mut state, 2).1;
    assert!(matches!(follow.write, Some(Write::Start { next, .. }) if next.turn == turn(2)));
    assert_eq!(state.started(turn(2), AT).begin.map(|begin| begin.turn), Some(turn(2)));
}

#[test]
fn a_report_of_a_cancelled_run_is_not_heard() {
    let mut state = empty();
    submit(&mut state, 1);
    accept(&mut state, 1);
    assert!(matches!(state.cancel(None, AT), Cancel::Now(end) if end.turn == turn(1)));
    assert_eq!(state.run_ended(turn(1), 1, Ok(finished()), AT), None);
    assert_eq!(state.cancel(None, AT), Cancel::Nothing);
    state.ended(&TurnEnd::cancelled(), None, AT);
    assert!(state.is_idle());
}

#[test]
fn a_turn_that_is_cancelled_while_it_starts_never_runs() {
    let mut state = empty();
    submit(&mut state, 1);
    assert_eq!(state.cancel(None, AT), Cancel::Soon);
    let follow = accept(&mut state, 1).1;
    assert_eq!(follow.begin, None);
    assert!(matches!(follow.write, Some(Write::End(end)) if end.end == TurnEnd::cancelled()));
}

#[test]
fn a_cancel_that_means_one_turn_cancels_no_other() {
    let mut state = empty();
    for number in 1..=2 {
        submit(&mut state, number);
        accept(&mut state, number);
    }
    assert_eq!(state.cancel(Some(turn(2)), AT), Cancel::Nothing, "it waits, and what runs is another");
    let Cancel::Now(end) = state.cancel(Some(turn(1)), AT) else { panic!("it ends at once") };
    assert_eq!((end.turn, end.next.as_ref().map(|next| next.turn)), (turn(1), Some(turn(2))));
    assert_eq!(state.cancel(Some(turn(1)), AT), Cancel::Nothing, "its end is being written");
    let next = state.ended(&end.end, end.next, AT);
    assert_eq!(next.begin.map(|begin| begin.turn), Some(turn(2)));
    assert_eq!(state.cancel(Some(turn(1)), AT), Cancel::Nothing, "another runs by now");

    let mut collecting = empty();
    submit_as(&mut collecting, 1, QueueMode::Collect);
    accept(&mut collecting, 1);
    assert_eq!(collecting.cancel(Some(turn(2)), AT), Cancel::Nothing);
    assert!(matches!(collecting.cancel(Some(turn(1)), AT), Cancel::Now(end) if end.turn == turn(1)));
}

#[test]
fn nothing_begins_in_a_session_that_is_about_to_be_removed() {
    let mut state = empty();
    for number in 1..=3 {
        submit(&mut state, number);
        accept(&mut state, number);
    }
    state.leave();
    let Cancel::Now(end) = state.cancel(None, AT) else { panic!("it ends at once") };
    assert_eq!((end.turn, end.next), (turn(1), None), "what waits does not begin with it");
    assert_eq!(state.ended(&TurnEnd::cancelled(), None, AT), Follow::default(), "nor after it");
}

#[test]
fn what_was_to_begin_with_an_end_that_is_being_written_never_runs_in_a_session_that_is_about_to_be_removed() {
    let mut state = empty();
    for number in 1..=3 {
        submit(&mut state, number);
        accept(&mut state, number);
    }
    let Some(Write::End(end)) = state.run_ended(turn(1), 1, Ok(finished()), AT) else { panic!("an end is written") };
    let next = end.next.clone().expect("the next begins with it");
    state.leave();
    assert_eq!(state.cancel(None, AT), Cancel::Nothing, "what ran has ended");
    let follow = state.ended(&end.end, Some(next), AT);
    assert_eq!(follow.begin, None);
    let Some(Write::End(end)) = follow.write else { panic!("it is cancelled") };
    assert_eq!((end.turn, &end.end, end.next), (turn(2), &TurnEnd::cancelled(), None));
}

#[test]
fn the_third_death_of_a_turns_own_run_ends_it_with_a_notice() {
    let mut state = empty();
    submit(&mut state, 1);
    accept(&mut state, 1);
    for attempt in 1..=2 {
        let Some(Write::Restart(restart)) = state.run_died(turn(1), attempt, AT) else { panic!("it begins again") };
        assert_eq!((restart.attempt, restart.charged), (attempt + 1, attempt));
        assert!(state.started(turn(1), AT).begin.is_some());
    }
    let Some(Write::End(end)) = state.run_died(turn(1), 3, AT) else { panic!("it ends") };
    assert!(matches!(end.end, TurnEnd::Failed { code: Code::Crashed, .. }));
}

#[test]
fn a_new_life_goes_on_with_the_turn_that_was_cut_off_and_charges_only_crashes() {
    let turns = || vec![open(1, TurnState::Running, 1), open(2, TurnState::Queued, 0)];
    for (crashed, charged) in [(false, 1), (true, 2)] {
        let mut state = SessionState::new(snapshot(turns()), 2, 1_000, crashed, true);
        let Some(Write::Restart(restart)) = state.resume(None, AT).write else { panic!("it begins again") };
        assert_eq!((restart.turn, restart.attempt, restart.charged), (turn(1), 2, charged));
    }
    let mut state = SessionState::new(snapshot(vec![open(1, TurnState::Running, 2)]), 2, 1_000, true, true);
    assert!(matches!(state.resume(None, AT).write, Some(Write::End(_))));
    let mut state = SessionState::new(snapshot(vec![open(3, TurnState::Queued, 0)]), 2, 1_000, false, true);
    assert!(matches!(state.resume(None, AT).write, Some(Write::Start { .. })));
}

#[test]
fn a_repeat_that_says_so_attaches_to_the_last_input_only() {
    let mut state = empty();
    submit(&mut state, 1);
    accept(&mut state, 1);
    let repeat = SubmitTurn { turn: turn(9), repeats_last: true, ..ask(1) };
    assert!(matches!(state.submit(&repeat, QueueMode::Queue, AT), Ok(Submission::Attach(at)) if at.turn == turn(1)));
    let other = SubmitTurn { repeats_last: true, ..ask(2) };
    assert!(matches!(state.submit(&other, QueueMode::Queue, AT), Ok(Submission::Write(_))));
}

#[test]
fn a_stranger_sees_no_session() {
    let mut state = empty();
    let stranger = Principal { user: UserId(Uuid::from_u128(8)), role: UserRole::Owner };
    let refused = state.submit(&SubmitTurn { from: stranger, ..ask(1) }, QueueMode::Queue, AT).expect_err("refused");
    assert_eq!(refused.code, Code::NotFound);
}

#[test]
fn only_as_much_history_as_is_worth_keeping_is_kept() {
    let mut state = SessionState::new(snapshot(Vec::new()), 1, 40, false, true);
    for n in 1..=9 {
        submit(&mut state, n);
        let begin = accept(&mut state, n).1.begin.expect("it begins");
        assert!(begin.dialogue.len() <= 5, "{}", begin.dialogue.len());
        assert_eq!(begin.dialogue[0].role, Role::User);
        let Some(Write::End(end)) = state.run_ended(turn(n), 1, Ok(finished()), AT) else {
            panic!("an end is written")
        };
        state.ended(&end.end, None, AT);
    }
}

#[test]
fn an_input_takes_the_place_of_another_only_while_nothing_runs_or_waits() {
    let mut state = empty();
    let edit = |n| SubmitTurn { replaces: Some(1), mode: Some(QueueMode::Collect), ..ask(n) };
    submit(&mut state, 1);
    for written in [false, true] {
        if written {
            accept(&mut state, 1);
        }
        let refused = state.submit(&edit(2), QueueMode::Collect, AT).expect_err("something runs");
        assert_eq!(refused.code, Code::Running);
    }
    let Some(Write::End(end)) = state.run_ended(turn(1), 1, Ok(finished()), AT) else { panic!("an end is written") };
    assert_eq!(state.submit(&edit(2), QueueMode::Collect, AT).expect_err("it is being stored").code, Code::Running);
    state.ended(&end.end, end.next, AT);
    let Ok(Submission::Write(edited)) = state.submit(&edit(2), QueueMode::Collect, AT) else { panic!("it is written") };
    assert_eq!((edited.replaces, edited.entry), (Some(1), Entry::Starts), "at once, whatever its mode");
    state.rewind(Vec::new());
    let begin = accept(&mut state, 2).1.begin.expect("it begins");
    assert_eq!(begin.dialogue.len(), 1, "what left is not said any more");
}
