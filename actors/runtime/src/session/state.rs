//! What a session decides, without doing any of it: messages in, writes and runs out.
//!
//! A turn goes through `accepting` (sent to the writer), `queue` (stored, waiting) and `active` (its start is written
//! or being written). Every answer of the writer comes back through a method here, which says what follows.

use std::collections::VecDeque;

use mosaic_messages::{Accepted, SubmitTurn};
use mosaic_types::event::{EventBody, FinishedTurn, StepKind};
use mosaic_types::journal::{
    AcceptTurn, ChangeSession, EndTurn, RestartTurn, SessionPhase, SessionRow, Snapshot, StartTurn, TurnEnd, TurnState,
    Write,
};
use mosaic_types::{AgentName, ChatMessage, Code, Epoch, Failure, Principal, Role, Timestamp, TurnId, limits};

use super::parts::{Active, Begin, Cancel, Follow, Input, Phase, Submission};
use super::title;

/// Deaths of its own run, or of its session while handling it, after which a turn is given up.
const DEATHS: u32 = 3;

/// A session's memory.
#[derive(Debug)]
pub(super) struct SessionState {
    pub(super) row: SessionRow,
    epoch: Epoch,
    /// Exchanges of finished turns, oldest first.
    history: VecDeque<ChatMessage>,
    history_bytes: usize,
    keep_bytes: usize,
    queue: VecDeque<Input>,
    accepting: VecDeque<Input>,
    active: Option<Active>,
    last_input: Option<(TurnId, [u8; 32])>,
}

impl SessionState {
    /// Rebuilds a session from what was stored. `keep_bytes`: how much text of old exchanges is worth keeping.
    /// `crashed`: its last life ended in a crash, which is charged to the turn that ran.
    pub(super) fn new(snapshot: Snapshot, epoch: Epoch, keep_bytes: usize, crashed: bool) -> Self {
        let mut state = Self {
            row: snapshot.row,
            epoch,
            history: VecDeque::new(),
            history_bytes: 0,
            keep_bytes,
            queue: VecDeque::new(),
            accepting: VecDeque::new(),
            active: None,
            last_input: snapshot.last_input,
        };
        snapshot.context.into_iter().for_each(|message| state.remember(message));
        for open in snapshot.open {
            let input = Input { turn: open.id, model: open.model, text: open.text, hash: open.body_hash };
            if open.state == TurnState::Running && state.active.is_none() {
                let charged = open.charged + u32::from(crashed);
                state.active = Some(Active { attempt: open.attempt, charged, ..Active::new(input) });
            } else {
                state.queue.push_back(input);
            }
        }
        state
    }

    /// What must be written first in a new life: the turn that was cut off begins again, or the next one starts.
    pub(super) fn resume(&mut self, at: Timestamp) -> Option<Write> {
        match &self.active {
            Some(active) if active.charged >= DEATHS => Some(self.give_up(at)),
            Some(_) => Some(self.restart(at)),
            None => self.start_next(at),
        }
    }

    /// Whether `who` may see this session; to others it does not exist.
    pub(super) fn admit(&self, who: Principal) -> Result<(), Failure> {
        if who.may_see(self.row.user, &self.row.channel) { Ok(()) } else { Err(Failure::not_found("session")) }
    }

    /// Decides on an input.
    pub(super) fn submit(&mut self, ask: &SubmitTurn, at: Timestamp) -> Result<Submission, Failure> {
        self.admit(ask.from)?;
        if ask.repeats_last
            && let Some((turn, hash)) = self.last_input
            && hash == ask.body_hash
        {
            return self.repeat(turn, true).map(Submission::Attach);
        }
        if self.queue.len() + self.accepting.len() >= limits::QUEUED_TURNS + usize::from(self.active.is_none()) {
            let sentence = format!(
                "{} messages wait in this session already. Wait for an answer, or cancel the running turn.",
                limits::QUEUED_TURNS
            );
            return Err(Failure::new(Code::Busy, sentence).after(std::time::Duration::from_secs(5)));
        }
        let input = Input { turn: ask.turn, model: ask.model.clone(), text: ask.text.clone(), hash: ask.body_hash };
        let start = self.active.is_none() && self.queue.is_empty() && self.accepting.is_empty();
        let title = self.row.title.is_empty().then(|| title::of(&ask.text));
        if start {
            self.active = Some(Active::new(input.clone()));
        } else {
            self.accepting.push_back(input);
        }
        Ok(Submission::Write(Box::new(AcceptTurn {
            session: self.row.id.clone(),
            epoch: self.epoch,
            turn: ask.turn,
            inbox: ask.inbox.clone(),
            body_hash: ask.body_hash,
            text: ask.text.clone(),
            agent: self.row.agent.clone(),
            model: ask.model.clone(),
            start,
            title,
            at,
        })))
    }

