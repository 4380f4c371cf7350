//! Takes items up and carries each to its end: the call, what is to be thought of its answer, and the settlement.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mosaic_messages::channel::{Calling, Deliver, PATIENCE, Reconcile};
use mosaic_supervise::LinkError;
use mosaic_types::journal::{Outcome, Write};
use mosaic_types::outbox::{Delivery, Finding, Item, ItemState, SettleItem, Settled, Shown, TakeItems};
use mosaic_types::{Code, EventBody, Failure, Point, Timestamp};
use tokio::time::{sleep, timeout};
use tracing::Instrument;

use super::bridge::Bridge;
use super::delay;
use super::shared::{Outbox, Phase, Taking, UnderWay};
use super::state::{Report, STORE_AGAIN};
use crate::doors::Doors;
use crate::meters::meters;

/// While a channel cannot take anything, it rests this long.
const REST: Duration = Duration::from_secs(1);

/// Times that the store refuses a settlement for good before it is believed; as for what becomes of a turn.
const REFUSALS: u32 = 3;

/// How often what the store refuses for good is tried again.
const SELDOM: Duration = Duration::from_secs(60);

/// Takes up to `limit` items of a channel, and begins with each.
pub(super) async fn take(doors: Arc<Doors>, channel: Arc<str>, limit: usize, places: Taking) {
    let outbox = &doors.outbox;
    let limit = u32::try_from(limit).unwrap_or(u32::MAX);
    let take = TakeItems { channel: channel.clone(), holder: outbox.holder(), limit, at: outbox.now() };
    match doors.commit(Write::TakeItems(take)).await {
        Ok(Outcome::Taken { items, next }) => {
            let full = items.len() == limit as usize;
            for item in items {
                let under_way = outbox.begin(&item, Phase::Calling);
                actix::spawn(deliver(doors.clone(), Arc::new(item), under_way));
            }
            let next = next.map(|next| outbox.instant(next));
            outbox.report(Report::Taken { channel, full, next });
        }
        other => {
            // The writer has said why.
            tracing::debug!(channel.name = %channel, ?other, "what must go out could not be taken up");
            if !matches!(&other, Err(failure) if failure.changed_nothing()) {
                // It is not known: what was taken up is held by this process, and nobody is at it.
                outbox.report(Report::Look);
            }
            if matches!(&other, Err(failure) if failure.code == Code::StorageDefect) {
                let until = tokio::time::Instant::now() + SELDOM;
                outbox.report(Report::Rest { channel: channel.clone(), until });
            }
            outbox.report(Report::NotTaken { channel });
        }
    }
    drop(places);
}

/// Notes of an item that its platform is about to be called.
struct Memo {
    doors: Arc<Doors>,
    item: Arc<Item>,
    line: Line,
}

/// Whether a delivery may go on to call its platform. Decided once: it begins, or it is given up before.
#[derive(Debug, Default)]
pub(super) struct Line(Mutex<Stage>);

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Stage {
    #[default]
    Open,
    /// The platform may be called, and a note of that may be in the store.
    Begun,
    /// Nobody waits for the delivery any more: what became of it is found out without it.
    Closed,
}

impl Line {
    fn stage(&self) -> MutexGuard<'_, Stage> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it may begin.
    pub(super) fn begin(&self) -> bool {
        let mut stage = self.stage();
        if *stage == Stage::Open {
            *stage = Stage::Begun;
        }
        *stage == Stage::Begun
    }

    /// It must not begin any more; answers whether it did before.
    pub(super) fn close(&self) -> bool {
        std::mem::replace(&mut *self.stage(), Stage::Closed) == Stage::Begun
    }
}

impl fmt::Debug for Memo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memo").field("item", &self.item.id).field("line", &self.line).finish_non_exhaustive()
    }
}

impl Calling for Memo {
    fn note(self: Arc<Self>) -> Pin<Box<dyn Future<Output = bool> + Send>> {
        Box::pin(async move {
            if !self.line.begin() {
                return false;
            }
            let note = settlement(&self.item, Settled::Calling, self.doors.outbox.now());
            let noted = self.doors.commit(Write::SettleItem(Box::new(note))).await;
            matches!(noted, Ok(Outcome::Settled { .. }))
        })
    }
}

