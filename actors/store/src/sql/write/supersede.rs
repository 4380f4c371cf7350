//! Messages that leave the dialogue for another input in their place.

use diesel::prelude::*;
use mosaic_types::{Role, Seq, SessionId};

use super::{Conn, RunQueryDsl};
use crate::StoreError;
use crate::schema::{messages, turns};
use crate::sql_types::Id;

/// An input of the dialogue, with its turn.
pub(super) struct Input {
    seq: Seq,
    turn: Id,
    /// Of the input that made the turn.
    accepted: Seq,
}

/// The input under that number, unless it has left the dialogue already.
pub(super) async fn find(conn: &mut Conn<'_>, session: &SessionId, seq: Seq) -> Result<Option<Input>, StoreError> {
    let found = messages::table
        .inner_join(turns::table.on(turns::id.eq(messages::turn_id)))
        .filter(messages::session_id.eq(session.as_str()).and(messages::seq.eq(seq)))
        .filter(messages::role.eq(Role::User.as_str()).and(messages::superseded_seq.is_null()))
        .select((messages::turn_id, turns::accepted_seq))
        .get_result::<(Id, Seq)>(conn)
        .await
        .optional()?;
    Ok(found.map(|(turn, accepted)| Input { seq, turn, accepted }))
}

/// Takes `input` out of the dialogue, with the rest of its turn and with every turn that was accepted later; `at`: the
/// event that says so. They stay stored.
pub(super) async fn supersede(
    conn: &mut Conn<'_>,
    session: &SessionId,
    input: &Input,
    at: Seq,
) -> Result<(), StoreError> {
    let later = turns::table
        .filter(turns::session_id.eq(session.as_str()).and(turns::accepted_seq.gt(input.accepted)))
        .select(turns::id);
    let rest = messages::turn_id.eq(input.turn).and(messages::seq.ge(input.seq));
    let leaves = messages::table
        .filter(messages::session_id.eq(session.as_str()).and(messages::seq.ge(input.accepted)))
        .filter(messages::superseded_seq.is_null())
        .filter(rest.or(messages::turn_id.eq_any(later)));
    diesel::update(leaves).set(messages::superseded_seq.eq(at)).execute(conn).await?;
    Ok(())
}
