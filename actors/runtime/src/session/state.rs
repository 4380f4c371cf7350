//! What a session decides, without doing any of it: messages in, writes and runs out.
//!
//! A turn goes through `queue` (waiting, or still on its way to the store) and `active` (its start is written or being
//! written). Every answer of the writer comes back through a method here or in `progress`, which says what follows;
//! they come in the order in which the writes were sent.

use std::collections::VecDeque;

use mosaic_messages::{Accepted, Change, SubmitTurn};
use mosaic_tools::Tools;
use mosaic_types::command::ModelWish;
use mosaic_types::journal::{AcceptTurn, ChangeSession, Entry, SessionPhase, SessionRow, Snapshot, TurnState};
use mosaic_types::outbox::Conversation;
use mosaic_types::routing::{Need, Route};
use mosaic_types::{
    ChatMessage, Code, Epoch, Failure, ModelRef, Principal, QueueMode, Role, Seq, Timestamp, TurnId, attachment, limits,
};

use super::history::History;
use super::parts::{Active, Follow, Incoming, Phase, Settle, Submission, Turn};
use super::title;
use crate::routing::{Asked, Routing, attached, read_of, tokens_of};

/// What is said in a turn, as far as rules look at it.
pub(super) struct Said<'a> {
    pub(super) texts: &'a [&'a str],
    /// Text in files, in bytes.
    pub(super) attached: usize,
    pub(super) needs: &'a [Need],
}

/// A session's memory.
#[derive(Debug)]
pub(super) struct SessionState {
    pub(super) row: SessionRow,
    pub(super) epoch: Epoch,
    /// A turn that collects waits for more before it starts.
    debounced: bool,
    pub(super) history: History,
    /// In the order in which they were asked for.
    pub(super) queue: VecDeque<Turn>,
    pub(super) active: Option<Active>,
    /// It is about to be removed: nothing begins any more.
    pub(super) leaving: bool,
    /// Inputs on their way to the store.
    incoming: Vec<Incoming>,
    /// Says which models answer a turn that begins.
    routing: Routing,
    last_input: Option<(TurnId, [u8; 32])>,
    /// Says of a call that was cut off whether it may run again.
    pub(super) tools: Tools,
}

impl SessionState {
    /// Rebuilds a session from what was stored. `keep_bytes`: how much text of old exchanges is worth keeping.
    /// `crashed`: its last life ended in a crash, which is charged to the turn that ran.
    pub(super) fn new(snapshot: Snapshot, epoch: Epoch, keep_bytes: usize, crashed: bool, debounced: bool) -> Self {
        let mut state = Self {
            row: snapshot.row,
            epoch,
            debounced,
            history: History::new(keep_bytes, snapshot.context),
            queue: VecDeque::new(),
            active: None,
            leaving: false,
            incoming: Vec::new(),
            routing: Routing::default(),
            last_input: snapshot.last_input,
            tools: Tools::default(),
        };
        for open in snapshot.open {
            if open.state == TurnState::Running && state.active.is_none() {
                state.active = Some(Active::stored(open, crashed));
            } else {
                state.queue.push_back(Turn::stored(open));
            }
        }
        state
    }

    /// With rules by which turns go from here on.
    pub(super) fn routed(self, routing: Routing) -> Self {
        Self { routing, ..self }
    }

    /// With the tools there are.
    pub(super) fn equipped(self, tools: Tools) -> Self {
        Self { tools, ..self }
    }

    /// What a rule says of a turn that begins; `None`: none does, or a model was named, which goes before them all.
    pub(super) fn route(&self, turn: &Turn, said: Said<'_>, at: Timestamp) -> Option<Box<Route>> {
        if turn.model.is_some() || self.row.model.is_some() {
            return None;
        }
        let (agent, channel) = (&self.row.agent, self.row.channel.as_str());
        let Said { texts, attached, needs } = said;
        let tokens = tokens_of(texts.iter().copied()) + read_of(attached);
        let (user, session) = (self.row.user, Some(&self.row.id));
        self.routing.route(Asked { user, session, texts, attached, agent, channel, needs, tokens, at })
    }

