//! Why a socket is closed: the codes, and what is said with them.

use std::borrow::Cow;

/// Bytes of a reason, at the most (RFC 6455, 5.5: a control frame holds 125, the code takes two).
const REASON_BYTES: usize = 123;

/// Code and reason of a close frame. Codes from 4400 on are Mosaic's own; they follow HTTP's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::gateway) struct Close {
    pub(super) code: u16,
    pub(super) reason: Cow<'static, str>,
}

impl Close {
    /// The client said goodbye.
    pub(super) const NORMAL: u16 = 1000;
    /// The daemon stops. Connect again in a moment.
    pub(super) const GOING_AWAY: u16 = 1001;
    /// The WebSocket protocol itself was broken.
    pub(super) const PROTOCOL: u16 = 1002;
    /// A binary frame; all frames here are text.
    pub(super) const UNSUPPORTED: u16 = 1003;
    /// A text frame that is not UTF-8.
    pub(super) const NOT_UTF8: u16 = 1007;
    /// A frame over its limit.
    pub(super) const TOO_BIG: u16 = 1009;
    /// What came before `connect` was accepted could not be read, or asks for another protocol.
    pub(super) const BAD_CONNECT: u16 = 4400;
    /// No good token, or it was revoked or expired.
    pub(super) const UNAUTHORIZED: u16 = 4401;
    /// It is good for less than when the socket was opened. Connect again.
    pub(super) const CHANGED: u16 = 4403;
    /// No `connect` in time, or nothing heard for too long, or read too slowly.
    pub(super) const TOO_SLOW: u16 = 4408;

    pub(super) fn new(code: u16, reason: impl Into<Cow<'static, str>>) -> Self {
        let mut reason = reason.into();
        if reason.len() > REASON_BYTES {
            let end = (0..=REASON_BYTES).rev().find(|end| reason.is_char_boundary(*end)).unwrap_or(0);
            reason.to_mut().truncate(end);
        }
        Self { code, reason }
    }
}

#[cfg(test)]
mod tests {
    use super::Close;

    #[test]
    fn a_reason_is_cut_to_what_a_control_frame_holds() {
        let close = Close::new(Close::TOO_SLOW, "ä".repeat(100));
        assert_eq!(close.reason.len(), 122);
    }
}
