//! One session as it is shown: what was said, what runs, what waits to be taken in.
//!
//! It is made of the session's events alone, so that it looks the same whoever wrote in it and however often the
//! connection broke. What a person has typed here is shown from the first moment on as [`Pending`], until its own event
//! comes.

mod editing;
mod ended;
mod entry;
mod older;
mod pending;

use mosaic_types::event::{Part, StepKind};
use mosaic_types::tool::ToolStep;
use mosaic_types::{AgentName, Code, EventBody, FinishedTurn, Seq, SessionEvent, SessionId, TurnId};

use super::doc::Doc;
use super::file::File;
pub(crate) use editing::Editing;
pub(crate) use entry::{Answer, Entry, Kind, Progress};
use entry::{told, told_tool};
pub(crate) use pending::Pending;

/// Bytes of a model's thinking that are kept: the newest.
const THINKING_BYTES: usize = 4 << 10;

/// The turn that runs.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Running {
    pub(crate) turn: TurnId,
    /// The call under way.
    pub(crate) call: Option<String>,
    /// Cancelling was asked for here; the text to be given back.
    pub(crate) cancelling: bool,
    attempt: u32,
}

/// A session.
#[derive(Default)]
pub(crate) struct Session {
    /// `None` until its first input made it.
    pub(crate) id: Option<SessionId>,
    pub(crate) agent: Option<AgentName>,
    pub(crate) title: String,
    pub(crate) entries: Vec<Entry>,
    pub(crate) pending: Vec<Pending>,
    pub(crate) running: Option<Running>,
    /// The last journaled event that was heard.
    pub(crate) last: Seq,
    /// The journal was heard to its end once.
    pub(crate) caught_up: bool,
    /// What was typed and not sent.
    pub(crate) draft: String,
    /// Rows between the bottom of the screen and the newest one.
    pub(crate) scroll: usize,
    /// Rows when it was last drawn, so that what is read stays where it is.
    pub(crate) height: usize,
    /// The newest end of a turn.
    pub(crate) finished: Option<Box<FinishedTurn>>,
    /// Of what was said before the first entry, and is not there, the end.
    pub(crate) before: Option<Seq>,
    /// What was said before is on its way.
    pub(crate) loading: bool,
    /// There are entries above those that were drawn last.
    pub(crate) grown_above: bool,
    pub(crate) editing: Option<Editing>,
    /// Files that go with the next message.
    pub(crate) files: Vec<File>,
    /// Answers in place of the agent's models, in a session that is yet to be made.
    pub(crate) model: Option<String>,
    /// It was removed.
    pub(crate) gone: bool,
    /// The first message that left the dialogue, of those before what is shown.
    pub(crate) superseded: Option<Seq>,
}

/// What an event means beyond its session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Meaning {
    Nothing,
    /// A turn ended.
    End,
    /// A turn was cancelled that was to be cancelled from here.
    Cancelled(TurnId),
    /// Agent or title are others.
    Changed,
}

impl Session {
    /// Takes an event in.
    pub(crate) fn hear(&mut self, event: SessionEvent) -> Meaning {
        let turn = event.turn;
        if let Some(seq) = event.seq {
            // Said again after the connection broke.
            if seq <= self.last {
                return Meaning::Nothing;
            }
            self.last = seq;
        }
        let meaning = self.take(event.body, turn);
        self.shorten();
        meaning
    }

