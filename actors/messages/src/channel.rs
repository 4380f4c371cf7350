//! To a channel, from the outbox.
//!
//! A channel never tries again by itself: what it answers decides what becomes of the item. It gives up on its platform
//! before [`PATIENCE`] is over, and says then what it knows.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use actix::Message;
use mosaic_types::outbox::{Delivery, Finding, Item};
use tracing::Span;

/// After so long without an answer a delivery is taken for cut off. Longer than a platform's slowest answer, and short
/// enough for a person who waits.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// The outbox's memory of a delivery.
pub trait Calling: std::fmt::Debug + Send + Sync {
    /// Notes that the platform is about to be called, where it cannot be asked later and a second call would be seen.
    /// `false`: that could not be noted, and the platform must not be called now.
    fn note(self: Arc<Self>) -> Pin<Box<dyn Future<Output = bool> + Send>>;
}

/// Asks a channel to show one part of an item: an edit of the item's preview if it is the first and there is one, else a
/// new message with the part's nonce. Where the text is cut is up to the channel, see [`Item::rest`].
#[derive(Debug, Clone, Message)]
#[rtype(result = "Delivery")]
pub struct Deliver {
    pub item: Arc<Item>,
    pub calling: Arc<dyn Calling>,
    /// What the delivery is part of.
    pub span: Span,
}

/// Asks a channel what became of a part that was cut off: whether its platform shows it, as far as it can be asked.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Finding")]
pub struct Reconcile {
    pub item: Arc<Item>,
    /// Messages by which its conversation was told something before: the platform's ids, the newest items' first.
    pub before: Vec<String>,
    pub span: Span,
}
