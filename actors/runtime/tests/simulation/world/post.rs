//! What a store holds of the outbox, in memory: items, previews, and which session a conversation is.

use std::collections::BTreeMap;
use std::sync::Arc;

use mosaic_types::journal::{EndTurn, NewSession, Outcome, Write};
use mosaic_types::outbox::{
    Content, Conversation, Item, ItemCount, ItemId, ItemState, SettleItem, Settled, Shown, TakeItems,
};
use mosaic_types::{SessionId, Timestamp, TurnId, UserId};

use super::disk::Disk;

/// An item as it is stored.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) item: Item,
    pub(crate) state: ItemState,
    /// Set on the first open item of a conversation.
    due: Option<Timestamp>,
    changed: Timestamp,
}

impl Row {
    pub(crate) fn is_open(&self) -> bool {
        matches!(self.state, ItemState::Pending | ItemState::Sending)
    }

    /// As the stores say it.
    fn is_due(&self, now: Timestamp) -> bool {
        let Some(due) = self.due.filter(|_| self.state == ItemState::Pending) else { return false };
        self.item.attempt == 0 || due <= now || self.changed > now
    }
}

#[derive(Debug, Default)]
pub(crate) struct Post {
    pub(crate) items: BTreeMap<ItemId, Row>,
    given: ItemId,
    previews: BTreeMap<(TurnId, Conversation), Arc<str>>,
    pub(crate) bindings: BTreeMap<Conversation, SessionId>,
    /// The conversation of which nothing can be settled.
    pub(crate) grudge: Option<Arc<str>>,
    /// How often that was in the way.
    pub(crate) begrudged: usize,
}

impl Post {
    /// Writes what a turn's end tells those conversations, each with the message that it answers.
    pub(crate) fn offer(&mut self, end: &EndTurn, to: Vec<(Conversation, Option<Arc<str>>)>) {
        for (to, reply_to) in to {
            self.given += 1;
            let first = !self.items.values().any(|row| row.is_open() && row.item.to == to);
            let item = Item {
                id: self.given,
                session: end.session.clone(),
                turn: end.turn,
                preview: self.previews.remove(&(end.turn, to.clone())),
                to,
                reply_to,
                content: Content::of(&end.end, &end.agent),
                part: 0,
                shown: 0,
                attempt: 0,
                holder: None,
                called: false,
                created_at: end.at,
            };
            let row = Row { item, state: ItemState::Pending, due: first.then_some(end.at), changed: end.at };
            self.items.insert(self.given, row);
        }
        self.previews.retain(|(turn, _), _| *turn != end.turn);
    }

    pub(crate) fn take(&mut self, take: &TakeItems) -> Outcome {
        let ours = |row: &&mut Row| row.item.to.channel == take.channel;
        let mut due: Vec<_> = self.items.values_mut().filter(ours).filter(|row| row.is_due(take.at)).collect();
        due.sort_by_key(|row| (row.due, row.item.id));
        due.truncate(take.limit as usize);
        for row in &mut due {
            (row.state, row.item.holder, row.changed) = (ItemState::Sending, Some(take.holder), take.at);
            row.item.attempt += 1;
        }
        let mut items: Vec<_> = due.iter().map(|row| row.item.clone()).collect();
        items.sort_by_key(|item| item.id);
        let full = items.len() == take.limit as usize;
        let waits = self.items.values().filter(|row| row.item.to.channel == take.channel);
        let next = waits.filter(|row| row.state == ItemState::Pending).filter_map(|row| row.due).min();
        Outcome::Taken { items, next: next.filter(|_| !full) }
    }

    /// Whether a write is refused for good.
    pub(super) fn begrudges(&mut self, write: &Write) -> bool {
        let Write::SettleItem(settle) = write else { return false };
        let refused = self.items.get(&settle.id).is_some_and(|row| Some(&row.item.to.name) == self.grudge.as_ref());
        self.begrudged += usize::from(refused);
        refused
    }

    pub(crate) fn settle(&mut self, settle: &SettleItem) -> Outcome {
        let held = self.items.get_mut(&settle.id).filter(|row| row.state == ItemState::Sending);
        let as_taken =
            |item: &Item| (item.holder, item.part, item.attempt) == (settle.holder, settle.part, settle.attempt);
        let Some(row) = held.filter(|row| row.item.holder.is_some() && as_taken(&row.item)) else {
            return Outcome::Stale;
        };
        row.changed = settle.at;
        row.item.called = settle.settled == Settled::Calling;
        (row.state, row.due) = match &settle.settled {
            Settled::Shown(Shown { up_to: None, .. }) => (ItemState::Sent, None),
            Settled::Shown(Shown { up_to: Some(shown), .. }) => {
                (row.item.part, row.item.shown, row.item.attempt) = (row.item.part + 1, *shown, 0);
                (ItemState::Pending, Some(settle.at))
            }
            Settled::Calling => (ItemState::Sending, Some(settle.at)),
            Settled::Later { due } => (ItemState::Pending, Some(*due)),
            Settled::Unknown { .. } => (ItemState::Unknown, None),
            Settled::Dead { .. } => (ItemState::Dead, None),
        };
        let (open, to) = (row.due.is_some(), row.item.to.clone());
        let more = match settle.settled {
            Settled::Calling | Settled::Later { .. } => false,
            _ => open || self.advance(&to, settle.at),
        };
        Outcome::Settled { more }
    }

