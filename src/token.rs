//! Makes tokens.

use mosaic_types::journal::NewToken;
use mosaic_types::{Outside, Secret, UserId, UserRole};

use crate::gateway::hash_of;

/// A new token: its text, to be shown once, and the row that is kept.
pub struct Minted {
    pub text: Secret,
    pub row: NewToken,
}

impl Minted {
    /// Draws a token: `msc_` and 256 random bits in hex, so that leak scanners can tell what it is.
    pub fn new(outside: &Outside, user: UserId, name: String, role: UserRole) -> Self {
        let text = Secret::new(draw(outside));
        let (id, hash, at) = (outside.token_id(), hash_of(text.expose()), outside.now());
        let row = NewToken { id, user, name, role, hash, at, expires_at: None };
        Self { text, row }
    }
}

/// The text of a new token.
pub fn draw(outside: &Outside) -> String {
    let bytes: [u8; 32] = outside.bytes();
    bytes.iter().fold(String::from("msc_"), |text, byte| text + &format!("{byte:02x}"))
}
