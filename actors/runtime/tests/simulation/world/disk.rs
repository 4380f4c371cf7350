//! What a store holds, in memory: sessions, turns and their journal, and what each write does to them. Without time,
//! without faults, and without what the runtime never asks for: tokens, lists, sums.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use mosaic_store::StoreError;
use mosaic_types::journal::{
    AcceptTurn, ChangeSession, EndTurn, Entry, InboxKey, NewSession, Outcome, PartTurn, RestartTurn, Said,
    SessionPhase, SessionRow, StartTurn, StepTurn, ToolsTurn, TurnEnd, TurnState, Write,
};
use mosaic_types::ledger::{Beside, Known};
use mosaic_types::outbox::Conversation;
use mosaic_types::{Epoch, EventBody, Role, Seq, SessionEvent, SessionId, Spent, Timestamp, ToolState, TurnId, limits};
use uuid::Uuid;

use super::post::Post;
use super::removed::Removed;
use super::table::Table;
use super::turn::{Asked, Turn};

/// An input, by its key.
#[derive(Debug, Clone)]
pub(crate) struct Input {
    pub(crate) turn: TurnId,
    pub(super) seq: Seq,
    pub(super) reply_to: Option<Arc<str>>,
    at: Timestamp,
    hash: [u8; 32],
}

/// The tables of one store.
#[derive(Debug, Default)]
pub(crate) struct Disk {
    pub(crate) sessions: BTreeMap<SessionId, Table>,
    pub(crate) inbox: HashMap<InboxKey, Input>,
    pub(crate) post: Post,
    places: HashMap<TurnId, (SessionId, usize)>,
    pub(crate) removed: Removed,
    /// What was spent beside the answers of turns, by the ids of its entries.
    pub(crate) ledger: BTreeMap<Uuid, Beside>,
}

fn accepted(accept: &AcceptTurn) -> EventBody {
    EventBody::TurnAccepted { text: accept.text.as_ref().to_owned(), attachments: Vec::new() }
}

/// What a constraint of the tables says to a write that breaks it.
fn broken(constraint: &str) -> StoreError {
    StoreError::Corrupt(constraint.to_owned())
}

impl Disk {
    /// Carries out one write, or changes nothing.
    pub(crate) fn apply(&mut self, write: &Write) -> Result<Outcome, StoreError> {
        match write {
            Write::CreateSession(new) => Ok(self.create(new)),
            Write::Claim { session } => Ok(self.sessions.get_mut(session).map_or(Outcome::Missing, |table| {
                table.epoch += 1;
                Outcome::Claimed(table.epoch)
            })),
            Write::Accept(accept) => self.accept(accept),
            Write::Step(step) => Ok(self.step(step)),
            Write::Part(part) => Ok(self.part(part)),
            Write::Tools(tools) => self.tools(tools),
            Write::End(end) => self.end(end),
            Write::Start { session, epoch, next, at } => Ok(self.start(session, *epoch, next, *at)),
            Write::Restart(restart) => self.restart(restart),
            Write::Change(change) => Ok(self.change(change)),
            Write::Delete { session } => Ok(self.delete(session)),
            // Whose a session is, is not looked at here.
            Write::CreateUser(_) => Ok(Outcome::Written(Vec::new())),
            Write::TakeItems(take) => Ok(self.post.take(take)),
            Write::SettleItem(settle) => Ok(self.post.settle(settle)),
            Write::KeepPreview { turn, conversation, platform_id, .. } => {
                let open = self.turn(*turn).map(|(_, turn)| turn.end.is_none());
                Ok(self.post.keep(*turn, conversation, platform_id, open))
            }
            Write::PruneItems { sent_before, lost_before, limit } => {
                Ok(self.post.prune(*sent_before, *lost_before, *limit))
            }
            Write::Bind { conversation, new } => Ok(self.bind(conversation, new)),
            Write::Spend(entries) => {
                self.enter(entries);
                Ok(Outcome::Written(Vec::new()))
            }
            Write::Rebind { conversation, session, .. } => Ok(self.rebind(conversation, session)),
            _ => Err(broken("nobody signs in to a simulated house")),
        }
    }

