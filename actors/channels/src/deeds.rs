//! Commands that were carried out. A platform may tell one twice, and a `/stop` that is told again after a crash must not
//! stop what was asked since; so each is known by its message, as an input is, and kept in the store.
//!
//! A command is kept after it was carried out and before anything later is heard in its conversation: one that is cut off
//! between is carried out again, and finds what it found before.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use mosaic_types::Failure;
use mosaic_types::command::{ASKED_AGAIN, CANCELLED, Request};
use tokio::time::timeout;

use crate::channel::Heard;
use crate::house::House;

/// Commands that are known, at the most; more than platforms tell again.
const KNOWN: usize = 1_000;

/// Of one conversation so many are kept, and told again together at the most.
const KEPT: usize = 16;

/// A store that does not answer is not waited for longer.
const KEEPING: Duration = Duration::from_secs(2);

/// A command, by conversation and event.
type Deed = (Arc<str>, Arc<str>);

/// What a command comes to that needs no words: that a turn was cancelled is told as its end, and one that is asked again by
/// a button is seen to begin.
pub(crate) fn seen(request: &Request, pressed: bool) -> &'static str {
    match request {
        Request::Stop(_) => CANCELLED,
        Request::Retry(_) if pressed => ASKED_AGAIN,
        _ => "",
    }
}

/// What was carried out on one channel.
#[derive(Debug)]
pub(crate) struct Deeds {
    /// Under which they are kept: no channel is called so.
    shelf: Arc<str>,
    account: Arc<str>,
    read: Cell<bool>,
    known: RefCell<VecDeque<Deed>>,
}

impl Deeds {
    pub(crate) fn new(channel: &str, account: Arc<str>) -> Self {
        let shelf = format!("{channel}/commands").into();
        Self { shelf, account, read: Cell::new(false), known: RefCell::default() }
    }

    /// Whether this command was carried out.
    pub(crate) async fn know(&self, heard: &Heard, house: &dyn House) -> Result<bool, Failure> {
        if !self.read.get() {
            let kept = house.cursors(self.shelf.clone()).await?;
            let prefix = format!("{}/", self.account);
            // What was kept last comes first; the oldest is forgotten first.
            for (scope, events) in kept.iter().rev() {
                let Some(place) = scope.strip_prefix(&*prefix) else { continue };
                events.split(' ').for_each(|event| self.remember((place.into(), event.into())));
            }
            self.read.set(true);
        }
        Ok(self.known.borrow().iter().any(|(place, event)| (place, event) == (&heard.conversation, &heard.event)))
    }

    /// It was.
    pub(crate) async fn note(&self, heard: &Heard, house: &dyn House) {
        self.remember((heard.conversation.clone(), heard.event.clone()));
        let events: Vec<Arc<str>> = {
            let known = self.known.borrow();
            let here = known.iter().rev().filter(|(place, _)| *place == heard.conversation);
            here.take(KEPT).map(|(_, event)| event.clone()).collect()
        };
        let value = events.iter().rev().map(|event| &**event).collect::<Vec<_>>().join(" ");
        let scope = format!("{}/{}", self.account, heard.conversation).into();
        let keeping = house.keep_cursor(self.shelf.clone(), scope, value.into());
        if !matches!(timeout(KEEPING, keeping).await, Ok(Ok(()))) {
            tracing::debug!("that a command was carried out could not be kept");
        }
    }

    fn remember(&self, deed: Deed) {
        let mut known = self.known.borrow_mut();
        if known.len() >= KNOWN {
            known.pop_front();
        }
        known.push_back(deed);
    }
}
