//! Keeps a platform's limits by going slowly enough: nothing is sent before its time, and what must go out goes first.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::time::Duration;

use tokio::time::Instant;

/// Chats that are remembered, at the most; one that was quiet for longer than every limit looks back needs not be.
const CHATS: usize = 10_000;

/// A moment further ahead is given to nobody: whoever wants it asks again by then.
pub const AHEAD: Duration = Duration::from_secs(20);

/// Who comes later than this for a moment that was kept for them is given another one.
const LATE: Duration = Duration::from_millis(100);

/// Moments that are kept, at the most, before those that nobody came for are forgotten.
const KEPT: usize = 1_024;

/// At most so many in any span of this length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    pub most: usize,
    pub per: Duration,
}

/// Moments that were given away under one limit, in order; some lie ahead.
#[derive(Debug)]
struct Window {
    limit: Limit,
    given: VecDeque<Instant>,
}

impl Window {
    fn new(limit: Limit) -> Self {
        Self { limit, given: VecDeque::new() }
    }

    fn forget(&mut self, now: Instant) {
        while self.given.front().is_some_and(|at| *at + self.limit.per <= now) {
            self.given.pop_front();
        }
    }

    /// The first moment from `from` on at which one more is within the limit, whatever was given before or after it.
    fn earliest(&self, from: Instant) -> Instant {
        let mut at = from;
        loop {
            let near = self.given.iter().filter(|given| **given + self.limit.per > at && **given < at + self.limit.per);
            let (count, first) = near.fold((0, None), |(count, first), given| (count + 1, first.or(Some(*given))));
            match first {
                // Not before the first of them is out of sight; that is later than `at`, or it would not be near.
                Some(first) if count >= self.limit.most => at = first + self.limit.per,
                _ => return at,
            }
        }
    }

    fn give(&mut self, at: Instant) {
        let place = self.given.partition_point(|given| *given <= at);
        self.given.insert(place, at);
    }

    fn take_back(&mut self, at: Instant) {
        if let Ok(place) = self.given.binary_search(&at) {
            self.given.remove(place);
        }
    }

    /// How many were given in the span before `now`, or lie ahead.
    fn used(&self, now: Instant) -> usize {
        self.given.iter().filter(|given| **given + self.limit.per > now).count()
    }
}

#[derive(Debug)]
struct Chat {
    windows: Vec<Window>,
    /// The platform wants silence there until then.
    rests: Option<Instant>,
}

/// When something may be sent to which chat.
#[derive(Debug)]
pub struct Pace<C> {
    all: Window,
    chats: HashMap<C, Chat>,
    /// Moments ahead, by what they are kept for.
    kept: HashMap<i64, Instant>,
}

impl<C: Eq + Hash + Clone> Pace<C> {
    /// Nothing was sent yet; `all` holds over all chats.
    pub fn new(all: Limit) -> Self {
        Self { all: Window::new(all), chats: HashMap::new(), kept: HashMap::new() }
    }

    /// Gives away the first moment at which something may go to `chat`, whose own limits are `limits`.
    ///
    /// # Errors
    /// That moment, where it is later than `until`; then nothing is given away.
    pub fn reserve(&mut self, chat: &C, limits: &[Limit], now: Instant, until: Instant) -> Result<Instant, Instant> {
        self.forget(now);
        let entry = chat_entry(&mut self.chats, chat, limits);
        let mut at = now.max(entry.rests.unwrap_or(now));
        loop {
            let all = entry.windows.iter().fold(self.all.earliest(at), |at, window| window.earliest(at));
            if all == at {
                break;
            }
            at = all;
        }
        if at > until {
            return Err(at);
        }
        self.all.give(at);
        entry.windows.iter_mut().for_each(|window| window.give(at));
        Ok(at)
    }

