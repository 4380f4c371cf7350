//! Any order of inputs, answers of the writer, ends and deaths of runs, cancels and crashes.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use mosaic_types::journal::{AcceptTurn, EndTurn};
use mosaic_types::{ChatMessage, Failure};
use proptest::prelude::*;

use super::*;
use crate::session::parts::{Begin, Settle};

/// What can happen next; the writer answers in order, everything else at any time.
#[derive(Debug, Clone, Copy)]
enum Step {
    Submit(QueueMode),
    /// A key that may have been sent before.
    Repeat(QueueMode),
    WriterAnswers,
    Quiet,
    RunSpeaks,
    RunEnds,
    RunFails,
    RunDies,
    Cancel,
    /// The process dies: so many of the writes under way were carried out.
    Crash(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let mode = || prop::sample::select(QueueMode::NAMED.map(|(_, mode)| mode).to_vec());
    prop_oneof![
        6 => mode().prop_map(Step::Submit),
        1 => mode().prop_map(Step::Repeat),
        8 => Just(Step::WriterAnswers),
        2 => Just(Step::Quiet),
        2 => Just(Step::RunSpeaks),
        4 => Just(Step::RunEnds),
        1 => Just(Step::RunFails),
        1 => Just(Step::RunDies),
        1 => Just(Step::Cancel),
        1 => (0..6usize).prop_map(Step::Crash),
    ]
}

/// A turn as the store has it.
#[derive(Debug)]
struct Stored {
    row: OpenTurn,
    /// Its messages, each with the newest input that was seen where a model said it.
    said: Vec<(Option<i64>, Said)>,
    end: Option<TurnEnd>,
}

impl Stored {
    /// Whether it has ended with an answer, or with the beginning of one.
    fn has_words(&self) -> bool {
        self.end.as_ref().is_some_and(|end| end.said().is_some())
    }

    /// As the store puts it in order.
    fn dialogue(&self) -> Vec<Said> {
        let mut said = self.said.clone();
        said.sort_by_key(|(saw, said)| (saw.unwrap_or(said.seq), said.seq));
        said.into_iter().map(|(_, said)| said).collect()
    }
}

/// A write under way; of an input, with what was asked.
type Sent = (Write, Option<SubmitTurn>);

/// Plays the store, the writer and the runs beside the state, and holds what must always be true.
#[derive(Default)]
struct World {
    sent: VecDeque<Sent>,
    run: Option<Begin>,
    /// What it has said, as its readers were told.
    said: Option<String>,
    /// What the model that answered last was given.
    given: Vec<String>,
    quiet: Option<Settle>,
    /// In the order of acceptance.
    turns: Vec<Stored>,
    /// By their keys.
    inputs: BTreeMap<Arc<str>, TurnId>,
    ended: Vec<TurnId>,
    steps: BTreeSet<(TurnId, u32)>,
    seq: i64,
    asked: u128,
    answers: u32,
}

/// How the writer answers.
#[derive(Debug, PartialEq)]
enum Answer {
    Done(i64),
    Duplicate,
    Closed,
    Unseen,
}

impl World {
    fn submit(&mut self, state: &mut SessionState, ask: SubmitTurn) {
        let mode = ask.mode.expect("each is sent in a mode");
        if let Ok(Submission::Write(accept)) = state.submit(&ask, mode, AT) {
            self.sent.push_back((Write::Accept(accept), Some(ask)));
        }
    }

    fn write(&mut self, mut write: Option<Write>) {
        if let Some(Write::End(end)) = &mut write {
            end.end.keep(self.said.take());
        }
        if let Some(Write::Restart(_) | Write::End(_)) = &write {
            (self.run, self.said) = (None, None);
        }
        self.sent.extend(write.map(|write| (write, None)));
    }

    fn follow(&mut self, follow: Follow) {
        if let Some(begin) = follow.begin {
            assert_eq!(self.run, None, "two runs at once");
            assert_eq!(begin.dialogue.last().map(|last| last.role), Some(Role::User), "there is something to answer");
            (self.run, self.said) = (Some(begin), None);
        }
        self.quiet = follow.settle.or(self.quiet);
        self.write(follow.write);
    }

    fn run_ends(&mut self, state: &mut SessionState, good: bool) {
        let Some(run) = self.run.take() else { return };
        self.answers += 1;
        self.given = run.dialogue.iter().map(|message| message.text.to_string()).collect();
        let answer = FinishedTurn { text: format!("answer {}", self.answers), ..finished() };
        let result = if good { Ok(answer) } else { Err(Failure::new(Code::ProviderStalled, "Nothing came.")) };
        let write = state.run_ended(run.turn, run.attempt, result, AT);
        self.write(write);
    }

