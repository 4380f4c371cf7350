//! The state alone: messages in, writes out, in every order that can happen.

use std::collections::VecDeque;

use mosaic_messages::SubmitTurn;
use mosaic_types::event::FinishedTurn;
use mosaic_types::journal::{
    API_CHANNEL, InboxKey, OpenTurn, SessionPhase, SessionRow, Snapshot, TurnEnd, TurnState, Write,
};
use mosaic_types::{Code, Principal, SessionId, Timestamp, TurnId, Usage, UserId, UserRole};
use proptest::prelude::*;
use uuid::Uuid;

use super::parts::{Begin, Cancel, Follow, Submission};
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
    SessionState::new(snapshot(Vec::new()), 1, 1_000, false)
}

fn snapshot(open: Vec<OpenTurn>) -> Snapshot {
    let row = SessionRow {
        id: session(),
        user: user(),
        agent: "assistant".parse().expect("valid"),
        title: String::new(),
        channel: API_CHANNEL.to_owned(),
        state: SessionPhase::Idle,
        created_at: AT,
        updated_at: AT,
    };
    Snapshot { row, open, context: Vec::new(), last_input: None }
}

fn open(n: u128, state: TurnState, charged: u32) -> OpenTurn {
    let agent = "assistant".parse().expect("valid");
    OpenTurn { id: turn(n), state, attempt: 1, charged, agent, model: None, text: "hi".into(), body_hash: [0; 32] }
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
        body_hash: [u8::try_from(n % 251).expect("small"); 32],
        text: format!("message {n}").into(),
        model: None,
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

fn submit(state: &mut SessionState, n: u128) -> bool {
    match state.submit(&ask(n), AT).expect("accepted") {
        Submission::Write(accept) => accept.start,
        Submission::Attach(_) => panic!("a new input is written"),
    }
}

#[test]
fn the_first_input_starts_at_once_and_the_next_waits_for_its_end() {
    let mut state = empty();
    assert!(submit(&mut state, 1));
    assert!(!submit(&mut state, 2));
    let (_, follow) = state.accepted(turn(1), None, AT);
    assert_eq!(follow.begin.map(|begin| begin.turn), Some(turn(1)));
    assert_eq!(state.accepted(turn(2), None, AT).1, Follow::default());
    let Some(Write::End(end)) = state.run_ended(turn(1), 1, Ok(finished()), AT) else { panic!("an end is written") };
    assert_eq!(end.next.as_ref().map(|next| next.turn), Some(turn(2)));
    let begin = state.ended(&end.end, Some(turn(2)), AT).begin.expect("the next begins");
    assert_eq!(begin.dialogue.len(), 3, "an exchange and the new input");
}

#[test]
fn the_twenty_second_input_is_refused_as_busy() {
    let mut state = empty();
    for n in 1..=21 {
        submit(&mut state, n);
        state.accepted(turn(n), None, AT);
    }
    assert_eq!(state.submit(&ask(22), AT).expect_err("refused").code, Code::Busy);
}

#[test]
fn what_is_accepted_while_an_end_is_being_written_starts_after_it() {
    let mut state = empty();
    submit(&mut state, 1);
    state.accepted(turn(1), None, AT);
    let Some(Write::End(end)) = state.run_ended(turn(1), 1, Ok(finished()), AT) else { panic!("an end is written") };
    assert!(!submit(&mut state, 2));
    assert_eq!(state.ended(&end.end, None, AT), Follow::default());
    let follow = state.accepted(turn(2), None, AT).1;
    assert!(matches!(follow.write, Some(Write::Start { next, .. }) if next.turn == turn(2)));
    assert_eq!(state.started(turn(2), AT).begin.map(|begin| begin.turn), Some(turn(2)));
}

#[test]
fn a_report_of_a_cancelled_run_is_not_heard() {
    let mut state = empty();
    submit(&mut state, 1);
    state.accepted(turn(1), None, AT);
    assert!(matches!(state.cancel(AT), Cancel::Now(end) if end.turn == turn(1)));
    assert_eq!(state.run_ended(turn(1), 1, Ok(finished()), AT), None);
    assert_eq!(state.cancel(AT), Cancel::Nothing);
    state.ended(&TurnEnd::Cancelled, None, AT);
    assert!(state.is_idle());
}

#[test]
fn a_turn_that_is_cancelled_while_it_starts_never_runs() {
    let mut state = empty();
    submit(&mut state, 1);
    assert_eq!(state.cancel(AT), Cancel::Soon);
    let follow = state.accepted(turn(1), None, AT).1;
    assert_eq!(follow.begin, None);
    assert!(matches!(follow.write, Some(Write::End(end)) if end.end == TurnEnd::Cancelled));
}

#[test]
fn the_third_death_of_a_turns_own_run_ends_it_with_a_notice() {
    let mut state = empty();
    submit(&mut state, 1);
    state.accepted(turn(1), None, AT);
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
        let mut state = SessionState::new(snapshot(turns()), 2, 1_000, crashed);
        let Some(Write::Restart(restart)) = state.resume(AT) else { panic!("it begins again") };
        assert_eq!((restart.turn, restart.attempt, restart.charged), (turn(1), 2, charged));
    }
    let mut state = SessionState::new(snapshot(vec![open(1, TurnState::Running, 2)]), 2, 1_000, true);
    assert!(matches!(state.resume(AT), Some(Write::End(_))));
    let mut state = SessionState::new(snapshot(vec![open(3, TurnState::Queued, 0)]), 2, 1_000, false);
    assert!(matches!(state.resume(AT), Some(Write::Start { .. })));
}

