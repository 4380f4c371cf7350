//! Writes events under numbers that their session's fence has set aside.

use mosaic_types::journal::Outcome;
use mosaic_types::{EventBody, Seq, SessionEvent, SessionId, Timestamp, TurnId};

use super::{Conn, RunQueryDsl};
use crate::StoreError;
use crate::rows::NewEvent;
use crate::schema::events;
use crate::sql_types::Json;

/// The events of one write.
pub(super) struct Journal<'a> {
    session: &'a SessionId,
    at: Timestamp,
    next: Seq,
    written: Vec<SessionEvent>,
}

impl<'a> Journal<'a> {
    /// Takes over the newest `events` numbers up to `last`.
    pub(super) fn new(session: &'a SessionId, at: Timestamp, last: Seq, events: i64) -> Self {
        Self { session, at, next: last - events + 1, written: Vec::new() }
    }

    /// Whose they are.
    pub(super) fn session(&self) -> &'a SessionId {
        self.session
    }

    /// Writes one event and answers its number.
    pub(super) async fn add(
        &mut self,
        conn: &mut Conn<'_>,
        turn: Option<TurnId>,
        body: EventBody,
    ) -> Result<Seq, StoreError> {
        let seq = self.next;
        let row = NewEvent {
            session_id: self.session.as_str(),
            seq,
            turn_id: turn.map(Into::into),
            body: Json(serde_json::to_string(&body)?),
            at: self.at.into(),
        };
        diesel::insert_into(events::table).values(row).execute(conn).await?;
        self.next += 1;
        self.written.push(SessionEvent { body, session: self.session.clone(), turn, seq: Some(seq) });
        Ok(seq)
    }

    /// The outcome of the write.
    pub(super) fn done(self) -> Outcome {
        Outcome::Written(self.written)
    }
}