    fn quiet(&mut self, state: &mut SessionState) {
        if let Some(quiet) = self.quiet.take() {
            let follow = state.settled(quiet, AT);
            self.follow(follow);
        }
    }

    fn turn(&mut self, id: TurnId) -> &mut Stored {
        let turn = self.turns.iter_mut().find(|turn| turn.row.id == id).expect("it is there");
        assert_eq!(turn.end, None, "a turn ends once");
        turn
    }

    fn nothing_runs(&self) -> bool {
        !self.turns.iter().any(|turn| turn.end.is_none() && turn.row.state == TurnState::Running)
    }

    fn number(&mut self) -> i64 {
        self.seq += 1;
        self.seq
    }

    /// What the store does with a write.
    fn store(&mut self, write: &Write) -> Answer {
        match write {
            Write::Accept(accept) => return self.store_input(accept),
            Write::Start { next, .. } => self.begin(next.turn),
            Write::Restart(restart) => {
                let turn = self.turn(restart.turn);
                (turn.row.state, turn.row.attempt) = (TurnState::Running, restart.attempt);
                turn.row.charged = restart.charged;
            }
            Write::Step(step) => {
                assert!(self.steps.insert((step.turn, step.step)), "a finished step ran again");
                let said = Said::new(self.seq + 1, Role::Assistant, step.said.text.as_str());
                self.turn(step.turn).said.push((Some(step.saw), said));
            }
            Write::End(end) => return self.store_end(end),
            other => panic!("not a session's write: {other:?}"),
        }
        Answer::Done(self.number())
    }

    fn store_input(&mut self, accept: &AcceptTurn) -> Answer {
        if self.inputs.contains_key(&accept.inbox.event) {
            return Answer::Duplicate;
        }
        match accept.entry {
            Entry::Joins => {
                if !self.turns.iter().any(|turn| turn.row.id == accept.turn && turn.end.is_none()) {
                    return Answer::Closed;
                }
            }
            entry => {
                assert!(entry != Entry::Starts || self.nothing_runs(), "two turns at once");
                let state = if entry == Entry::Starts { TurnState::Running } else { TurnState::Queued };
                let collects = entry == Entry::Waits { collects: true };
                let route = accept.route.clone();
                let row = OpenTurn { id: accept.turn, collects, route, ..open(0, state, 0) };
                self.turns.push(Stored { row, said: Vec::new(), end: None });
            }
        }
        self.inputs.insert(accept.inbox.event.clone(), accept.turn);
        let seq = self.number();
        self.turn(accept.turn).said.push((None, Said::new(seq, Role::User, accept.text.clone())));
        Answer::Done(seq)
    }

    fn store_end(&mut self, end: &EndTurn) -> Answer {
        if let TurnEnd::Finished(_) = &end.end {
            let newest =
                self.turn(end.turn).said.iter().filter(|(saw, _)| saw.is_none()).map(|(_, said)| said.seq).max();
            if newest > Some(end.saw) {
                return Answer::Unseen;
            }
            assert_eq!(self.given, self.dialogue_with(end.turn), "the answer is to all that was said, in order");
        }
        if let Some(text) = end.end.said() {
            let said = Said::new(self.seq + 1, Role::Assistant, text);
            self.turn(end.turn).said.push((Some(i64::MAX), said));
        }
        self.turn(end.turn).end = Some(end.end.clone());
        self.ended.push(end.turn);
        if let Some(next) = &end.next {
            self.begin(next.turn);
        }
        Answer::Done(self.number())
    }

    /// All that was answered, as far as it was said, and one turn more.
    fn dialogue_with(&self, id: TurnId) -> Vec<String> {
        let part = |turn: &&Stored| turn.row.id == id || turn.has_words();
        self.turns.iter().filter(part).flat_map(Stored::dialogue).map(|said| said.text.to_string()).collect()
    }

    fn begin(&mut self, id: TurnId) {
        assert!(self.nothing_runs(), "two turns at once");
        let turn = self.turn(id);
        assert_eq!(turn.row.state, TurnState::Queued);
        turn.row.state = TurnState::Running;
    }