    /// Whether `who` may see this session; to others it does not exist.
    pub(super) fn admit(&self, who: Principal) -> Result<(), Failure> {
        if who.may_see(self.row.user, &self.row.channel) { Ok(()) } else { Err(Failure::not_found("session")) }
    }

    /// Decides on an input.
    pub(super) fn submit(&mut self, ask: &SubmitTurn, mode: QueueMode, at: Timestamp) -> Result<Submission, Failure> {
        self.admit(ask.from)?;
        if ask.repeats_last
            && let Some((turn, hash)) = self.last_input
            && hash == ask.body_hash
        {
            return self.repeat(turn, true).map(Submission::Attach);
        }
        if ask.replaces.is_some() && !self.is_idle() {
            let sentence = "Something runs or waits in this session. Wait for its end or cancel it, then ask again.";
            return Err(Failure::new(Code::Running, sentence));
        }
        if self.waiting() >= limits::WAITING_INPUTS + usize::from(self.active.is_none()) {
            let sentence = format!(
                "{} messages wait in this session already. Wait for an answer, or cancel the running turn.",
                limits::WAITING_INPUTS
            );
            return Err(Failure::new(Code::Busy, sentence).after(std::time::Duration::from_secs(5)));
        }
        let (turn, entry) = match ask.replaces {
            // Nothing runs, and what it stands for has left: there is nothing to wait for or to join.
            Some(_) => self.start(ask, at),
            None => self.place(ask, mode, at),
        };
        let starting = self.active.as_ref().filter(|_| entry == Entry::Starts);
        let route = starting.and_then(|active| active.route.clone());
        let title = self.row.title.is_empty().then(|| title::of(&ask.text));
        let said = ChatMessage::new(Role::User, ask.text.clone()).with(attachment::rows(&ask.attachments));
        let hash = ask.body_hash;
        let delivers = Conversation::of(&ask.inbox).is_some();
        self.incoming.push(Incoming { input: ask.turn, turn, mode, said, hash, delivers });
        Ok(Submission::Write(Box::new(AcceptTurn {
            session: self.row.id.clone(),
            epoch: self.epoch,
            turn,
            inbox: ask.inbox.clone(),
            body_hash: ask.body_hash,
            text: ask.text.clone(),
            attachments: ask.attachments.clone(),
            replaces: ask.replaces,
            agent: self.row.agent.clone(),
            model: ask.model.clone(),
            entry,
            route,
            title,
            reply_to: ask.reply_to.clone(),
            at,
        })))
    }

    /// Finds the turn that an input joins, or makes it one of its own.
    fn place(&mut self, ask: &SubmitTurn, mode: QueueMode, at: Timestamp) -> (TurnId, Entry) {
        let model = ask.model.as_ref();
        let joined = match mode {
            QueueMode::Queue => None,
            // The newest one only: what came before it must not be overtaken.
            QueueMode::Collect => self.queue.back_mut().filter(|last| last.collects && last.takes(model)),
            QueueMode::Steer | QueueMode::Interrupt => self.running_for(model),
        };
        if let Some(turn) = joined {
            turn.writing += 1;
            return (turn.id, Entry::Joins);
        }
        let collects = mode == QueueMode::Collect;
        if self.active.is_none() && self.queue.is_empty() && !(collects && self.debounced) {
            self.start(ask, at)
        } else {
            self.queue.push_back(Turn::new(ask.turn, ask.model.clone(), collects));
            (ask.turn, Entry::Waits { collects })
        }
    }

