//! From a conversation of a platform to its session, and what channels keep of a turn that is streamed.

use std::sync::Arc;

use mosaic_messages::{
    Accepted, Change, FindPreview, KeepPreview, Kept, OpenConversation, Opened, Receive, Received, SetSession,
    SubmitTurn,
};
use mosaic_types::journal::{InboxKey, NewSession, Outcome, TurnState, Write};
use mosaic_types::outbox::Conversation;
use mosaic_types::page::Limit;
use mosaic_types::{AgentName, Code, EventBody, Failure, Principal, Seq, SessionId, UserId, limits};

use super::way::Way;
use crate::again::last_asked;

/// Wordings of one message that are looked through.
const EDITS: u32 = 20;

/// Tries of a message whose session was removed before it took it.
const TRIES: u32 = 3;

impl Way {
    /// Has what was said taken in by the session of its conversation.
    pub(super) async fn receive(&self, said: Receive) -> Result<Received, Failure> {
        if said.text.trim().is_empty() {
            return Err(Failure::new(Code::BadRequest, "The message is empty."));
        }
        if said.text.len() > limits::TEXT_CHARS && said.text.chars().count() > limits::TEXT_CHARS {
            let sentence = format!("A message has at most {} characters.", limits::TEXT_CHARS);
            return Err(Failure::new(Code::TextTooLong, sentence));
        }
        let mut tried = 1;
        loop {
            match self.take_in(&said).await {
                Err(failure) if failure.code == Code::NotFound && tried < TRIES => tried += 1,
                done => return done,
            }
        }
    }

    async fn take_in(&self, said: &Receive) -> Result<Received, Failure> {
        let (session, user) = self.session_of(&said.conversation, said.from, said.alone, said.agent.clone()).await?;
        // Who may speak in a conversation may speak in its session, whoever began it.
        let from = Principal { user, role: said.from.role };
        let replaces = match self.edited(said, &session).await? {
            Edit::Unknown => None,
            Edit::Last(seq) => Some(seq),
            Edit::Same(accepted) => return Ok(Received { session, accepted }),
        };
        let ask = submission(said, session.clone(), from, replaces);
        let accepted = self.ask(&session, from, None, false, ask).await?;
        Ok(Received { session, accepted })
    }

    /// What an edited message was before.
    async fn edited(&self, said: &Receive, session: &SessionId) -> Result<Edit, Failure> {
        let Some(event) = &said.edits else { return Ok(Edit::Unknown) };
        let Conversation { channel, account, name } = said.conversation.clone();
        let store = &self.doors.store;
        let key = |event: &Arc<str>| InboxKey {
            channel: channel.clone(),
            account: account.clone(),
            conversation: name.clone(),
            event: event.clone(),
        };
        // Told again: its turn is found by its own key.
        if store.known(&key(&said.event)).await?.is_some() {
            return Ok(Edit::Unknown);
        }
        let Some((turn, hash)) = store.known(&key(event)).await? else { return Ok(Edit::Unknown) };
        if hash == said.body_hash {
            let state = store.turn(turn).await?.map_or(TurnState::Finished, |row| row.state);
            return Ok(Edit::Same(Accepted { turn, state, attached: true }));
        }
        let last = last_asked(&**store, &self.doors.outside, session).await?;
        // Of several inputs that one turn answers, none is changed alone. One that was changed before stands in place of
        // its older wording: its event comes behind the one that says so.
        let mut at = last.replaces;
        for _ in 0..EDITS {
            let events = store.events(session, at - 2, Limit::new(Some(2)).unwrap_or_default()).await?;
            let of = |seq| events.iter().find(|event| event.seq == Some(seq));
            if last.inputs == 1 && of(at).is_some_and(|event| event.turn == Some(turn)) {
                return Ok(Edit::Last(last.replaces));
            }
            match of(at - 1).map(|event| &event.body) {
                Some(EventBody::MessagesSuperseded { from }) => at = *from,
                _ => break,
            }
        }
        let sentence = "Only what was said last can be changed. Say it anew instead.";
        Err(Failure::new(Code::BadRequest, sentence))
    }

