//! What answers go out by: the writer of a store, a channel to a platform, and the outbox.
#![allow(dead_code)] // the example runs whole houses only

use std::sync::Arc;

use mosaic_runtime::{
    Agents, Alone, Budgets, Doors, Hub, Leases, Loads, Outbox, OutboxActor, Providers, Routing, Till, Work, WriterActor,
};
use mosaic_store::Store;
use mosaic_supervise::{ChildSpec, Link, Parent, Restart};
use mosaic_types::Outside;

use super::platform::{Bridge, Platform};

pub(crate) const CHANNEL: &str = "chat";

/// Starts them under `root`, with `platform` behind [`CHANNEL`].
pub(crate) fn start(
    root: &Parent,
    store: Arc<dyn Store>,
    outside: Outside,
    platform: &Arc<Platform>,
) -> (Arc<Doors>, Link<Bridge>) {
    let written = store.clone();
    let writer = root.adopt(ChildSpec::new("writer", Restart::Permanent, WriterActor::MAILBOX, move |birth| {
        WriterActor::new(written.clone(), birth.tether)
    }));
    let doors = Arc::new(Doors {
        tools: Default::default(),
        outbox: Outbox::new(&outside),
        outside,
        store,
        writer,
        hub: Hub::default(),
        leases: Leases::default(),
        alone: Alone::default(),
        loads: Loads::default(),
        agents: Agents::start(root, Vec::new(), None),
        providers: Providers::start(root, Vec::new()),
        work: Work::default(),
        till: Till::default(),
        budgets: Budgets::default(),
        routing: Routing::default(),
    });
    let link = bridge(root, CHANNEL, platform);
    doors.outbox.connect(CHANNEL, Arc::new(link.clone()));
    let lent = doors.clone();
    root.adopt(ChildSpec::new("outbox", Restart::Permanent, OutboxActor::MAILBOX, move |birth| {
        OutboxActor::new(lent.clone(), birth.tether)
    }));
    (doors, link)
}

/// Starts a channel to `platform`.
pub(crate) fn bridge(root: &Parent, name: &str, platform: &Arc<Platform>) -> Link<Bridge> {
    let platform = platform.clone();
    root.adopt(ChildSpec::new(name, Restart::Permanent, Bridge::MAILBOX, move |birth| {
        Bridge::new(platform.clone(), birth.tether)
    }))
}