    fn take(&mut self, body: EventBody, turn: Option<TurnId>) -> Meaning {
        match (body, turn) {
            (EventBody::TurnAccepted { text, attachments }, Some(turn)) => {
                self.accepted(turn, &text);
                self.forgive();
                let kind = Kind::Person(Doc::plain(text));
                self.entries.push(Entry { files: attachments, ..Entry::new(Some(turn), kind, Some(self.last)) });
            }
            (EventBody::TurnStarted { agent, .. }, Some(turn)) => {
                self.agent = Some(agent);
                self.running = Some(Running { turn, call: None, cancelling: false, attempt: 1 });
                self.answer(turn, 1);
            }
            (EventBody::TurnRestarted { attempt }, Some(turn)) => {
                let cancelling = self.running.as_ref().is_some_and(|running| running.cancelling);
                self.running = Some(Running { turn, call: None, cancelling, attempt });
                self.void(turn);
            }
            (EventBody::TurnDelta { attempt, step, offset, text }, Some(turn)) => {
                self.delta(turn, attempt, step, offset, &text);
            }
            (EventBody::TurnThinking { text }, Some(turn)) => {
                let step = self.step_of(turn, true);
                let Answer { thinking, thought, .. } = self.answer(turn, step);
                *thought += text.len();
                thinking.push_str(&text);
                if thinking.len() > THINKING_BYTES {
                    let from = thinking.ceil_char_boundary(thinking.len() - THINKING_BYTES);
                    thinking.drain(..from);
                }
            }
            (EventBody::StepStarted { name, tool: Some(tool), .. }, Some(turn)) => self.tool(turn, name, &tool, None),
            (EventBody::StepFinished { name, ok, tool: Some(tool), .. }, Some(turn)) => {
                self.tool(turn, name, &tool, Some(ok));
            }
            (EventBody::StepStarted { kind, name, part, .. }, Some(turn)) => {
                if let Some(running) = self.running.as_mut().filter(|running| running.turn == turn) {
                    running.call = Some(name.clone());
                }
                if kind == StepKind::Tool || part.is_some() {
                    self.insert(turn, Kind::Step(name, Progress::Running));
                }
            }
            (EventBody::StepFinished { kind, name, ok, part, .. }, Some(turn)) => {
                self.step_finished(turn, kind, name, ok, part.as_deref());
            }
            (EventBody::TurnFinished(end), Some(turn)) => {
                let step = self.step_of(turn, false);
                let answer = self.answer(turn, step);
                answer.doc.set(&end.text);
                answer.open = false;
                answer.finished = Some(Box::new(end.clone()));
                self.finished = Some(Box::new(end));
                self.end(turn);
                return Meaning::End;
            }
            (EventBody::TurnFailed { message, text, .. }, Some(turn)) => {
                self.cut_short(turn, text.as_deref(), Kind::Note(Doc::plain(message), true));
                return Meaning::End;
            }
            (EventBody::TurnCancelled { text }, Some(turn)) => {
                let ours = self.running.as_ref().is_some_and(|running| running.turn == turn && running.cancelling);
                let told = if text.is_some() { "Stopped." } else { "Cancelled." };
                self.cut_short(turn, text.as_deref(), Kind::Note(Doc::plain(told), false));
                return if ours { Meaning::Cancelled(turn) } else { Meaning::End };
            }
            (EventBody::SessionChanged { agent, title, .. }, _) => {
                (self.agent, self.title) = (Some(agent), title);
                return Meaning::Changed;
            }
            (EventBody::MessagesSuperseded { from }, _) => {
                self.superseded = Some(self.superseded.map_or(from, |before| before.min(from)));
                self.supersede(from);
            }
            (EventBody::DeliveryFailed { message, .. }, Some(turn)) => {
                self.insert(turn, Kind::Note(Doc::plain(message), true));
            }
            _ => {}
        }
        Meaning::Nothing
    }

    fn last_of(&self, turn: TurnId) -> Option<usize> {
        self.entries.iter().rposition(|entry| entry.turn == Some(turn))
    }

    /// Puts an entry behind those of its turn.
    fn insert(&mut self, turn: TurnId, kind: Kind) -> usize {
        let at = self.last_of(turn).map_or(self.entries.len(), |at| at + 1);
        self.entries.insert(at, Entry::new(Some(turn), kind, None));
        at
    }

    /// The newest answer of the turn that still grows.
    fn open_answer(&self, turn: TurnId) -> Option<usize> {
        let open =
            |entry: &Entry| entry.turn == Some(turn) && matches!(&entry.kind, Kind::Answer(answer) if answer.open);
        self.entries.iter().rposition(open)
    }

    /// The step that is under way, as far as it is known. `more`: something is said in it, so that it is not over.
    fn step_of(&self, turn: TurnId, more: bool) -> u32 {
        let at = self.open_answer(turn);
        let step = at.and_then(|at| match &self.entries[at].kind {
            Kind::Answer(answer) => Some(answer.step + u32::from(more && answer.whole)),
            _ => None,
        });
        step.unwrap_or(1)
    }

    /// The answer of that step, made where it is not there.
    fn answer(&mut self, turn: TurnId, step: u32) -> &mut Answer {
        let open = self.open_answer(turn);
        let fits = open.filter(|at| match &mut self.entries[*at].kind {
            // One in which nothing was said yet becomes that of the next step.
            Kind::Answer(answer) if answer.step == step || answer.doc.is_empty() => {
                answer.whole &= answer.step == step;
                answer.step = step;
                true
            }
            Kind::Answer(answer) => {
                answer.open = false;
                false
            }
            _ => false,
        });
        // What a person added meanwhile stands before the answer to it.
        let fits = fits.map(|at| {
            let last = self.last_of(turn).unwrap_or(at);
            let empty = matches!(&self.entries[at].kind, Kind::Answer(answer) if answer.doc.is_empty());
            if at < last && empty {
                let entry = self.entries.remove(at);
                self.entries.insert(last, entry);
                return last;
            }
            at
        });
        let at =
            fits.unwrap_or_else(|| self.insert(turn, Kind::Answer(Answer { step, open: true, ..Answer::default() })));
        match &mut self.entries[at].kind {
            Kind::Answer(answer) => answer,
            _ => unreachable!("an answer was found or made there"),
        }
    }

    fn delta(&mut self, turn: TurnId, attempt: u32, step: u32, offset: usize, text: &str) {
        // What a void attempt still said.
        if self.running.as_ref().is_some_and(|running| running.turn == turn && attempt < running.attempt) {
            return;
        }
        let answer = self.answer(turn, step);
        if offset < answer.chars {
            // The text so far, told again after the connection broke.
            answer.doc.truncate(offset);
            answer.chars = offset;
        }
        answer.doc.append(text);
        answer.chars += text.chars().count();
    }