/// Delivers a part of an item and writes down what became of it.
async fn deliver(doors: Arc<Doors>, item: Arc<Item>, under_way: UnderWay) {
    let span = span(&item);
    let work = async {
        // A daemon that is told to stop waits for what a platform is hearing.
        let busy = doors.work.begin();
        let Some(bridge) = doors.outbox.bridge(&item.to.channel) else {
            let settled = Settled::Later { due: doors.outbox.now().plus(REST) };
            return settle(&doors, &item, settled, under_way).await;
        };
        Point::DeliverBeforeCall.pass();
        let calling = Arc::new(Memo { doors: doors.clone(), item: item.clone(), line: Line::default() });
        let ask = Deliver { item: item.clone(), calling: calling.clone(), span: tracing::Span::current() };
        let answer = timeout(PATIENCE, bridge.deliver(ask)).await;
        Point::DeliverAfterCall.pass();
        let settled = match answer {
            Ok(Ok(Delivery::NotKnown) | Err(LinkError::Died)) | Err(_) => {
                under_way.asks();
                drop(busy);
                let called = calling.line.close();
                ask_for(&doors, &*bridge, &Arc::new(Item { called, ..item.as_ref().clone() })).await
            }
            Ok(Ok(delivery)) => judge(&doors, &item, delivery),
            // It heard of nothing.
            Ok(Err(error)) => {
                let until = tokio::time::Instant::now() + REST;
                doors.outbox.report(Report::Rest { channel: item.to.channel.clone(), until });
                later(&doors, &item, None, &error.to_string())
            }
        };
        settle(&doors, &item, settled, under_way).await;
    };
    work.instrument(span).await;
}

/// Finds out what became of an item that was cut off, and writes it down.
pub(super) async fn reconcile(doors: Arc<Doors>, bridge: Arc<dyn Bridge>, item: Arc<Item>, under_way: UnderWay) {
    let span = span(&item);
    let work = async {
        let settled = ask_for(&doors, &*bridge, &item).await;
        settle(&doors, &item, settled, under_way).await;
    };
    work.instrument(span).await;
}

fn span(item: &Item) -> tracing::Span {
    tracing::debug_span!(
        parent: None, "outbox.deliver", session.id = %item.session, turn.id = %item.turn, channel.name = %item.to.channel
    )
}

/// What is to be thought of an answer.
fn judge(doors: &Doors, item: &Item, delivery: Delivery) -> Settled {
    match delivery {
        Delivery::Done(shown) => Settled::Shown(sound(item, shown)),
        Delivery::Later { after, all } => {
            let settled = later(doors, item, after, "the platform could not be reached, or took nothing, for a day");
            if let (true, Settled::Later { due }) = (all, &settled) {
                let until = doors.outbox.instant(*due);
                doors.outbox.report(Report::Rest { channel: item.to.channel.clone(), until });
            }
            settled
        }
        Delivery::Refused { why } => Settled::Dead { why },
        Delivery::NotKnown => Settled::Unknown { why: CUT_OFF.to_owned() },
    }
}

const CUT_OFF: &str = "it was cut off, and the platform cannot be asked whether it was delivered";

fn later(doors: &Doors, item: &Item, after: Option<Duration>, why: &str) -> Settled {
    let now = doors.outbox.now();
    if delay::is_given_up(item, now) {
        return Settled::Dead { why: why.to_owned() };
    }
    Settled::Later { due: now.plus(after.unwrap_or_else(|| delay::pause(item.attempt, &doors.outside))) }
}

/// A part that ends where no part can end would be sent again and again.
fn sound(item: &Item, shown: Shown) -> Shown {
    let text = item.content.text();
    match shown.up_to {
        Some(up_to) if up_to <= item.shown || up_to >= text.len() || !text.is_char_boundary(up_to) => {
            tracing::error!(up_to, item.id, "a channel says that a text goes on where it does not");
            Shown { up_to: None, ..shown }
        }
        _ => shown,
    }
}

/// Asks the platform until it answers. Nothing else goes out in that conversation meanwhile.
async fn ask_for(doors: &Doors, bridge: &dyn Bridge, item: &Arc<Item>) -> Settled {
    let mut tried = 0;
    loop {
        let finding = match doors.store.shown(&item.to).await {
            Ok(before) => {
                let ask = Reconcile { item: item.clone(), before, span: tracing::Span::current() };
                timeout(PATIENCE, bridge.reconcile(ask)).await.ok().and_then(Result::ok)
            }
            // Without it, what was said before could be taken for this.
            Err(_) => None,
        };
        let after = match finding {
            Some(Finding::Done(shown)) => return Settled::Shown(sound(item, shown)),
            Some(Finding::Repeat) => return later(doors, item, None, "it was cut off again and again, for a day"),
            Some(Finding::CannotSay) => return Settled::Unknown { why: CUT_OFF.to_owned() },
            Some(Finding::Later { after }) => after,
            None => None,
        };
        tried += 1;
        sleep(after.unwrap_or_else(|| delay::pause(tried, &doors.outside))).await;
    }
}