    /// The input is stored.
    pub(super) fn accepted(&mut self, turn: TurnId, title: Option<String>, at: Timestamp) -> (Accepted, Follow) {
        if let Some(title) = title {
            self.row.title = title;
        }
        self.row.updated_at = at;
        let accepted = |state| Accepted { turn, state, attached: false };
        if self.active.as_ref().is_some_and(|active| active.input.turn == turn) {
            self.note_last(turn);
            return (accepted(TurnState::Running), self.go(at));
        }
        if let Some(index) = self.accepting.iter().position(|input| input.turn == turn)
            && let Some(input) = self.accepting.remove(index)
        {
            self.queue.push_back(input);
        }
        self.note_last(turn);
        (accepted(TurnState::Queued), Follow { begin: None, write: self.start_next(at) })
    }

    /// The input is not stored: it was known already, or the store refused it.
    pub(super) fn not_accepted(&mut self, turn: TurnId, at: Timestamp) -> Follow {
        self.accepting.retain(|input| input.turn != turn);
        if self.active.as_ref().is_some_and(|active| active.input.turn == turn && active.phase == Phase::Starting) {
            self.active = None;
        }
        Follow { begin: None, write: self.start_next(at) }
    }

    /// The start or restart of the active turn is stored.
    pub(super) fn started(&mut self, turn: TurnId, at: Timestamp) -> Follow {
        let ours = self.active.as_ref().is_some_and(|active| active.input.turn == turn);
        if ours { self.go(at) } else { Follow::default() }
    }

    /// The run reported its end; `None` where that run is no longer wanted.
    pub(super) fn run_ended(
        &mut self,
        turn: TurnId,
        attempt: u32,
        result: Result<FinishedTurn, Failure>,
        at: Timestamp,
    ) -> Option<Write> {
        if !self.runs(turn, attempt) {
            return None;
        }
        let (end, steps) = match result {
            Ok(finished) => {
                let name = format!("{}/{}", finished.provider, finished.model);
                let step = EventBody::StepFinished { kind: StepKind::Model, name, ok: true };
                (TurnEnd::Finished(finished), vec![step])
            }
            Err(failure) => {
                let message = failure.message.into_owned();
                (TurnEnd::Failed { code: failure.code, message }, Vec::new())
            }
        };
        self.end(end, steps, at).map(Write::End)
    }

    /// The run died: its turn begins again, or is given up. `None` where that run is no longer wanted.
    pub(super) fn run_died(&mut self, turn: TurnId, attempt: u32, at: Timestamp) -> Option<Write> {
        if !self.runs(turn, attempt) {
            return None;
        }
        let active = self.active.as_mut()?;
        active.charged += 1;
        if active.charged >= DEATHS { Some(self.give_up(at)) } else { Some(self.restart(at)) }
    }

    /// Cancels the active turn.
    pub(super) fn cancel(&mut self, at: Timestamp) -> Cancel {
        match &mut self.active {
            Some(active) if active.phase == Phase::Starting => {
                active.unwanted = true;
                Cancel::Soon
            }
            Some(active) if active.phase == Phase::Running => {
                self.end(TurnEnd::Cancelled, Vec::new(), at).map_or(Cancel::Nothing, Cancel::Now)
            }
            _ => Cancel::Nothing,
        }
    }

    /// The end of the active turn is stored, and with it the start of `next`.
    pub(super) fn ended(&mut self, end: &TurnEnd, next: Option<TurnId>, at: Timestamp) -> Follow {
        self.row.updated_at = at;
        if let (Some(active), TurnEnd::Finished(finished)) = (self.active.take(), end) {
            self.remember(ChatMessage::new(Role::User, active.input.text));
            self.remember(ChatMessage::new(Role::Assistant, finished.text.as_str()));
        }
        if let Some(next) = next {
            let position = self.queue.iter().position(|input| input.turn == next);
            if let Some(input) = position.and_then(|index| self.queue.remove(index)) {
                self.active = Some(Active::new(input));
                return self.go(at);
            }
        }
        Follow { begin: None, write: self.start_next(at) }
    }

    /// Another agent or title.
    pub(super) fn change(&self, agent: Option<AgentName>, title: Option<String>, at: Timestamp) -> ChangeSession {
        ChangeSession {
            session: self.row.id.clone(),
            epoch: self.epoch,
            agent: agent.unwrap_or_else(|| self.row.agent.clone()),
            title: title.unwrap_or_else(|| self.row.title.clone()),
            at,
        }
    }

    /// The change is stored.
    pub(super) fn changed(&mut self, change: &ChangeSession) -> SessionRow {
        self.row.agent = change.agent.clone();
        self.row.title.clone_from(&change.title);
        self.row.updated_at = change.at;
        let mut row = self.row.clone();
        row.state = if self.active.is_some() { SessionPhase::Running } else { SessionPhase::Idle };
        row
    }