    /// Makes it a turn that is active at once.
    fn start(&mut self, ask: &SubmitTurn, at: Timestamp) -> (TurnId, Entry) {
        let turn = Turn::new(ask.turn, ask.model.clone(), false);
        let sees = ask.attachments.iter().any(|file| file.row.is_picture());
        let needs = if sees { &[Need::Vision][..] } else { &[] };
        let attached = attached(ask.attachments.iter().map(|file| &file.row));
        let route = self.route(&turn, Said { texts: &[&ask.text], attached, needs }, at);
        self.active = Some(Active { route, ..Active::new(turn, self.row.agent.clone()) });
        (ask.turn, Entry::Starts)
    }

    /// What was said is only this any more: an input took the place of one before it.
    pub(super) fn rewind(&mut self, said: Vec<ChatMessage>) {
        self.history.reset(said);
    }

    /// How much text of old exchanges is worth keeping, in bytes.
    pub(super) fn keep_bytes(&self) -> usize {
        self.history.keep_bytes()
    }

    /// The running turn, where it can still take in an input.
    fn running_for(&mut self, model: Option<&ModelRef>) -> Option<&mut Turn> {
        let active = self.active.as_mut().filter(|active| active.phase != Phase::Ending && !active.unwanted)?;
        Some(&mut active.turn).filter(|turn| turn.takes(model))
    }

    /// The input is stored, under this number.
    pub(super) fn accepted(
        &mut self,
        input: TurnId,
        seq: Seq,
        title: Option<String>,
        at: Timestamp,
    ) -> (Accepted, Follow) {
        if let Some(title) = title {
            self.row.title = title;
        }
        self.row.archived = false;
        self.row.updated_at = at;
        let Some(Incoming { turn, mode, said, hash, delivers, .. }) = self.arrived(input) else {
            return (self.attached(input, false), Follow::default());
        };
        self.last_input = Some((turn, hash));
        let mut follow = Follow::default();
        if let Some(active) = self.active.as_mut().filter(|active| active.turn.id == turn) {
            let first = !active.turn.is_stored();
            active.turn.writing -= 1;
            active.turn.inputs += 1;
            active.turn.newest = seq;
            active.turn.delivers |= delivers;
            if first {
                active.turn.hear(said);
                follow = self.go(at);
            } else {
                active.unseen.push(said);
                if mode == QueueMode::Interrupt && active.phase == Phase::Running {
                    follow.write = Some(self.restart(at));
                }
            }
        } else if let Some(waiting) = self.queue.iter_mut().find(|waiting| waiting.id == turn) {
            waiting.writing -= 1;
            waiting.inputs += 1;
            waiting.newest = seq;
            waiting.delivers |= delivers;
            waiting.settled = false;
            waiting.hear(said);
            follow = Follow { write: self.start_next(at), settle: self.settling(turn), begin: None };
        }
        (self.attached(turn, false), follow)
    }

    /// The input is not stored: it was known already, the turn it was to join is over, or the store refused it.
    pub(super) fn not_accepted(&mut self, input: TurnId, at: Timestamp) -> Follow {
        let Some(incoming) = self.arrived(input) else { return Follow::default() };
        // Answers come in order, so a turn that is not stored yet lost the input that was to make it: it will never be
        // there. It goes at once; kept for those who joined it meanwhile, it would take them in again, and lose them
        // again, for ever.
        if let Some(active) = self.active.as_mut().filter(|active| active.turn.id == incoming.turn) {
            active.turn.writing -= 1;
            if !active.turn.is_stored() {
                self.active = None;
            }
        } else if let Some(waiting) = self.queue.iter_mut().find(|waiting| waiting.id == incoming.turn) {
            waiting.writing -= 1;
            self.queue.retain(|waiting| waiting.is_stored() || waiting.id != incoming.turn);
        }
        Follow::write(self.start_next(at))
    }

    fn arrived(&mut self, input: TurnId) -> Option<Incoming> {
        let index = self.incoming.iter().position(|incoming| incoming.input == input)?;
        Some(self.incoming.remove(index))
    }