/// Stores what became of an item, since the platform cannot be told to forget it: again until it is stored, each second;
/// and seldom, beside everything else, where the store refuses it for good.
async fn settle(doors: &Arc<Doors>, item: &Arc<Item>, settled: Settled, under_way: UnderWay) {
    let mut refusals = 0;
    loop {
        let failure = match store(doors, item, &settled).await {
            Ok(more) => return conclude(doors, item, &settled, more, under_way),
            Err(failure) => failure,
        };
        refusals += u32::from(failure.code == Code::StorageDefect);
        if refusals == REFUSALS {
            tracing::error!(
                %failure, item.id, channel.name = %item.to.channel,
                "what became of an answer cannot be stored; its conversation waits, and it is tried again seldom"
            );
            under_way.stuck();
            // Not within the delivery: a daemon that is told to stop must not wait for it.
            actix::spawn(settle_seldom(doors.clone(), item.clone(), settled, under_way).in_current_span());
            return;
        }
        tracing::debug!(%failure, "what became of a delivery could not be stored");
        sleep(STORE_AGAIN).await;
    }
}

/// The store may be put right while the daemon runs.
async fn settle_seldom(doors: Arc<Doors>, item: Arc<Item>, settled: Settled, under_way: UnderWay) {
    loop {
        sleep(SELDOM).await;
        match store(&doors, &item, &settled).await {
            Ok(more) => return conclude(&doors, &item, &settled, more, under_way),
            Err(failure) => tracing::debug!(%failure, "what became of a delivery still cannot be stored"),
        }
    }
}

/// Writes a settlement; answers whether another item became due by it.
async fn store(doors: &Doors, item: &Item, settled: &Settled) -> Result<bool, Failure> {
    let settle = settlement(item, settled.clone(), doors.outbox.now());
    match doors.commit(Write::SettleItem(Box::new(settle))).await? {
        Outcome::Settled { more } => Ok(more),
        // It was stored before, and that answer was lost; or its session is removed.
        _ => Ok(true),
    }
}

fn conclude(doors: &Doors, item: &Item, settled: &Settled, more: bool, under_way: UnderWay) {
    tell(doors, item, settled);
    let again = match settled {
        Settled::Later { due } => Some(doors.outbox.instant(*due)),
        _ => None,
    };
    under_way.settled();
    doors.outbox.report(Report::Settled { channel: item.to.channel.clone(), more, again });
}

pub(super) fn settlement(item: &Item, settled: Settled, at: Timestamp) -> SettleItem {
    let (id, session, holder) = (item.id, item.session.clone(), item.holder);
    SettleItem { id, session, holder, part: item.part, attempt: item.attempt, settled, at }
}

/// Counts it, and says so where something is lost.
fn tell(doors: &Doors, item: &Item, settled: &Settled) {
    let channel = &item.to.channel;
    let (outcome, lost) = match settled {
        Settled::Shown(Shown { up_to: None, .. }) => ("sent", None),
        Settled::Shown(_) => ("part", None),
        Settled::Calling => return,
        Settled::Later { .. } => ("later", None),
        Settled::Unknown { why } => ("unknown", Some((ItemState::Unknown, why))),
        Settled::Dead { why } => ("dead", Some((ItemState::Dead, why))),
    };
    meters().delivered(channel, outcome);
    let Some((state, why)) = lost else { return };
    // The reason may be the platform's words: it is for the person, not for the log.
    tracing::warn!(item.id, item.attempt, state = outcome, "an answer did not go out, or may not have");
    let (channel, message) = (channel.as_ref().to_owned(), why.clone());
    doors.hub.live(&item.session, item.turn, EventBody::DeliveryFailed { channel, state, message });
}

/// The table as the tasks need it; kept here so that `look.rs` begins with an item as they do.
pub(super) fn ask_later(doors: &Arc<Doors>, outbox: &Outbox, bridge: Arc<dyn Bridge>, item: Item) {
    let under_way = outbox.begin(&item, Phase::Asking);
    actix::spawn(reconcile(doors.clone(), bridge, Arc::new(item), under_way));
}
