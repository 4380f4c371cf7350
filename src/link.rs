//! Makes the links that sign a browser in.

use std::time::Duration;

use mosaic_types::signin::NewLink;
use mosaic_types::{Outside, Principal, Secret};

use crate::gateway::hash_of;

/// A new link: its code, to be shown once, and the row that is kept.
pub struct Link {
    code: Secret,
    pub row: NewLink,
}

impl Link {
    /// A link that was asked for is used at once or not at all.
    pub const ASKED_FOR: Duration = Duration::from_secs(3_600);

    /// The link of a first start may wait on a terminal for a while; each start makes a new one until one is used.
    pub const FIRST: Duration = Duration::from_secs(86_400);

    /// Draws a link: 160 random bits in hex.
    pub fn new(outside: &Outside, who: Principal, life: Duration) -> Self {
        let bytes: [u8; 20] = outside.bytes();
        let code = bytes.iter().fold(String::with_capacity(40), |text, byte| text + &format!("{byte:02x}"));
        let at = outside.now();
        let row = NewLink { hash: hash_of(&code), user: who.user, role: who.role, at, expires_at: at.plus(life) };
        Self { code: Secret::new(code), row }
    }

    /// The link to a daemon at `base`. Its code stands behind the `#`: no browser sends that part to anyone, so it is
    /// in no log of a server or a proxy.
    pub fn url(&self, base: &str) -> String {
        format!("{base}/claim#{}", self.code.expose())
    }
}
