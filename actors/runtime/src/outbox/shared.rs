//! What outlives the actor: the bell, the ways to channels, and what is under way in this process.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mosaic_types::outbox::{Item, ItemId};
use mosaic_types::{Outside, Timestamp};
use tokio::sync::Notify;
use tokio::time::Instant;
use uuid::Uuid;

use super::bridge::Bridge;
use super::state::{Load, Report};

/// What somebody is at with an item that this process has taken up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Its channel delivers it, or what it said is being stored.
    Calling,
    /// The call was cut off, and its channel is asked what became of it.
    Asking,
    /// The store refuses for good to keep what became of it; that is tried again seldom.
    Stuck,
    /// Whoever was at it died.
    CutOff,
}

#[derive(Default)]
struct Table {
    bridges: BTreeMap<Arc<str>, Arc<dyn Bridge>>,
    calls: BTreeMap<ItemId, (Arc<str>, Phase)>,
    /// Places that are kept for what is being taken up, by channel.
    takes: BTreeMap<Arc<str>, usize>,
    /// What is held and nobody is at is being looked for.
    looking: bool,
    reports: VecDeque<Report>,
}

struct Inner {
    /// Names this process in the store.
    holder: Uuid,
    /// A clock that nobody sets: what is put back by it is due when its time has passed, though the clock on the wall
    /// jumps.
    began: (Timestamp, Instant),
    bell: Notify,
    table: Mutex<Table>,
}

/// The outbox as others see it. Clones share one; each call is short and never waits.
#[derive(Clone)]
pub struct Outbox(Arc<Inner>);

impl Outbox {
    /// An outbox without channels.
    pub fn new(outside: &Outside) -> Self {
        let began = (outside.now(), Instant::now());
        Self(Arc::new(Inner { holder: outside.uuid(), began, bell: Notify::new(), table: Mutex::default() }))
    }

    /// Has the items of `channel` go out by this way. What went by another one before is asked for here.
    pub fn connect(&self, channel: impl Into<Arc<str>>, bridge: Arc<dyn Bridge>) {
        self.table().bridges.insert(channel.into(), bridge);
        self.report(Report::Look);
    }

    /// Says that something may have become due.
    pub fn ring(&self) {
        if !self.table().bridges.is_empty() {
            self.report(Report::Ring);
        }
    }

    /// Deliveries under way, and those whose channel is being asked what became of them.
    pub fn under_way(&self) -> usize {
        self.table().calls.len()
    }

    /// Answers of which the store refuses for good to keep what became of them.
    pub fn stuck(&self) -> usize {
        self.table().calls.values().filter(|(_, phase)| *phase == Phase::Stuck).count()
    }

    pub(super) fn bell(&self) -> &Notify {
        &self.0.bell
    }

    pub(super) fn holder(&self) -> Uuid {
        self.0.holder
    }

    pub(super) fn now(&self) -> Timestamp {
        let (at, since) = self.0.began;
        at.plus(since.elapsed())
    }

    /// When it will be `at`.
    pub(super) fn instant(&self, at: Timestamp) -> Instant {
        let (began, since) = self.0.began;
        since + std::time::Duration::from_micros(u64::try_from(at.0.saturating_sub(began.0)).unwrap_or(0))
    }

    pub(super) fn bridge(&self, channel: &str) -> Option<Arc<dyn Bridge>> {
        self.table().bridges.get(channel).cloned()
    }

    pub(super) fn report(&self, report: Report) {
        let mut table = self.table();
        // One is as good as many: what rings without end must not fill the memory of an actor that is away.
        if !(report == Report::Ring && table.reports.back() == Some(&report)) {
            table.reports.push_back(report);
        }
        drop(table);
        self.0.bell.notify_one();
    }

    pub(super) fn reports(&self) -> VecDeque<Report> {
        std::mem::take(&mut self.table().reports)
    }

    pub(super) fn load(&self) -> Load {
        let table = self.table();
        let mut load = Load { looking: table.looking, ..Load::default() };
        for (channel, bridge) in &table.bridges {
            load.channels.insert(channel.clone(), bridge.down().is_none());
        }
        // What is stuck keeps no other waiting but those of its conversation.
        for (channel, phase) in table.calls.values().filter(|(_, phase)| *phase != Phase::Stuck) {
            *load.places.entry(channel.clone()).or_default() += 1;
            load.calling += usize::from(*phase == Phase::Calling);
        }
        for (channel, places) in &table.takes {
            *load.places.entry(channel.clone()).or_default() += places;
            load.calling += places;
            load.taking.insert(channel.clone());
        }
        load
    }

    /// What this process is at with an item.
    pub(super) fn phase(&self, item: ItemId) -> Option<Phase> {
        self.table().calls.get(&item).map(|(_, phase)| *phase)
    }

    /// Keeps places until the guard is dropped.
    pub(super) fn taking(&self, channel: &Arc<str>, places: usize) -> Taking {
        self.table().takes.insert(channel.clone(), places);
        Taking { outbox: self.clone(), channel: channel.clone() }
    }

    /// Begins with an item.
    pub(super) fn begin(&self, item: &Item, phase: Phase) -> UnderWay {
        self.table().calls.insert(item.id, (item.to.channel.clone(), phase));
        UnderWay { outbox: self.clone(), item: item.id, settled: false }
    }

    /// Looks for what nobody is at, until the guard is dropped.
    pub(super) fn looking(&self) -> Looking {
        self.table().looking = true;
        Looking(self.clone())
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.0.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Places that are kept.
pub(super) struct Taking {
    outbox: Outbox,
    channel: Arc<str>,
}

impl Drop for Taking {
    fn drop(&mut self) {
        self.outbox.table().takes.remove(&self.channel);
        self.outbox.0.bell.notify_one();
    }
}

/// An item that somebody is at. Where it is dropped before it is [settled](Self::settled), however that came, the item
/// is looked after again.
pub(super) struct UnderWay {
    outbox: Outbox,
    item: ItemId,
    settled: bool,
}

impl UnderWay {
    /// The call was cut off: from now on its channel is asked.
    pub(super) fn asks(&self) {
        self.is(Phase::Asking);
    }

    /// What became of it cannot be stored.
    pub(super) fn stuck(&self) {
        self.is(Phase::Stuck);
    }

    fn is(&self, now: Phase) {
        if let Some((_, phase)) = self.outbox.table().calls.get_mut(&self.item) {
            *phase = now;
        }
        self.outbox.0.bell.notify_one();
    }

    /// What became of it is stored.
    pub(super) fn settled(mut self) {
        self.settled = true;
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        if self.settled {
            self.outbox.table().calls.remove(&self.item);
            self.outbox.0.bell.notify_one();
        } else {
            if let Some((_, phase)) = self.outbox.table().calls.get_mut(&self.item) {
                *phase = Phase::CutOff;
            }
            self.outbox.report(Report::Look);
        }
    }
}

/// What is held is being looked through.
pub(super) struct Looking(Outbox);

impl Drop for Looking {
    fn drop(&mut self) {
        self.0.table().looking = false;
        self.0.0.bell.notify_one();
    }
}