    /// Lets what is named `of` go to `chat` now, or says when it may: within [`AHEAD`] that moment is kept for it. Who waits
    /// elsewhere in this way has not begun, and can be cut off without a doubt.
    ///
    /// # Errors
    /// The moment at which to come again.
    pub fn admit(&mut self, of: i64, chat: &C, limits: &[Limit], now: Instant) -> Result<(), Instant> {
        if let Some(at) = self.kept.get(&of).copied() {
            if at > now {
                return Err(at);
            }
            self.kept.remove(&of);
            let entry = chat_entry(&mut self.chats, chat, limits);
            if at + LATE >= now && entry.rests.is_none_or(|until| until <= now) {
                return Ok(());
            }
            self.all.take_back(at);
            entry.windows.iter_mut().for_each(|window| window.take_back(at));
        }
        let at = self.reserve(chat, limits, now, now + AHEAD)?;
        if at <= now {
            return Ok(());
        }
        if self.kept.len() >= KEPT {
            self.kept.retain(|_, at| *at + AHEAD > now);
        }
        self.kept.insert(of, at);
        Err(at)
    }

    /// Whether something that nobody would miss may go to `chat` right now; if so, the moment is given away. It leaves a
    /// quarter of each limit to what must go out, and gives way to all that waits for its time.
    pub fn spare(&mut self, chat: &C, limits: &[Limit], now: Instant) -> bool {
        self.forget(now);
        let entry = chat_entry(&mut self.chats, chat, limits);
        let windows = || std::iter::once(&self.all).chain(&entry.windows);
        let waits = windows().any(|window| window.given.back().is_some_and(|at| *at > now));
        let full =
            windows().any(|window| window.used(now) >= window.limit.most.div_ceil(4) * 3 && window.limit.most > 1);
        let late = windows().any(|window| window.earliest(now) > now);
        if waits || full || late || entry.rests.is_some_and(|until| until > now) {
            return false;
        }
        self.all.give(now);
        entry.windows.iter_mut().for_each(|window| window.give(now));
        true
    }

    /// The platform asks for silence in `chat`.
    pub fn rest(&mut self, chat: &C, limits: &[Limit], until: Instant) {
        let entry = chat_entry(&mut self.chats, chat, limits);
        entry.rests = Some(entry.rests.map_or(until, |rests| rests.max(until)));
    }

    /// Chats that are remembered.
    pub fn len(&self) -> usize {
        self.chats.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.chats.is_empty()
    }

    fn forget(&mut self, now: Instant) {
        self.all.forget(now);
        if self.chats.len() < CHATS {
            return;
        }
        self.chats.retain(|_, chat| {
            chat.windows.iter_mut().for_each(|window| window.forget(now));
            chat.rests.is_some_and(|until| until > now) || chat.windows.iter().any(|window| !window.given.is_empty())
        });
    }
}

