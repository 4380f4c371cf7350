//! Makes tokens.

use std::time::Duration;

use mosaic_types::journal::NewToken;
use mosaic_types::{Outside, Secret, Timestamp, UserId, UserRole};

use crate::gateway::hash_of;

/// A token expires after this at the latest, if it does at all: ten years, so that a mistyped span is noticed.
pub const LONGEST: Duration = Duration::from_secs(3_650 * 86_400);

/// A new token: its text, to be shown once, and the row that is kept.
pub struct Minted {
    pub text: Secret,
    pub row: NewToken,
}

impl Minted {
    /// Draws a token: `msc_` and 256 random bits in hex, so that leak scanners can tell what it is.
    pub fn new(outside: &Outside, user: UserId, name: String, role: UserRole, expires_at: Option<Timestamp>) -> Self {
        let text = Secret::new(draw(outside));
        let (id, hash, at) = (outside.token_id(), hash_of(text.expose()), outside.now());
        let row = NewToken { id, user, name, role, hash, at, expires_at };
        Self { text, row }
    }
}

/// The text of a new token.
pub fn draw(outside: &Outside) -> String {
    let bytes: [u8; 32] = outside.bytes();
    bytes.iter().fold(String::from("msc_"), |text, byte| text + &format!("{byte:02x}"))
}
