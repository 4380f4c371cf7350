//! Positions in lists, as opaque text that may stand in a URL.

use mosaic_types::{Seq, SessionId, Timestamp};

use crate::StoreError;

/// The last row of a page of sessions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SessionCursor {
    pub updated_at: Timestamp,
    pub id: SessionId,
}

/// The last row of a page of one session's messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MessageCursor {
    pub session: SessionId,
    pub seq: Seq,
}

impl SessionCursor {
    /// As text.
    pub(crate) fn encode(&self) -> String {
        encode(b's', self.updated_at.0, &self.id)
    }

    /// From text; `BadCursor` where it is not one of these.
    pub(crate) fn decode(text: &str) -> Result<Self, StoreError> {
        let (updated_at, id) = decode(b's', text)?;
        Ok(Self { updated_at: Timestamp(updated_at), id })
    }
}

impl MessageCursor {
    /// As text.
    pub(crate) fn encode(&self) -> String {
        encode(b'm', self.seq, &self.session)
    }

    /// From text; `BadCursor` where it is not one of `session`.
    pub(crate) fn decode(text: &str, session: &SessionId) -> Result<Self, StoreError> {
        let (seq, of) = decode(b'm', text)?;
        if of == *session { Ok(Self { session: of, seq }) } else { Err(StoreError::BadCursor) }
    }
}

/// One letter for the list, the number in 16 hex digits, the id (whose alphabet is URL-safe).
fn encode(list: u8, number: i64, id: &SessionId) -> String {
    format!("{}{number:016x}{id}", char::from(list))
}

fn decode(list: u8, text: &str) -> Result<(i64, SessionId), StoreError> {
    let read = || {
        let rest = text.strip_prefix(char::from(list))?;
        let (number, id) = rest.split_at_checked(16)?;
        let plain = number.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'));
        let number = plain.then(|| u64::from_str_radix(number, 16).ok())??;
        Some((number.cast_signed(), id.parse().ok()?))
    };
    read().ok_or(StoreError::BadCursor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_reads_back_and_no_other_text_does() {
        let id: SessionId = "a-B_9".parse().expect("valid");
        let cursor = SessionCursor { updated_at: Timestamp(-1), id: id.clone() };
        assert_eq!(SessionCursor::decode(&cursor.encode()).expect("ours"), cursor);
        let message = MessageCursor { session: id.clone(), seq: 7 }.encode();
        assert!(SessionCursor::decode(&message).is_err(), "of another list");
        let other = "other".parse().expect("valid");
        assert!(MessageCursor::decode(&message, &other).is_err(), "of another session");
        for foreign in ["", "s", "sffff", "s+00000000000000fa", "s000000000000000é", "m0000000000000001"] {
            assert!(SessionCursor::decode(foreign).is_err(), "{foreign:?}");
            assert!(MessageCursor::decode(foreign, &id).is_err(), "{foreign:?}");
        }
    }
}
