//! What the outbox decides: from which channel to take how much, and when to look again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

/// Deliveries of one channel at once: a platform answers in about 100 ms, so this is above what any of them allows a
/// bot in a second.
pub(super) const PER_CHANNEL: usize = 8;
/// Deliveries of all channels at once: bounds sockets and memory.
pub(super) const IN_ALL: usize = 64;
/// A channel that is down is looked at again after this long.
const DOWN: Duration = Duration::from_secs(5);
/// After a failure of the store the next try waits this long.
pub(super) const STORE_AGAIN: Duration = Duration::from_secs(1);

/// What is under way, as the table says.
#[derive(Debug, Default, Clone)]
pub(super) struct Load {
    /// Those there is a way to, and whether they are up.
    pub(super) channels: BTreeMap<Arc<str>, bool>,
    /// Places that are used or kept, by channel.
    pub(super) places: BTreeMap<Arc<str>, usize>,
    /// Calls under way, and places kept for more, in all channels.
    pub(super) calling: usize,
    /// Channels that are being taken from.
    pub(super) taking: BTreeSet<Arc<str>>,
    pub(super) looking: bool,
}

/// What the outbox is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Report {
    /// Something may have become due, in any channel.
    Ring,
    /// Something may be held that nobody is at.
    Look,
    /// So it was, and all is looked after.
    Looked,
    /// It could not be found out.
    NotLooked,
    /// Items were taken up. `full`: as many as were asked for, so there may be more. `next`: when the next one is due.
    Taken { channel: Arc<str>, full: bool, next: Option<Instant> },
    /// Nothing could be taken up.
    NotTaken { channel: Arc<str> },
    /// An item is settled. `more`: another one became due by it; `again`: when it is itself.
    Settled { channel: Arc<str>, more: bool, again: Option<Instant> },
    /// Nothing is to be delivered there before.
    Rest { channel: Arc<str>, until: Instant },
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Effect {
    /// Look for what is held and nobody is at.
    Look,
    Take {
        channel: Arc<str>,
        limit: usize,
    },
}

#[derive(Debug, Default)]
struct Lane {
    /// Something may be due.
    wants: bool,
    /// When the next item is due.
    next: Option<Instant>,
    rests: Option<Instant>,
}

#[derive(Debug)]
pub(super) struct OutboxState {
    lanes: BTreeMap<Arc<str>, Lane>,
    /// Something may be held that nobody is at; nothing is taken up before that is known, since what is taken up
    /// meanwhile would look the same.
    look: Option<Instant>,
    /// Which channel comes first, where there are not enough places for all.
    turn: usize,
}

impl OutboxState {
    /// A new life: what the one before left behind is looked for first.
    pub(super) fn new(now: Instant) -> Self {
        Self { lanes: BTreeMap::new(), look: Some(now), turn: 0 }
    }

    fn lane(&mut self, channel: Arc<str>) -> &mut Lane {
        self.lanes.entry(channel).or_insert_with(|| Lane { wants: true, ..Lane::default() })
    }

    pub(super) fn hear(&mut self, report: Report, now: Instant) {
        let sooner = |one: Option<Instant>, other: Option<Instant>| one.into_iter().chain(other).min();
        match report {
            Report::Ring => self.lanes.values_mut().for_each(|lane| lane.wants = true),
            Report::Look => self.look = Some(now),
            Report::Looked => {
                self.look = None;
                self.lanes.values_mut().for_each(|lane| lane.wants = true);
            }
            Report::NotLooked => self.look = Some(now + STORE_AGAIN),
            Report::Taken { channel, full, next } => {
                let lane = self.lane(channel);
                lane.wants |= full;
                lane.next = sooner(lane.next, next);
            }
            Report::NotTaken { channel } => {
                let lane = self.lane(channel);
                (lane.wants, lane.rests) = (true, lane.rests.max(Some(now + STORE_AGAIN)));
            }
            Report::Settled { channel, more, again } => {
                let lane = self.lane(channel);
                lane.wants |= more;
                lane.next = sooner(lane.next, again);
            }
            Report::Rest { channel, until } => {
                let lane = self.lane(channel);
                lane.rests = lane.rests.max(Some(until));
            }
        }
    }

    /// What is to be done now, and when to ask again where nothing is reported before.
    pub(super) fn plan(&mut self, load: &Load, now: Instant) -> (Vec<Effect>, Option<Instant>) {
        if let Some(at) = self.look {
            let idle = !load.looking && load.taking.is_empty();
            let effects = if idle && at <= now { vec![Effect::Look] } else { Vec::new() };
            return (effects, Some(at).filter(|at| *at > now));
        }
        if load.looking {
            return (Vec::new(), None);
        }
        let (mut effects, mut alarm) = (Vec::new(), None::<Instant>);
        let mut wake = |at: Instant| alarm = Some(alarm.map_or(at, |alarm| alarm.min(at)));
        let mut free = IN_ALL.saturating_sub(load.calling);
        self.turn = self.turn.wrapping_add(1);
        let first = self.turn % load.channels.len().max(1);
        let channels: Vec<_> = load.channels.iter().cycle().skip(first).take(load.channels.len()).collect();
        for (channel, up) in channels {
            let lane = self.lane(channel.clone());
            if lane.next.is_some_and(|next| next <= now) {
                (lane.wants, lane.next) = (true, None);
            }
            if lane.rests.is_some_and(|until| until <= now) {
                lane.rests = None;
            }
            if !up && lane.wants && lane.rests.is_none() {
                lane.rests = Some(now + DOWN);
            }
            match (lane.rests, lane.wants) {
                (Some(until), true) => wake(until),
                (_, false) => lane.next.into_iter().for_each(&mut wake),
                (None, true) if load.taking.contains(channel) => {}
                (None, true) => {
                    let used = load.places.get(channel).copied().unwrap_or(0);
                    let limit = PER_CHANNEL.saturating_sub(used).min(free);
                    if limit > 0 {
                        (lane.wants, free) = (false, free - limit);
                        effects.push(Effect::Take { channel: channel.clone(), limit });
                    }
                }
            }
        }
        (effects, alarm)
    }
}