    /// A tool begins to run, or has ended (`ended`: well or not).
    fn tool(&mut self, turn: TurnId, name: String, tool: &ToolStep, ended: Option<bool>) {
        let asked = told_tool(name.clone(), &ToolStep { result: None, ..tool.clone() });
        if let Some(running) = self.running.as_mut().filter(|running| running.turn == turn) {
            running.call = ended.is_none().then(|| name.clone());
        }
        let (told, progress) = match ended {
            None => (asked.clone(), Progress::Running),
            Some(true) => (told_tool(name, tool), Progress::Good),
            Some(false) => (told_tool(name, tool), Progress::Failed),
        };
        match ended {
            None => drop(self.insert(turn, Kind::Step(told, progress))),
            Some(_) => self.step_over(turn, &asked, told, progress),
        }
    }

    fn step_finished(&mut self, turn: TurnId, kind: StepKind, name: String, ok: bool, part: Option<&Part>) {
        if let Some(running) = self.running.as_mut().filter(|running| running.turn == turn) {
            running.call = None;
        }
        let progress = match part.and_then(|part| part.code) {
            Some(Code::Cancelled) => Progress::Dropped,
            _ if ok => Progress::Good,
            _ => Progress::Bad,
        };
        // That a model answered is told by its answer.
        if kind == StepKind::Model && ok && part.is_none() {
            if let Some(at) = self.open_answer(turn)
                && let Kind::Answer(answer) = &mut self.entries[at].kind
            {
                answer.whole = true;
            }
        } else {
            self.step_over(turn, &name, told(name.clone(), part), progress);
        }
    }

    /// What had begun as `begun` is told so from now on.
    fn step_over(&mut self, turn: TurnId, begun: &str, told: String, progress: Progress) {
        let running = self.entries.iter_mut().rev().find(|entry| {
            entry.turn == Some(turn) && matches!(&entry.kind, Kind::Step(known, Progress::Running) if known == begun)
        });
        match running {
            Some(entry) => entry.kind = Kind::Step(told, progress),
            None => {
                let at = self.insert(turn, Kind::Step(told, progress));
                // It stands before the answer that still is to come.
                if let Some(open) = self.open_answer(turn).filter(|open| *open < at)
                    && matches!(&self.entries[open].kind, Kind::Answer(answer) if answer.doc.is_empty())
                {
                    self.entries.swap(open, at);
                }
            }
        }
    }

    /// The turn begins again after its finished steps: what was said since is void.
    fn void(&mut self, turn: TurnId) {
        if let Some(at) = self.open_answer(turn) {
            if let Kind::Answer(answer) = &mut self.entries[at].kind {
                let step = answer.step;
                *answer = Answer { step, open: true, ..Answer::default() };
            }
        } else {
            self.answer(turn, 1);
        }
        self.entries
            .retain(|entry| !(entry.turn == Some(turn) && matches!(entry.kind, Kind::Step(_, Progress::Running))));
    }

    /// The input that was accepted under `from` leaves the dialogue, with all that came after it.
    fn supersede(&mut self, from: Seq) {
        let Some(at) = self.entries.iter().position(|entry| entry.seq.is_some_and(|seq| seq >= from)) else { return };
        let stays = |turn: TurnId| {
            self.entries[..at].iter().any(|entry| entry.turn == Some(turn) && entry.seq.is_some())
                && self.entries[at].turn != Some(turn)
        };
        // Answers to what was accepted before may stand behind it.
        let kept = |number: usize| number < at || self.entries[number].turn.is_some_and(stays);
        let mut kept = (0..self.entries.len()).map(kept).collect::<Vec<bool>>().into_iter();
        self.entries.retain(|_| kept.next().unwrap_or(true));
    }

    /// What a person said in that turn last.
    pub(crate) fn input_of(&self, turn: TurnId) -> Option<&str> {
        self.entries.iter().rev().find_map(|entry| match &entry.kind {
            Kind::Person(doc) if entry.turn == Some(turn) => Some(doc.text()),
            _ => None,
        })
    }

    /// The newest answer that has a text.
    pub(crate) fn last_answer(&self) -> Option<&str> {
        self.entries.iter().rev().find_map(|entry| match &entry.kind {
            Kind::Answer(answer) if !answer.doc.is_empty() => Some(answer.doc.text()),
            _ => None,
        })
    }

    /// A sentence that belongs to no turn.
    pub(crate) fn note(&mut self, text: &str, bad: bool) {
        self.entries.push(Entry::new(None, Kind::Note(Doc::plain(text), bad), None));
    }

    /// Forgets what was heard, to hear it again from the beginning.
    pub(crate) fn forget(&mut self) {
        self.entries.clear();
        (self.last, self.running, self.caught_up, self.scroll) = (0, None, false, 0);
        (self.before, self.loading, self.superseded) = (None, false, None);
    }
}