    /// The turn may start where nothing came after so many inputs.
    fn settling(&self, turn: TurnId) -> Option<Settle> {
        let waiting = self.queue.iter().find(|waiting| waiting.id == turn)?;
        (self.debounced && waiting.collects).then_some(Settle { turn, inputs: waiting.inputs })
    }

    /// As [`settling`](Self::settling), of the turn that a life before left behind.
    pub(super) fn settling_newest(&self) -> Option<Settle> {
        self.queue.back().and_then(|newest| self.settling(newest.id))
    }

    /// A turn that collects was left alone for a while.
    pub(super) fn settled(&mut self, quiet: Settle, at: Timestamp) -> Follow {
        let waiting = self.queue.iter_mut().find(|waiting| waiting.id == quiet.turn);
        if let Some(waiting) = waiting.filter(|waiting| waiting.inputs == quiet.inputs) {
            waiting.settled = true;
        }
        Follow::write(self.start_next(at))
    }

    /// The first that waits, where it may start: one that collects does so no more when another stands behind it.
    pub(super) fn next(&self) -> Option<&Turn> {
        let alone = self.queue.len() == 1;
        let held = |turn: &Turn| turn.collects && self.debounced && alone && !turn.settled;
        self.queue.front().filter(|turn| !self.leaving && turn.is_stored() && !held(turn))
    }

    /// What the session is to be like.
    pub(super) fn change(&self, ask: Change, at: Timestamp) -> ChangeSession {
        let row = &self.row;
        ChangeSession {
            session: row.id.clone(),
            epoch: self.epoch,
            user: ask.owner.unwrap_or(row.user),
            agent: ask.agent.unwrap_or_else(|| row.agent.clone()),
            title: ask.title.unwrap_or_else(|| row.title.clone()),
            archived: ask.archived.unwrap_or(row.archived),
            model: ask.model.map_or_else(|| row.model.clone(), ModelWish::model),
            at,
        }
    }

    /// The change is stored.
    pub(super) fn changed(&mut self, change: &ChangeSession) -> SessionRow {
        self.row.user = change.user;
        self.row.agent = change.agent.clone();
        self.row.title.clone_from(&change.title);
        self.row.archived = change.archived;
        self.row.model.clone_from(&change.model);
        self.row.updated_at = change.at;
        let mut row = self.row.clone();
        row.state = match (&self.active, self.queue.is_empty()) {
            (Some(_), _) => SessionPhase::Running,
            (None, false) => SessionPhase::Queued,
            (None, true) => SessionPhase::Idle,
        };
        row
    }

    /// Whether nothing waits, runs or is being written.
    pub(super) fn is_idle(&self) -> bool {
        self.active.is_none() && self.queue.is_empty() && self.incoming.is_empty()
    }

    /// Inputs that wait beside the running turn or for its next step.
    fn waiting(&self) -> usize {
        let beside: usize = self.queue.iter().map(Turn::all_inputs).sum();
        beside + self.active.as_ref().map_or(0, Active::waiting)
    }

    /// The answer to an input whose key names a turn already.
    pub(super) fn repeat(&self, turn: TurnId, same_body: bool) -> Result<Accepted, Failure> {
        if same_body {
            return Ok(self.attached(turn, true));
        }
        let sentence = "This idempotency key was used for another message. Use a new key for a new message.";
        Err(Failure::new(Code::IdempotencyConflict, sentence))
    }

    /// Where a turn of this session stands, as far as is remembered: one that is not here has ended.
    fn attached(&self, turn: TurnId, attached: bool) -> Accepted {
        let state = match &self.active {
            Some(active) if active.turn.id == turn => TurnState::Running,
            _ if self.queue.iter().any(|waiting| waiting.id == turn) => TurnState::Queued,
            _ => TurnState::Finished,
        };
        Accepted { turn, state, attached }
    }
}
