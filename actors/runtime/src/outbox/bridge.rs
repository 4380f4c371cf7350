//! The way to a channel, whatever actor is behind it.

use std::sync::Arc;

use actix::prelude::*;
use futures_util::future::LocalBoxFuture;
use mosaic_messages::{Deliver, Reconcile};
use mosaic_supervise::{Link, LinkError, Supervised};
use mosaic_types::outbox::{Delivery, Finding};

/// Whoever brings items to a platform.
pub trait Bridge: Send + Sync {
    /// Why it cannot work now; `None`: it can, or will soon.
    fn down(&self) -> Option<Arc<str>>;

    /// Shows one part of an item.
    fn deliver(&self, ask: Deliver) -> LocalBoxFuture<'static, Result<Delivery, LinkError>>;

    /// Finds out what became of a part that was cut off.
    fn reconcile(&self, ask: Reconcile) -> LocalBoxFuture<'static, Result<Finding, LinkError>>;
}

impl<A: Supervised + Handler<Deliver> + Handler<Reconcile>> Bridge for Link<A> {
    fn down(&self) -> Option<Arc<str>> {
        Self::down(self)
    }

    fn deliver(&self, ask: Deliver) -> LocalBoxFuture<'static, Result<Delivery, LinkError>> {
        let link = self.clone();
        Box::pin(async move { link.ask(ask).await })
    }

    fn reconcile(&self, ask: Reconcile) -> LocalBoxFuture<'static, Result<Finding, LinkError>> {
        let link = self.clone();
        Box::pin(async move { link.ask(ask).await })
    }
}