    /// The session of a conversation, and whose it is. Where its one person speaks as another user than before, it goes
    /// along with them.
    async fn session_of(
        &self,
        of: &Conversation,
        from: Principal,
        alone: bool,
        agent: Option<AgentName>,
    ) -> Result<(SessionId, UserId), Failure> {
        if let Some((session, user)) = self.doors.store.binding(of).await? {
            if !alone || user == from.user {
                return Ok((session, user));
            }
            let theirs = Principal { user, role: from.role };
            let change = Change { owner: Some(from.user), ..Change::nothing(session.clone(), theirs) };
            self.ask(&session, theirs, None, false, change).await?;
            return Ok((session, from.user));
        }
        let new = NewSession {
            id: self.doors.outside.session_id(),
            user: from.user,
            channel: of.channel.clone(),
            agent: self.doors.agents.choose(agent)?,
            title: String::new(),
            at: self.doors.outside.now(),
        };
        match self.doors.commit(Write::Bind { conversation: of.clone(), new }).await? {
            Outcome::Bound { session, user } => Ok((session, user)),
            other => {
                tracing::error!(?other, "a conversation could not be bound to a session");
                Err(Failure::new(Code::Internal, "The session could not be made. The log has the cause."))
            }
        }
    }

    pub(super) async fn open(&self, ask: OpenConversation) -> Result<Opened, Failure> {
        let (session, user) = self.session_of(&ask.conversation, ask.from, ask.alone, ask.agent).await?;
        Ok(Opened { session, user })
    }

    pub(super) async fn set_session(&self, ask: SetSession) -> Result<(), Failure> {
        let SetSession { conversation, session } = ask;
        let at = self.doors.outside.now();
        match self.doors.commit(Write::Rebind { conversation, session, at }).await? {
            Outcome::Bound { .. } => Ok(()),
            _ => Err(Failure::not_found("session")),
        }
    }

    pub(super) async fn keep_preview(&self, ask: KeepPreview) -> Result<Kept, Failure> {
        let KeepPreview { turn, conversation, platform_id } = ask;
        let at = self.doors.outside.now();
        let keep = Write::KeepPreview { turn, conversation: conversation.clone(), platform_id, at };
        match self.doors.commit(keep).await? {
            Outcome::Written(_) => Ok(Kept::Kept),
            Outcome::Exists => {
                let kept = self.find_preview(FindPreview { turn, conversation }).await?;
                // Where it is gone by now, the turn's end has taken it over.
                Ok(kept.map_or(Kept::Unwanted, Kept::Other))
            }
            _ => Ok(Kept::Unwanted),
        }
    }

    pub(super) async fn find_preview(&self, ask: FindPreview) -> Result<Option<Arc<str>>, Failure> {
        Ok(self.doors.store.preview(ask.turn, &ask.conversation).await?.map(Into::into))
    }
}

/// What an edited message was before.
enum Edit {
    /// It was never taken in, or this is no edit.
    Unknown,
    /// What was said last, in the place of which this stands.
    Last(Seq),
    /// It said the same.
    Same(Accepted),
}

fn submission(said: &Receive, session: SessionId, from: Principal, replaces: Option<Seq>) -> SubmitTurn {
    let Conversation { channel, account, name } = said.conversation.clone();
    SubmitTurn {
        session,
        from,
        turn: said.turn,
        inbox: InboxKey { channel, account, conversation: name, event: said.event.clone() },
        reply_to: said.reply_to.clone(),
        body_hash: said.body_hash,
        text: said.text.clone(),
        attachments: said.attachments.clone(),
        model: said.model.clone(),
        mode: said.mode,
        create: None,
        replaces,
        repeats_last: false,
        span: said.span.clone(),
    }
}