    fn enter(&mut self, entries: &[Beside]) {
        for entry in entries {
            let estimate = self.ledger.get(&entry.id).is_none_or(|there| there.known != Known::Said);
            match (entry.known, entry.calls) {
                (Known::Foreseen, _) => drop(self.ledger.entry(entry.id).or_insert_with(|| entry.clone())),
                (_, 0) if estimate => drop(self.ledger.remove(&entry.id)),
                _ if estimate => drop(self.ledger.insert(entry.id, entry.clone())),
                _ => {}
            }
        }
    }

    /// What a turn has spent beside its answer.
    pub(super) fn beside(&self, turn: TurnId) -> Spent {
        let of = self.ledger.values().filter(|entry| entry.of.as_ref().is_some_and(|(_, of)| *of == turn));
        of.fold(Spent::default(), |sum, entry| sum.and(entry.spent))
    }

    fn owned(&mut self, session: &SessionId, epoch: Epoch) -> Option<&mut Table> {
        self.sessions.get_mut(session).filter(|table| table.epoch == epoch)
    }

    pub(super) fn create(&mut self, new: &NewSession) -> Outcome {
        if self.sessions.contains_key(&new.id) {
            return Outcome::Exists;
        }
        let row = SessionRow {
            id: new.id.clone(),
            user: new.user,
            agent: new.agent.clone(),
            title: new.title.clone(),
            channel: new.channel.as_ref().to_owned(),
            state: SessionPhase::Idle,
            archived: false,
            model: None,
            created_at: new.at,
            updated_at: new.at,
        };
        let (turns, open, events) = (Vec::new(), Vec::new(), Vec::new());
        self.sessions.insert(new.id.clone(), Table { row, last_input: None, epoch: new.at.0, turns, open, events });
        Outcome::Written(Vec::new())
    }

    fn accept(&mut self, accept: &AcceptTurn) -> Result<Outcome, StoreError> {
        if let Some(Input { turn, at, hash, .. }) = self.inbox.get(&accept.inbox).cloned() {
            if at.plus(limits::IDEMPOTENCY) >= accept.at {
                return Ok(Outcome::Duplicate { turn, same_body: hash == accept.body_hash });
            }
            self.inbox.remove(&accept.inbox);
        }
        let taken = self.places.contains_key(&accept.turn);
        let Some(table) = self.owned(&accept.session, accept.epoch) else { return Ok(Outcome::Stale) };
        let joined = table.open_turn(accept.turn);
        let starts = accept.entry == Entry::Starts;
        match (accept.entry, joined) {
            (Entry::Joins, None) => return Ok(Outcome::Closed),
            (Entry::Joins, Some(_)) => {}
            _ if taken => return Err(broken("a turn's id is unique")),
            _ if starts && table.running().is_some() => return Err(broken("at most one turn of a session runs")),
            _ => {}
        }
        let turn = Some(accept.turn);
        let mut events = vec![table.journal(turn, accepted(accept))];
        let said = (None, Said::new(table.seq(), Role::User, accept.text.clone()));
        table.last_input = Some((accept.turn, accept.body_hash));
        table.row.updated_at = accept.at;
        table.row.archived = false;
        let (turn, seq, reply_to) = (accept.turn, table.seq(), accept.reply_to.clone());
        let input = Input { turn, seq, reply_to, at: accept.at, hash: accept.body_hash };
        if let Some(index) = joined {
            table.turns[index].said.push(said);
            table.turns[index].delivers |= Conversation::of(&accept.inbox).is_some();
            self.inbox.insert(accept.inbox.clone(), input);
            return Ok(Outcome::Written(events));
        }
        let index = table.turns.len();
        table.open.push(index);
        table.turns.push(Turn {
            id: accept.turn,
            state: TurnState::Queued,
            said: vec![said],
            calls: Vec::new(),
            collects: accept.entry == Entry::Waits { collects: true },
            delivers: Conversation::of(&accept.inbox).is_some(),
            spent: Spent::default(),
            parts: Vec::new(),
            agent: accept.agent.clone(),
            model: accept.model.clone(),
            route: None,
            attempt: 1,
            charged: 0,
            end: None,
            cut: None,
        });
        if starts {
            events.push(table.begin(index, &accept.agent, accept.route.as_deref()));
            table.row.state = SessionPhase::Running;
        } else if table.row.state != SessionPhase::Running {
            table.row.state = SessionPhase::Queued;
        }
        if let Some(title) = accept.title.as_ref().filter(|_| table.row.title.is_empty()) {
            table.row.title.clone_from(title);
        }
        self.places.insert(accept.turn, (accept.session.clone(), index));
        self.inbox.insert(accept.inbox.clone(), input);
        Ok(Outcome::Written(events))
    }

