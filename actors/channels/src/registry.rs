//! The platforms there are.

use std::rc::Rc;

use crate::channel::Channel;
use crate::config::ChannelConfig;
use crate::{discord, telegram};

/// A platform.
#[derive(Debug, Clone, Copy)]
pub struct Kind {
    /// As in `kind = "telegram"`.
    pub name: &'static str,
    /// Its official origin.
    pub api_url: &'static str,
    /// The account that a token belongs to, where the token is one at all.
    pub account: fn(&str) -> Option<String>,
    /// What a token looks like, for whoever has to look for theirs.
    pub token: &'static str,
    /// The header in which it sends its secret where it calls us; `None`: it never does.
    pub hook_header: Option<&'static str>,
    /// A bot may open threads for long talks.
    pub threads: bool,
    /// Makes the adapter.
    pub build: fn(&ChannelConfig) -> Rc<dyn Channel>,
}

/// Every platform, in the order in which they are told.
pub const KINDS: &[Kind] = &[discord::ENTRY, telegram::ENTRY];

impl Kind {
    /// The platform by its name.
    pub fn find(name: &str) -> Option<Self> {
        KINDS.iter().copied().find(|kind| kind.name == name)
    }
}

impl PartialEq for Kind {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}
