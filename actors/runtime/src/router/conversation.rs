//! From a conversation of a platform to its session, and what channels keep of a turn that is streamed.

use std::sync::Arc;

use mosaic_messages::{
    FindPreview, KeepPreview, Kept, OpenConversation, Opened, Receive, Received, SetSession, SubmitTurn,
};
use mosaic_types::journal::{InboxKey, NewSession, Outcome, Write};
use mosaic_types::outbox::Conversation;
use mosaic_types::{AgentName, Code, Failure, Principal, SessionId, UserId, limits};

use super::way::Way;

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
            let (session, user) = self.session_of(&said.conversation, said.from, said.agent.clone()).await?;
            // Who may speak in a conversation may speak in its session, whoever began it.
            let from = Principal { user, role: said.from.role };
            let ask = submission(&said, session.clone(), from);
            match self.ask(&session, from, None, false, ask).await {
                Ok(accepted) => return Ok(Received { session, accepted }),
                Err(failure) if failure.code == Code::NotFound && tried < TRIES => tried += 1,
                Err(failure) => return Err(failure),
            }
        }
    }

    /// The session of a conversation, and whose it is.
    async fn session_of(
        &self,
        of: &Conversation,
        from: Principal,
        agent: Option<AgentName>,
    ) -> Result<(SessionId, UserId), Failure> {
        if let Some(bound) = self.doors.store.binding(of).await? {
            return Ok(bound);
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
        let (session, user) = self.session_of(&ask.conversation, ask.from, ask.agent).await?;
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

fn submission(said: &Receive, session: SessionId, from: Principal) -> SubmitTurn {
    let Conversation { channel, account, name } = said.conversation.clone();
    SubmitTurn {
        session,
        from,
        turn: said.turn,
        inbox: InboxKey { channel, account, conversation: name, event: said.event.clone() },
        reply_to: said.reply_to.clone(),
        body_hash: said.body_hash,
        text: said.text.clone(),
        attachments: Arc::default(),
        model: said.model.clone(),
        mode: said.mode,
        create: None,
        replaces: None,
        repeats_last: false,
        span: said.span.clone(),
    }
}