    fn step(&mut self, step: &StepTurn) -> Outcome {
        let Some(table) = self.owned(&step.session, step.epoch) else { return Outcome::Stale };
        let Some(index) = table.open_turn(step.turn) else { return Outcome::Stale };
        let mut events: Vec<_> = step.parts.iter().map(|part| table.journal(Some(step.turn), part.clone())).collect();
        let event = table.journal(Some(step.turn), step.said.step());
        let seq = table.seq();
        let said = Said::new(seq, Role::Assistant, step.said.text.as_str());
        let turn = &mut table.turns[index];
        turn.said.push((Some(step.saw), Said { asked: step.asked.clone(), ..said }));
        let asked = step.asked.iter().enumerate().map(|(number, call)| Asked {
            call: call.clone(),
            place: (step.saw, seq, number),
            state: ToolState::Intended,
            result: None,
        });
        turn.calls.extend(asked);
        turn.spent = step.own;
        turn.parts.clear();
        table.row.updated_at = step.at;
        events.push(event);
        self.enter(&step.beside);
        Outcome::Written(events)
    }

    fn tools(&mut self, tools: &ToolsTurn) -> Result<Outcome, StoreError> {
        let Some(table) = self.owned(&tools.session, tools.epoch) else { return Ok(Outcome::Stale) };
        let Some(index) = table.open_turn(tools.turn) else { return Ok(Outcome::Stale) };
        let events = tools.results.iter().map(|result| table.answer(index, result)).collect::<Result<_, _>>()?;
        Ok(Outcome::Written(events))
    }

    /// Whether the call of this key has its result.
    pub(super) fn has_result(&self, key: &str) -> bool {
        let Some((turn, call)) = key.split_once('.') else { return false };
        let Some((_, turn)) = turn.parse().ok().and_then(|id| self.turn(TurnId(id))) else { return false };
        turn.calls.iter().any(|asked| asked.call.id == call && asked.result.is_some())
    }

    fn part(&mut self, part: &PartTurn) -> Outcome {
        let Some(table) = self.owned(&part.session, part.epoch) else { return Outcome::Stale };
        let Some(index) = table.open_turn(part.turn) else { return Outcome::Stale };
        let event = table.journal(Some(part.turn), part.event.clone());
        let turn = &mut table.turns[index];
        turn.parts.push(part.event.clone());
        self.enter(std::slice::from_ref(&part.beside));
        Outcome::Written(vec![event])
    }

    fn end(&mut self, end: &EndTurn) -> Result<Outcome, StoreError> {
        let Some(table) = self.owned(&end.session, end.epoch) else { return Ok(Outcome::Stale) };
        let Some(index) = table.open_turn(end.turn) else { return Ok(Outcome::Stale) };
        let newest = table.turns[index].said.iter().filter(|(saw, _)| saw.is_none()).map(|(_, said)| said.seq).max();
        if matches!(end.end, TurnEnd::Finished(_)) && newest > Some(end.saw) {
            return Ok(Outcome::Unseen);
        }
        let next = end.next.as_ref().map(|next| (table.waits(next.turn), next));
        if matches!(next, Some((None, _))) {
            return Ok(Outcome::Stale);
        }
        if next.is_some() && table.running().is_some_and(|running| running != index) {
            return Err(broken("at most one turn of a session runs"));
        }
        let turn = Some(end.turn);
        if end.cuts_tools {
            let calls = &mut table.turns[index].calls;
            let open = calls.iter_mut().filter(|asked| asked.state == ToolState::Intended);
            open.for_each(|asked| asked.state = ToolState::Unknown);
        }
        let mut events: Vec<_> = end.steps.iter().map(|step| table.journal(turn, step.clone())).collect();
        events.push(table.journal(turn, end.end.clone().into_event()));
        let seq = table.seq();
        table.turns[index].state = end.end.state();
        table.turns[index].end = Some(seq);
        table.turns[index].cut = end.end.said().filter(|_| !matches!(end.end, TurnEnd::Finished(_))).map(Into::into);
        table.open.retain(|open| *open != index);
        if let Some((Some(index), next)) = next {
            events.push(table.begin(index, &next.agent, next.route.as_deref()));
        }
        table.row.state = match (table.running(), table.open.is_empty()) {
            (Some(_), _) => SessionPhase::Running,
            (None, false) => SessionPhase::Queued,
            (None, true) => SessionPhase::Idle,
        };
        table.row.updated_at = end.at;
        self.enter(&end.beside);
        if end.delivers {
            let to = self.asked_from(end.turn);
            self.post.offer(end, to);
        }
        Ok(Outcome::Written(events))
    }