    /// The state hears what became of the oldest write.
    fn writer_answers(&mut self, state: &mut SessionState) {
        let Some((write, ask)) = self.sent.pop_front() else { return };
        let answer = self.store(&write);
        let follow = match (write, answer, ask) {
            (Write::Accept(accept), Answer::Done(seq), Some(ask)) => {
                let (accepted, follow) = state.accepted(ask.turn, seq, accept.title, AT);
                assert_eq!(accepted.turn, self.inputs[&ask.inbox.event], "its poster is told its turn");
                follow
            }
            (Write::Accept(_), answer, Some(ask)) => {
                let follow = state.not_accepted(ask.turn, AT);
                if answer == Answer::Closed {
                    self.submit(state, ask);
                }
                follow
            }
            (Write::Start { next, .. }, _, _) => state.started(next.turn, AT),
            (Write::Restart(restart), _, _) => state.started(restart.turn, AT),
            (Write::Step(step), _, _) => state.started(step.turn, AT),
            (Write::End(end), Answer::Unseen, _) => {
                Follow::write(Some(state.unseen(end.end, AT).expect("the input is known")))
            }
            (Write::End(end), _, _) => state.ended(&end.end, end.next, AT),
            other => panic!("not a session's write: {other:?}"),
        };
        self.follow(follow);
    }

    /// The process dies after so many of the writes under way, and comes back.
    fn crash(&mut self, written: usize) -> SessionState {
        for (write, _) in self.sent.drain(..).take(written).collect::<Vec<_>>() {
            self.store(&write);
        }
        (self.run, self.said, self.quiet) = (None, None, None);
        let open = self.turns.iter().filter(|turn| turn.end.is_none());
        let open = open.map(|turn| OpenTurn { said: turn.dialogue(), ..turn.row.clone() }).collect();
        let answered = self.turns.iter().filter(|turn| turn.has_words());
        let said = answered.flat_map(Stored::dialogue).map(|said| ChatMessage::new(said.role, said.text));
        let snapshot = Snapshot { context: said.collect(), ..snapshot(open) };
        let mut state = SessionState::new(snapshot, 1, KEEP, false, true);
        let resumed = state.resume(None, AT);
        self.follow(resumed);
        state
    }
}

/// More than is said here.
const KEEP: usize = 1_000_000;

/// More than it takes to settle what 160 steps left behind.
const ROUNDS: u32 = 10_000;

proptest! {
    #[test]
    fn every_accepted_turn_ends_once_in_order_whatever_happens(steps in prop::collection::vec(step(), 1..160)) {
        let mut state = SessionState::new(snapshot(Vec::new()), 1, KEEP, false, true);
        let mut world = World::default();
        for step in steps {
            match step {
                Step::Submit(mode) => {
                    world.asked += 1;
                    let ask = SubmitTurn { mode: Some(mode), ..ask(world.asked) };
                    world.submit(&mut state, ask);
                }
                Step::Repeat(mode) => {
                    world.asked += 1;
                    let ask = SubmitTurn { turn: turn(world.asked), mode: Some(mode), ..ask(world.asked / 2) };
                    world.submit(&mut state, ask);
                }
                Step::WriterAnswers => world.writer_answers(&mut state),
                Step::Quiet => world.quiet(&mut state),
                Step::RunSpeaks => if world.run.is_some() {
                    let number = world.asked;
                    world.said.get_or_insert_default().push_str(&format!("words {number} "));
                },
                Step::RunEnds => world.run_ends(&mut state, true),
                Step::RunFails => world.run_ends(&mut state, false),
                Step::RunDies => if let Some(run) = world.run.take() {
                    let write = state.run_died(run.turn, run.attempt, AT);
                    world.write(write);
                },
                Step::Cancel => if let Cancel::Now(end) = state.cancel(None, AT) {
                    world.write(Some(Write::End(end)));
                },
                Step::Crash(written) => state = world.crash(written),
            }
        }
        // The faults stop: all that was accepted must come to its end.
        let mut rounds = 0;
        while !world.sent.is_empty() || world.run.is_some() || world.quiet.is_some() {
            rounds += 1;
            prop_assert!(rounds < ROUNDS, "state and writer answer each other for ever");
            world.writer_answers(&mut state);
            world.run_ends(&mut state, true);
            if world.sent.is_empty() {
                world.quiet(&mut state);
            }
        }
        prop_assert!(state.is_idle());
        let accepted: Vec<_> = world.turns.iter().map(|turn| turn.row.id).collect();
        prop_assert_eq!(&world.ended, &accepted, "each once, in the order of acceptance");
        let inputs: usize = world.turns.iter().flat_map(|turn| &turn.said).filter(|(_, said)| said.role == Role::User).count();
        prop_assert_eq!(inputs, world.inputs.len(), "each input is part of one turn");
    }
}
