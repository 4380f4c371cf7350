//! Positions in lists, as opaque text that may stand in a URL.

use mosaic_types::ledger::UsageBy;
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

/// The last sum of a page of the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UsageCursor {
    pub by: UsageBy,
    pub key: String,
}

impl UsageCursor {
    /// As text: the name of a model may hold anything, so its bytes are written in hex.
    pub(crate) fn encode(&self) -> String {
        let mut text = format!("u{}-", self.by);
        self.key.bytes().for_each(|byte| text.push_str(&format!("{byte:02x}")));
        text
    }

    /// From text; `BadCursor` where it is not one of a list by `by`.
    pub(crate) fn decode(text: &str, by: UsageBy) -> Result<Self, StoreError> {
        let read = || {
            let digits = text.strip_prefix('u')?.strip_prefix(by.as_str())?.strip_prefix('-')?.as_bytes();
            let digit = |digit: u8| char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
            let byte = |pair: &[u8]| Some(digit(*pair.first()?)? << 4 | digit(*pair.get(1)?)?);
            let bytes = digits.chunks(2).map(byte).collect::<Option<Vec<u8>>>()?;
            Some(Self { by, key: String::from_utf8(bytes).ok()? })
        };
        read().ok_or(StoreError::BadCursor)
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
        let sum = UsageCursor { by: UsageBy::Model, key: "lab/größe 1".into() };
        assert_eq!(UsageCursor::decode(&sum.encode(), UsageBy::Model).expect("ours"), sum);
        assert!(UsageCursor::decode(&sum.encode(), UsageBy::Agent).is_err(), "of another sum");
        for cut in ["umodel-6", "umodel-zz", "umodel-ff", "umodel"] {
            assert!(UsageCursor::decode(cut, UsageBy::Model).is_err(), "{cut:?}");
        }
        let other = "other".parse().expect("valid");
        assert!(MessageCursor::decode(&message, &other).is_err(), "of another session");
        for foreign in ["", "s", "sffff", "s+00000000000000fa", "s000000000000000é", "m0000000000000001"] {
            assert!(SessionCursor::decode(foreign).is_err(), "{foreign:?}");
            assert!(MessageCursor::decode(foreign, &id).is_err(), "{foreign:?}");
            assert!(UsageCursor::decode(foreign, UsageBy::Model).is_err(), "{foreign:?}");
        }
    }
}