    fn advance(&mut self, to: &Conversation, at: Timestamp) -> bool {
        let first = self.items.values_mut().find(|row| row.is_open() && row.item.to == *to);
        let Some(row) = first.filter(|row| row.due.is_none()) else { return false };
        (row.due, row.changed) = (Some(at), at);
        true
    }

    /// `open`: whether the turn has not ended; `None`: there is no such turn.
    pub(crate) fn keep(&mut self, turn: TurnId, to: &Conversation, id: &Arc<str>, open: Option<bool>) -> Outcome {
        let same = |kept: &Arc<str>| if kept == id { Outcome::Written(Vec::new()) } else { Outcome::Exists };
        match open {
            None => Outcome::Missing,
            Some(true) => same(self.previews.entry((turn, to.clone())).or_insert_with(|| id.clone())),
            Some(false) => {
                let here = |row: &&mut Row| row.item.turn == turn && row.item.to == *to;
                let unsaid = |row: &&mut Row| row.state == ItemState::Pending && row.item.part == 0;
                let free = |row: &&mut Row| row.item.preview.as_ref().is_none_or(|kept| kept == id);
                match self.items.values_mut().find(|row| here(row) && unsaid(row) && free(row)) {
                    Some(row) => {
                        row.item.preview = Some(id.clone());
                        Outcome::Written(Vec::new())
                    }
                    None => Outcome::Closed,
                }
            }
        }
    }

    pub(crate) fn prune(&mut self, sent_before: Timestamp, lost_before: Timestamp, limit: u32) -> Outcome {
        let old = |row: &Row| match row.state {
            ItemState::Sent => row.changed < sent_before,
            ItemState::Unknown | ItemState::Dead => row.changed < lost_before,
            _ => false,
        };
        let mut old: Vec<_> = self.items.values().filter(|row| old(row)).map(|row| (row.state, row.item.id)).collect();
        old.sort();
        old.truncate(limit as usize);
        old.iter().for_each(|(_, id)| drop(self.items.remove(id)));
        Outcome::Removed(old.len())
    }

    /// A session is removed, with its turns.
    pub(crate) fn forget(&mut self, session: &SessionId, is_there: impl Fn(TurnId) -> bool) {
        let first = self.items.values().filter(|row| row.item.session == *session && row.due.is_some());
        let places: Vec<_> = first.map(|row| row.item.to.clone()).collect();
        self.items.retain(|_, row| row.item.session != *session);
        self.previews.retain(|(turn, _), _| is_there(*turn));
        self.bindings.retain(|_, bound| bound != session);
        for to in &places {
            self.advance(to, Timestamp(0));
        }
    }

    pub(crate) fn held(&self) -> Vec<Item> {
        self.items.values().filter(|row| row.state == ItemState::Sending).map(|row| row.item.clone()).collect()
    }

    pub(crate) fn counts(&self) -> Vec<ItemCount> {
        let mut counts: BTreeMap<(bool, Arc<str>, &str), ItemCount> = BTreeMap::new();
        for row in self.items.values().filter(|row| row.state != ItemState::Sent) {
            let key = (!row.is_open(), row.item.to.channel.clone(), row.state.as_str());
            let (channel, oldest) = (row.item.to.channel.as_ref().to_owned(), row.item.created_at);
            let new = ItemCount { channel, state: row.state, items: 0, oldest };
            let count = counts.entry(key).or_insert(new);
            count.items += 1;
            count.oldest = count.oldest.min(row.item.created_at);
        }
        counts.into_values().collect()
    }

    pub(crate) fn owes(&self, to: &Conversation) -> bool {
        self.items.values().any(|row| row.item.to == *to && row.is_open())
    }

    pub(crate) fn preview(&self, turn: TurnId, to: &Conversation) -> Option<String> {
        self.previews.get(&(turn, to.clone())).map(|id| id.as_ref().to_owned())
    }
}

impl Disk {
    pub(crate) fn binding(&self, of: &Conversation) -> Option<(SessionId, UserId)> {
        let session = self.post.bindings.get(of)?;
        Some((session.clone(), self.sessions.get(session)?.row.user))
    }

    pub(crate) fn bind(&mut self, of: &Conversation, new: &NewSession) -> Outcome {
        if let Some((session, user)) = self.binding(of) {
            return Outcome::Bound { session, user };
        }
        match self.create(new) {
            Outcome::Written(_) => {
                self.post.bindings.insert(of.clone(), new.id.clone());
                Outcome::Bound { session: new.id.clone(), user: new.user }
            }
            other => other,
        }
    }

    pub(crate) fn rebind(&mut self, of: &Conversation, session: &SessionId) -> Outcome {
        let Some(user) = self.sessions.get(session).map(|table| table.row.user) else { return Outcome::Missing };
        self.post.bindings.insert(of.clone(), session.clone());
        Outcome::Bound { session: session.clone(), user }
    }

    /// The conversations that the inputs of a turn came from, each with the newest message that can be answered.
    pub(super) fn asked_from(&self, turn: TurnId) -> Vec<(Conversation, Option<Arc<str>>)> {
        let mut inputs: Vec<_> = self.inbox.iter().filter(|(_, input)| input.turn == turn).collect();
        inputs.sort_by_key(|(_, input)| input.seq);
        let mut to: Vec<(Conversation, Option<Arc<str>>)> = Vec::new();
        for (key, input) in inputs {
            let Some(place) = Conversation::of(key) else { continue };
            match to.iter_mut().find(|(known, _)| *known == place) {
                Some((_, newest)) => *newest = input.reply_to.clone().or(newest.take()),
                None => to.push((place, input.reply_to.clone())),
            }
        }
        to
    }
}
