//! Programs that talk to us: two bots that answer each other must come to an end.

use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

/// What programs may say in one conversation within a minute. With our answers that is twenty.
const MESSAGES: usize = 10;
const WITHIN: Duration = Duration::from_secs(60);

/// Conversations with programs that are remembered, at the most.
const ROOMS: usize = 1_000;

/// When programs said something, by conversation.
#[derive(Debug, Default)]
pub(crate) struct Bots(RefCell<HashMap<Arc<str>, VecDeque<Instant>>>);

impl Bots {
    /// Whether one more message of a program is heard there.
    pub(crate) fn admit(&self, conversation: &Arc<str>) -> bool {
        let (mut bots, now) = (self.0.borrow_mut(), Instant::now());
        if bots.len() >= ROOMS {
            bots.retain(|_, said| said.back().is_some_and(|at| now - *at < WITHIN));
        }
        let said = bots.entry(conversation.clone()).or_default();
        while said.front().is_some_and(|at| now - *at >= WITHIN) {
            said.pop_front();
        }
        let admits = said.len() < MESSAGES;
        if admits {
            said.push_back(now);
        }
        admits
    }
}
