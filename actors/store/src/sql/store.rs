//! The trait, in any database: which query answers what.

use mosaic_types::journal::{
    AuditRow, InboxKey, MessageRow, Outcome, SessionQuery, SessionRow, Snapshot, TokenRow, TurnRow, UserRow, Write,
};
use mosaic_types::ledger::{UsageQuery, UsageSum};
use mosaic_types::outbox::{Conversation, Item, ItemCount};
use mosaic_types::page::{Limit, Page};
use mosaic_types::pairing::PairingRow;
use mosaic_types::routing::OwnRule;
use mosaic_types::signin::{Browser, LinkRow};
use mosaic_types::{Attachment, AttachmentId, ChatMessage, Seq, SessionEvent, SessionId, TurnId, UserId};

use super::{Conn, Database, read};
use crate::{Store, StoreError, Work};

impl Store for Database {
    fn commit(&self, batch: Vec<Write>) -> Work<'static, Vec<Result<Outcome, StoreError>>> {
        self.write(batch)
    }

    fn session(&self, id: &SessionId) -> Work<'_, Option<SessionRow>> {
        let id = id.clone();
        self.read(async move |conn: &mut Conn<'_>| read::session(conn, &id).await)
    }

    fn sessions(&self, ask: SessionQuery, cursor: Option<String>, limit: Limit) -> Work<'_, Page<SessionRow>> {
        self.read(async move |conn: &mut Conn<'_>| read::sessions(conn, &ask, cursor.as_deref(), limit).await)
    }

    fn messages(&self, id: &SessionId, cursor: Option<String>, limit: Limit) -> Work<'_, Page<MessageRow>> {
        let id = id.clone();
        self.read(async move |conn: &mut Conn<'_>| read::messages(conn, &id, cursor.as_deref(), limit).await)
    }

    fn latest(&self, id: &SessionId, before: Seq, limit: Limit) -> Work<'_, Vec<MessageRow>> {
        let id = id.clone();
        self.read(async move |conn: &mut Conn<'_>| read::latest(conn, &id, before, limit).await)
    }

    fn attachment(&self, session: &SessionId, id: AttachmentId) -> Work<'_, Option<Attachment>> {
        let session = session.clone();
        self.read(async move |conn: &mut Conn<'_>| read::attachment(conn, &session, id).await)
    }

    fn events(&self, id: &SessionId, after: Seq, limit: Limit) -> Work<'_, Vec<SessionEvent>> {
        let id = id.clone();
        self.read(async move |conn: &mut Conn<'_>| read::events(conn, &id, after, limit).await)
    }

    fn known(&self, key: &InboxKey) -> Work<'_, Option<(TurnId, [u8; 32])>> {
        let key = key.clone();
        self.read(async move |conn: &mut Conn<'_>| read::known(conn, &key).await)
    }

    fn turn(&self, id: TurnId) -> Work<'_, Option<TurnRow>> {
        self.read_at_once(async move |conn: &mut Conn<'_>| read::turn(conn, id).await)
    }

    fn snapshots(&self, ids: Vec<SessionId>, context_bytes: usize) -> Work<'_, Vec<Option<Snapshot>>> {
        self.read_at_once(async move |conn: &mut Conn<'_>| read::snapshots(conn, &ids, context_bytes).await)
    }

    fn context_before(&self, id: &SessionId, input: Seq, context_bytes: usize) -> Work<'_, Vec<ChatMessage>> {
        let id = id.clone();
        self.read_at_once(async move |conn: &mut Conn<'_>| read::context_before(conn, &id, input, context_bytes).await)
    }

    fn unfinished(&self) -> Work<'_, Vec<SessionId>> {
        self.read(async move |conn: &mut Conn<'_>| read::unfinished(conn).await)
    }

    fn usage(&self, ask: UsageQuery, cursor: Option<String>, limit: Limit) -> Work<'_, Page<UsageSum>> {
        self.read(async move |conn: &mut Conn<'_>| read::usage(conn, &ask, cursor.as_deref(), limit).await)
    }

    fn tokens(&self) -> Work<'_, Vec<TokenRow>> {
        self.read(async move |conn: &mut Conn<'_>| read::tokens(conn).await)
    }

    fn browsers(&self) -> Work<'_, Vec<Browser>> {
        self.read(async move |conn: &mut Conn<'_>| read::browsers(conn).await)
    }

    fn links(&self) -> Work<'_, Vec<LinkRow>> {
        self.read(async move |conn: &mut Conn<'_>| read::links(conn).await)
    }

    fn pairings(&self) -> Work<'_, Vec<PairingRow>> {
        self.read(async move |conn: &mut Conn<'_>| read::pairings(conn).await)
    }

    fn cursors(&self, channel: &str, limit: Limit) -> Work<'_, Vec<(String, String)>> {
        let channel = channel.to_owned();
        self.read(async move |conn: &mut Conn<'_>| read::cursors(conn, &channel, limit).await)
    }

    fn users(&self) -> Work<'_, Vec<UserRow>> {
        self.read(async move |conn: &mut Conn<'_>| read::users(conn).await)
    }

    fn audit(&self, limit: Limit) -> Work<'_, Vec<AuditRow>> {
        self.read(async move |conn: &mut Conn<'_>| read::audit(conn, limit).await)
    }

    fn owner(&self) -> Work<'_, Option<UserId>> {
        self.read(async move |conn: &mut Conn<'_>| read::owner(conn).await)
    }

    fn held_items(&self) -> Work<'_, Vec<Item>> {
        self.read(async move |conn: &mut Conn<'_>| read::held(conn).await)
    }

    fn item_counts(&self) -> Work<'_, Vec<ItemCount>> {
        self.read_at_once(async move |conn: &mut Conn<'_>| read::counts(conn).await)
    }

    fn preview(&self, turn: TurnId, conversation: &Conversation) -> Work<'_, Option<String>> {
        let to = conversation.clone();
        self.read(async move |conn: &mut Conn<'_>| read::preview(conn, turn, &to).await)
    }

    fn shown(&self, conversation: &Conversation) -> Work<'_, Vec<String>> {
        let to = conversation.clone();
        self.read(async move |conn: &mut Conn<'_>| read::shown(conn, &to).await)
    }

    fn owes(&self, conversation: &Conversation) -> Work<'_, bool> {
        let to = conversation.clone();
        self.read(async move |conn: &mut Conn<'_>| read::owes(conn, &to).await)
    }

    fn binding(&self, conversation: &Conversation) -> Work<'_, Option<(SessionId, UserId)>> {
        let of = conversation.clone();
        self.read(async move |conn: &mut Conn<'_>| read::binding(conn, &of).await)
    }

    fn rules(&self) -> Work<'_, Vec<(UserId, OwnRule)>> {
        self.read(async move |conn: &mut Conn<'_>| read::rules(conn).await)
    }

    fn writable(&self) -> Work<'_, ()> {
        Box::pin(self.probe())
    }
}