    /// Whether nothing waits, runs or is being written.
    pub(super) fn is_idle(&self) -> bool {
        self.active.is_none() && self.queue.is_empty() && self.accepting.is_empty()
    }

    /// The answer to an input whose key names a turn already.
    pub(super) fn repeat(&self, turn: TurnId, same_body: bool) -> Result<Accepted, Failure> {
        if same_body {
            return Ok(Accepted { turn, state: self.state_of(turn), attached: true });
        }
        let sentence = "This idempotency key was used for another message. Use a new key for a new message.";
        Err(Failure::new(Code::IdempotencyConflict, sentence))
    }

    /// Where a turn of this session stands, as far as is remembered: one that is not here has ended.
    fn state_of(&self, turn: TurnId) -> TurnState {
        match &self.active {
            Some(active) if active.input.turn == turn => TurnState::Running,
            _ if self.queue.iter().chain(&self.accepting).any(|input| input.turn == turn) => TurnState::Queued,
            _ => TurnState::Finished,
        }
    }

    fn runs(&self, turn: TurnId, attempt: u32) -> bool {
        self.active.as_ref().is_some_and(|active| {
            active.input.turn == turn && active.attempt == attempt && active.phase == Phase::Running
        })
    }

    /// The start of the active turn is stored: its run begins, unless nobody wants it any more.
    fn go(&mut self, at: Timestamp) -> Follow {
        if self.active.as_ref().is_some_and(|active| active.unwanted) {
            return Follow { begin: None, write: self.end(TurnEnd::Cancelled, Vec::new(), at).map(Write::End) };
        }
        Follow { begin: self.begin(), write: None }
    }

    fn begin(&mut self) -> Option<Begin> {
        let active = self.active.as_mut()?;
        active.phase = Phase::Running;
        let input = ChatMessage::new(Role::User, active.input.text.clone());
        Some(Begin {
            turn: active.input.turn,
            attempt: active.attempt,
            agent: self.row.agent.clone(),
            model: active.input.model.clone(),
            dialogue: self.history.iter().cloned().chain([input]).collect(),
        })
    }

    fn restart(&mut self, at: Timestamp) -> Write {
        let active = self.active.as_mut().expect("only an active turn begins again");
        active.attempt += 1;
        active.phase = Phase::Starting;
        Write::Restart(RestartTurn {
            session: self.row.id.clone(),
            epoch: self.epoch,
            turn: active.input.turn,
            attempt: active.attempt,
            charged: active.charged,
            at,
        })
    }

    fn give_up(&mut self, at: Timestamp) -> Write {
        let message = format!(
            "Answering this message crashed {DEATHS} times, so it is not tried again. The session goes on; the log has \
             the cause."
        );
        let end = self.end(TurnEnd::Failed { code: Code::Crashed, message }, Vec::new(), at);
        Write::End(end.expect("only an active turn crashes"))
    }

    fn end(&mut self, end: TurnEnd, steps: Vec<EventBody>, at: Timestamp) -> Option<Box<EndTurn>> {
        let active = self.active.as_mut()?;
        active.phase = Phase::Ending;
        let next = self.queue.front().map(|input| StartTurn { turn: input.turn, agent: self.row.agent.clone() });
        Some(Box::new(EndTurn {
            session: self.row.id.clone(),
            epoch: self.epoch,
            turn: active.input.turn,
            agent: self.row.agent.clone(),
            end,
            steps,
            next,
            at,
        }))
    }

    /// Starts the first that waits, where nothing is active. What waits usually starts in the write that ends the turn
    /// before it; this is for what was accepted while that write was under way.
    fn start_next(&mut self, at: Timestamp) -> Option<Write> {
        if self.active.is_some() {
            return None;
        }
        let input = self.queue.pop_front()?;
        let next = StartTurn { turn: input.turn, agent: self.row.agent.clone() };
        self.active = Some(Active::new(input));
        Some(Write::Start { session: self.row.id.clone(), epoch: self.epoch, next, at })
    }

    fn note_last(&mut self, turn: TurnId) {
        let active = self.active.iter().map(|active| &active.input);
        if let Some(input) = active.chain(&self.queue).find(|input| input.turn == turn) {
            self.last_input = Some((turn, input.hash));
        }
    }

    fn remember(&mut self, message: ChatMessage) {
        self.history_bytes += message.text.len();
        self.history.push_back(message);
        while self.history_bytes > self.keep_bytes && self.history.len() > 2 {
            // An exchange goes as a whole: its question, then all up to the next question.
            loop {
                let Some(gone) = self.history.pop_front() else { return };
                self.history_bytes -= gone.text.len();
                if self.history.front().is_none_or(|first| first.role == Role::User) {
                    break;
                }
            }
        }
    }
}