    fn start(&mut self, session: &SessionId, epoch: Epoch, next: &StartTurn, at: Timestamp) -> Outcome {
        let Some(table) = self.owned(session, epoch).filter(|table| table.running().is_none()) else {
            return Outcome::Stale;
        };
        let Some(index) = table.waits(next.turn) else { return Outcome::Stale };
        table.row.state = SessionPhase::Running;
        table.row.updated_at = at;
        Outcome::Written(vec![table.begin(index, &next.agent, next.route.as_deref())])
    }

    fn restart(&mut self, restart: &RestartTurn) -> Result<Outcome, StoreError> {
        let Some(table) = self.owned(&restart.session, restart.epoch) else { return Ok(Outcome::Stale) };
        let Some(index) = table.open_turn(restart.turn) else { return Ok(Outcome::Stale) };
        if table.running().is_some_and(|running| running != index) {
            return Err(broken("at most one turn of a session runs"));
        }
        let turn = &mut table.turns[index];
        (turn.state, turn.attempt, turn.charged) = (TurnState::Running, restart.attempt, restart.charged);
        table.row.state = SessionPhase::Running;
        table.row.updated_at = restart.at;
        let body = EventBody::TurnRestarted { attempt: restart.attempt };
        let mut events = vec![table.journal(Some(restart.turn), body)];
        for result in &restart.unknown {
            events.push(table.answer(index, result)?);
        }
        self.enter(&restart.lost);
        Ok(Outcome::Written(events))
    }

    fn change(&mut self, change: &ChangeSession) -> Outcome {
        let Some(table) = self.owned(&change.session, change.epoch) else { return Outcome::Stale };
        table.row.user = change.user;
        table.row.agent = change.agent.clone();
        table.row.title.clone_from(&change.title);
        table.row.updated_at = change.at;
        table.row.archived = change.archived;
        table.row.model.clone_from(&change.model);
        let body = EventBody::SessionChanged {
            agent: change.agent.clone(),
            title: change.title.clone(),
            archived: change.archived,
            model: change.model.clone(),
        };
        Outcome::Written(vec![table.journal(None, body)])
    }

    fn delete(&mut self, session: &SessionId) -> Outcome {
        let Some(table) = self.sessions.remove(session) else { return Outcome::Missing };
        self.removed.add(table);
        self.places.retain(|_, (of, _)| of != session);
        self.inbox.retain(|_, input| self.places.contains_key(&input.turn));
        self.post.forget(session, |turn| self.places.contains_key(&turn));
        Outcome::Written(Vec::new())
    }

    /// A turn, with its session.
    pub(crate) fn turn(&self, id: TurnId) -> Option<(&Table, &Turn)> {
        let (session, index) = self.places.get(&id)?;
        let table = self.sessions.get(session)?;
        Some((table, &table.turns[*index]))
    }

    /// Whether that is what was left of the answer in the turn with this input.
    pub(super) fn was_cut(&self, input: &str, text: &str) -> bool {
        let mut turns = self.sessions.values().chain(&self.removed.tables).flat_map(|table| &table.turns);
        turns.any(|turn| turn.cut.as_deref() == Some(text) && turn.asked().any(|asked| asked == input))
    }

    /// The event that ended a turn.
    pub(crate) fn end_of(&self, id: TurnId) -> Option<SessionEvent> {
        let (table, turn) = self.turn(id)?;
        table.events.get(usize::try_from(turn.end? - 1).ok()?).cloned()
    }

    /// The turn that a key names, with the hash of its body.
    pub(crate) fn known(&self, key: &InboxKey) -> Option<(TurnId, [u8; 32])> {
        self.inbox.get(key).map(|input| (input.turn, input.hash))
    }

    /// Sessions with turns that have not ended.
    pub(crate) fn unfinished(&self) -> Vec<SessionId> {
        self.sessions.values().filter(|table| !table.open.is_empty()).map(|table| table.row.id.clone()).collect()
    }
}