fn chat_entry<'a, C: Eq + Hash + Clone>(chats: &'a mut HashMap<C, Chat>, chat: &C, limits: &[Limit]) -> &'a mut Chat {
    let new = || Chat { windows: limits.iter().copied().map(Window::new).collect(), rests: None };
    chats.entry(chat.clone()).or_insert_with(new)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const ALL: Limit = Limit { most: 30, per: SECOND };
    const CHAT: Limit = Limit { most: 1, per: SECOND };
    const GROUP: [Limit; 2] = [CHAT, Limit { most: 20, per: Duration::from_secs(60) }];

    fn far(now: Instant) -> Instant {
        now + Duration::from_secs(10_000)
    }

    #[test]
    fn one_chat_gets_one_a_second_and_a_group_twenty_a_minute() {
        let (mut pace, now) = (Pace::new(ALL), Instant::now());
        let at = |pace: &mut Pace<u8>, chat, limits: &[Limit]| {
            (pace.reserve(&chat, limits, now, far(now)).expect("far enough") - now).as_secs()
        };
        assert_eq!([at(&mut pace, 1, &[CHAT]), at(&mut pace, 1, &[CHAT]), at(&mut pace, 1, &[CHAT])], [0, 1, 2]);
        assert_eq!(at(&mut pace, 2, &[CHAT]), 0, "another chat does not wait for it");
        let group: Vec<u64> = (0..21).map(|_| at(&mut pace, 3, &GROUP)).collect();
        assert_eq!((group[19], group[20]), (19, 60));
    }

    #[test]
    fn what_is_too_late_is_not_given_and_takes_no_room() {
        let (mut pace, now) = (Pace::new(ALL), Instant::now());
        pace.rest(&1, &[CHAT], now + Duration::from_secs(149));
        let refused = pace.reserve(&1, &[CHAT], now, now + Duration::from_secs(20));
        assert_eq!(refused, Err(now + Duration::from_secs(149)));
        assert!(!pace.spare(&1, &[CHAT], now), "previews rest with the chat");
        assert_eq!(pace.reserve(&1, &[CHAT], now, far(now)), Ok(now + Duration::from_secs(149)));
    }

    #[test]
    fn a_moment_is_kept_for_who_comes_again_and_given_away_where_they_come_late() {
        let (mut pace, now) = (Pace::new(ALL), Instant::now());
        assert_eq!(pace.admit(1, &1, &[CHAT], now), Ok(()));
        assert_eq!(pace.admit(2, &1, &[CHAT], now), Err(now + SECOND));
        assert_eq!(pace.admit(2, &1, &[CHAT], now), Err(now + SECOND), "the same, however often");
        assert_eq!(pace.admit(3, &1, &[CHAT], now), Err(now + SECOND * 2));
        assert!(!pace.spare(&1, &[CHAT], now + SECOND), "no preview goes before it");
        assert_eq!(pace.admit(2, &1, &[CHAT], now + SECOND + LATE), Ok(()));
        let late = now + SECOND * 2 + LATE * 5;
        assert_eq!(pace.admit(4, &1, &[CHAT], late), Err(now + SECOND * 3));
        assert_eq!(pace.admit(3, &1, &[CHAT], late), Err(now + SECOND * 4), "its own moment has gone by");
        pace.rest(&2, &[CHAT], now + Duration::from_secs(149));
        assert_eq!(pace.admit(5, &2, &[CHAT], now), Err(now + Duration::from_secs(149)));
        assert!(!pace.kept.contains_key(&5), "too far ahead to be kept");
    }

    #[test]
    fn a_preview_gives_way_to_what_must_go_out() {
        let (mut pace, now) = (Pace::new(ALL), Instant::now());
        assert!(pace.spare(&1, &[CHAT], now));
        assert!(!pace.spare(&1, &[CHAT], now), "not twice in a second");
        pace.reserve(&1, &[CHAT], now, far(now)).expect("a second later");
        assert!(!pace.spare(&1, &[CHAT], now + SECOND), "a final is on its way");
        let group = (0..60).filter(|second| pace.spare(&2, &GROUP, now + SECOND * *second)).count();
        assert_eq!(group, 15, "a quarter of the minute is left to finals");
        assert!(pace.reserve(&2, &GROUP, now + SECOND * 59, far(now)).expect("room") <= now + SECOND * 60);
    }

    #[test]
    fn chats_that_are_quiet_are_forgotten() {
        let (mut pace, now) = (Pace::new(Limit { most: 1_000_000, per: SECOND }), Instant::now());
        for chat in 0..CHATS {
            assert!(pace.spare(&chat, &[CHAT], now));
        }
        assert!(pace.spare(&CHATS, &[CHAT], now + SECOND * 2));
        assert_eq!(pace.len(), 1);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn no_limit_is_ever_passed(asks in prop::collection::vec((0_u8..6, 0_u64..700, any::<bool>()), 1..200)) {
            let (mut pace, start) = (Pace::new(Limit { most: 5, per: SECOND }), Instant::now());
            let (mut now, mut sent) = (start, Vec::new());
            for (chat, wait, must) in asks {
                now += Duration::from_millis(wait);
                let limits: &[Limit] = if chat < 3 { &GROUP } else { &[CHAT] };
                if must {
                    sent.push((chat, pace.reserve(&chat, limits, now, far(now)).expect("far enough")));
                } else if pace.spare(&chat, limits, now) {
                    sent.push((chat, now));
                }
            }
            let most = |of: &dyn Fn(u8) -> bool, per: Duration| {
                let at: Vec<Instant> = sent.iter().filter(|(chat, _)| of(*chat)).map(|(_, at)| *at).collect();
                at.iter().map(|from| at.iter().filter(|at| *at >= from && **at < *from + per).count()).max().unwrap_or(0)
            };
            prop_assert!(most(&|_| true, SECOND) <= 5);
            for chat in 0..6 {
                prop_assert!(most(&|of| of == chat, SECOND) <= 1);
                prop_assert!(chat > 2 || most(&|of| of == chat, Duration::from_secs(60)) <= 20);
            }
        }
    }
}
