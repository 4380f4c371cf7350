//! The files that came with messages.

use std::collections::HashMap;

use diesel::prelude::*;
use mosaic_types::journal::MessageRow;
use mosaic_types::{Attachment, AttachmentId, AttachmentRow, Seq, SessionId};

use super::{Conn, RunQueryDsl, all, tools};
use crate::StoreError;
use crate::rows::{AttachmentRecord, Heard, ListedMessage, SaidRecord};
use crate::schema::attachments;
use crate::sql_types::Id;

/// One file, with what is in it.
pub(in super::super) async fn attachment(
    conn: &mut Conn<'_>,
    session: &SessionId,
    id: AttachmentId,
) -> Result<Option<Attachment>, StoreError> {
    let found = attachments::table
        .find((session.as_str(), Id::from(id)))
        .select((AttachmentRecord::as_select(), attachments::data))
        .get_result::<(AttachmentRecord, Vec<u8>)>(conn)
        .await
        .optional()?;
    Ok(found.map(|(record, data)| Attachment { row: record.into(), data: data.into() }))
}

/// The files of some messages, by the numbers of those, without what is in them.
async fn files(
    conn: &mut Conn<'_>,
    session: &str,
    of: Vec<Seq>,
) -> Result<HashMap<Seq, Vec<AttachmentRow>>, StoreError> {
    let mut found: HashMap<Seq, Vec<AttachmentRow>> = HashMap::new();
    // Messages seldom have any, and then this costs them nothing.
    if of.is_empty() {
        return Ok(found);
    }
    let records = attachments::table
        .filter(attachments::session_id.eq(session).and(attachments::seq.eq_any(of)))
        .order((attachments::seq, attachments::position))
        .select(AttachmentRecord::as_select())
        .load(conn)
        .await?;
    for record in records {
        found.entry(record.seq).or_default().push(record.into());
    }
    Ok(found)
}

/// Messages of a transcript with their files, which never change while the messages are there, and their tools.
pub(super) async fn listed(
    conn: &mut Conn<'_>,
    session: &SessionId,
    records: Vec<ListedMessage>,
) -> Result<Vec<MessageRow>, StoreError> {
    let messages = || records.iter().map(|record| &record.message);
    let with = messages().filter(|message| message.attached > 0).map(|message| message.seq).collect();
    let mut files = files(conn, session.as_str(), with).await?;
    let turns = records.iter().filter_map(ListedMessage::step_of).collect();
    let mut rows: Vec<MessageRow> = all(records)?;
    for row in &mut rows {
        row.attachments = files.remove(&row.seq).unwrap_or_default();
    }
    tools::listed(conn, session.as_str(), turns, &mut rows).await?;
    Ok(rows)
}

/// Messages of a dialogue with their files and their tools.
pub(super) async fn heard(
    conn: &mut Conn<'_>,
    session: &str,
    records: Vec<SaidRecord>,
) -> Result<Vec<Heard>, StoreError> {
    let with = records.iter().filter(|record| record.attached > 0).map(|record| record.seq).collect();
    let mut files = files(conn, session, with).await?;
    let heard = |said: SaidRecord| {
        let files = files.remove(&said.seq).unwrap_or_default().into();
        Heard::new(said, files)
    };
    let mut heard: Vec<_> = records.into_iter().map(heard).collect();
    tools::heard(conn, session, &mut heard).await?;
    Ok(heard)
}