#[test]
fn a_repeat_that_says_so_attaches_to_the_last_input_only() {
    let mut state = empty();
    submit(&mut state, 1);
    state.accepted(turn(1), None, AT);
    let repeat = SubmitTurn { turn: turn(9), repeats_last: true, ..ask(1) };
    assert!(matches!(state.submit(&repeat, AT), Ok(Submission::Attach(at)) if at.turn == turn(1)));
    let other = SubmitTurn { repeats_last: true, ..ask(2) };
    assert!(matches!(state.submit(&other, AT), Ok(Submission::Write(_))));
}

#[test]
fn a_stranger_sees_no_session() {
    let mut state = empty();
    let stranger = Principal { user: UserId(Uuid::from_u128(8)), role: UserRole::Owner };
    let refused = state.submit(&SubmitTurn { from: stranger, ..ask(1) }, AT).expect_err("refused");
    assert_eq!(refused.code, Code::NotFound);
}

#[test]
fn only_as_much_history_as_is_worth_keeping_is_kept() {
    let mut state = SessionState::new(snapshot(Vec::new()), 1, 40, false);
    for n in 1..=9 {
        submit(&mut state, n);
        let begin = state.accepted(turn(n), None, AT).1.begin.expect("it begins");
        assert!(begin.dialogue.len() <= 5, "{}", begin.dialogue.len());
        assert_eq!(begin.dialogue[0].role, mosaic_types::Role::User);
        let Some(Write::End(end)) = state.run_ended(turn(n), 1, Ok(finished()), AT) else {
            panic!("an end is written")
        };
        state.ended(&end.end, None, AT);
    }
}

/// What can happen next; the writer answers in order, everything else at any time.
#[derive(Debug, Clone, Copy)]
enum Step {
    Submit,
    WriterAnswers,
    RunEnds,
    RunDies,
    Cancel,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => Just(Step::Submit),
        4 => Just(Step::WriterAnswers),
        2 => Just(Step::RunEnds),
        1 => Just(Step::RunDies),
        1 => Just(Step::Cancel),
    ]
}

/// Plays the writer and the runs beside the state, and holds what must always be true.
#[derive(Default)]
struct World {
    writes: VecDeque<Write>,
    run: Option<(TurnId, u32)>,
    accepted: Vec<TurnId>,
    started: Vec<TurnId>,
    ended: Vec<TurnId>,
}

impl World {
    fn follow(&mut self, follow: Follow) {
        if let Some(Begin { turn, attempt, .. }) = follow.begin {
            assert_eq!(self.run, None, "two runs at once");
            self.run = Some((turn, attempt));
            if attempt == 1 {
                self.started.push(turn);
            }
        }
        self.writes.extend(follow.write);
    }

    fn writer_answers(&mut self, state: &mut SessionState) {
        match self.writes.pop_front() {
            None => {}
            Some(Write::Accept(accept)) => {
                self.accepted.push(accept.turn);
                let follow = state.accepted(accept.turn, accept.title, AT).1;
                self.follow(follow);
            }
            Some(Write::Start { next, .. }) => self.follow(state.started(next.turn, AT)),
            Some(Write::Restart(restart)) => self.follow(state.started(restart.turn, AT)),
            Some(Write::End(end)) => {
                self.ended.push(end.turn);
                self.follow(state.ended(&end.end, end.next.map(|next| next.turn), AT));
            }
            Some(other) => panic!("not a session's write: {other:?}"),
        }
    }
}

proptest! {
    #[test]
    fn every_accepted_turn_ends_once_in_order_whatever_happens(steps in prop::collection::vec(step(), 1..120)) {
        let (mut state, mut world, mut next) = (empty(), World::default(), 0u128);
        for step in steps {
            match step {
                Step::Submit => {
                    next += 1;
                    if let Ok(Submission::Write(accept)) = state.submit(&ask(next), AT) {
                        world.writes.push_back(Write::Accept(accept));
                    }
                }
                Step::WriterAnswers => world.writer_answers(&mut state),
                Step::RunEnds => if let Some((turn, attempt)) = world.run.take() {
                    world.writes.extend(state.run_ended(turn, attempt, Ok(finished()), AT));
                },
                Step::RunDies => if let Some((turn, attempt)) = world.run.take() {
                    world.writes.extend(state.run_died(turn, attempt, AT));
                },
                Step::Cancel => if let Cancel::Now(end) = state.cancel(AT) {
                    world.run = None;
                    world.writes.push_back(Write::End(end));
                },
            }
        }
        // The faults stop: all that was accepted must come to its end.
        while !world.writes.is_empty() || world.run.is_some() {
            world.writer_answers(&mut state);
            if let Some((turn, attempt)) = world.run.take() {
                world.writes.extend(state.run_ended(turn, attempt, Ok(finished()), AT));
            }
        }
        prop_assert!(state.is_idle());
        prop_assert_eq!(&world.ended, &world.accepted);
        let ran: Vec<_> = world.accepted.iter().filter(|turn| world.started.contains(turn)).collect();
        prop_assert_eq!(world.started.iter().collect::<Vec<_>>(), ran, "each began once at the most, in order");
    }
}
