//! Looks for items that are held and that nobody is at: those of a process that died, and those whose taking up was
//! stored and never heard of.

use std::sync::Arc;

use mosaic_types::journal::Write;
use mosaic_types::outbox::{Item, Settled, TakeItems};
use mosaic_types::{Code, Failure};
use uuid::Uuid;

use super::carry::{ask_later, settlement};
use super::shared::{Looking, Phase};
use super::state::Report;
use crate::doors::Doors;

/// What is to be done with an item that is held.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Stray {
    /// Somebody is at it.
    Leave,
    /// This process took it up and did not begin.
    PutBack,
    /// Its platform may have heard of it.
    Ask,
}

pub(super) fn stray(item: &Item, us: Uuid, phase: Option<Phase>) -> Stray {
    match phase {
        Some(Phase::Calling | Phase::Asking | Phase::Stuck) => Stray::Leave,
        Some(Phase::CutOff) => Stray::Ask,
        None if item.holder == Some(us) => Stray::PutBack,
        None => Stray::Ask,
    }
}

/// Looks after all of them. Nothing is taken up meanwhile.
pub(super) async fn look(doors: Arc<Doors>, looking: Looking) {
    let done = all(&doors).await;
    if let Err(failure) = &done {
        tracing::debug!(%failure, "what was cut off could not be looked for");
    }
    drop(looking);
    doors.outbox.report(if done.is_ok() { Report::Looked } else { Report::NotLooked });
}

async fn all(doors: &Arc<Doors>) -> Result<(), Failure> {
    let outbox = &doors.outbox;
    // Takes nothing, and is answered when all that was to be written before it is: what comes of a taking up that
    // nobody hears of can be seen from here on.
    let nothing = TakeItems { channel: "".into(), holder: outbox.holder(), limit: 0, at: outbox.now() };
    doors.commit(Write::TakeItems(nothing)).await?;
    for item in doors.store.held_items().await? {
        // One without a way to its channel waits for that.
        let Some(bridge) = outbox.bridge(&item.to.channel) else { continue };
        match stray(&item, outbox.holder(), outbox.phase(item.id)) {
            Stray::Leave => {}
            Stray::PutBack => {
                let settled = Settled::Later { due: outbox.now() };
                match doors.commit(Write::SettleItem(Box::new(settlement(&item, settled, outbox.now())))).await {
                    // One that cannot be put back must not keep all others waiting.
                    Err(failure) if failure.code == Code::StorageDefect => {
                        tracing::error!(%failure, item.id, "an answer that was taken up cannot be put back; it waits");
                    }
                    put_back => drop(put_back?),
                }
            }
            Stray::Ask => ask_later(doors, outbox, bridge, item),
        }
    }
    Ok(())
}
