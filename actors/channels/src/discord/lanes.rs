//! What was heard and is not done with: places side by side, each in its order. From here it is known up to which event a
//! session is done with.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use futures_util::StreamExt;
use futures_util::future::LocalBoxFuture;
use futures_util::stream::FuturesUnordered;

/// So many wait at the most; then the gateway is not read for a while.
pub(super) const ROOM: usize = 1_000;

/// An event: the session that it came in, counted from 1, and its number there.
pub(super) type Event = (u32, u64);

type Work = LocalBoxFuture<'static, ()>;

/// One lane for each place in which something was said.
#[derive(Default)]
pub(super) struct Lanes {
    session: u32,
    /// The last event of this session that came.
    last: u64,
    open: BTreeSet<Event>,
    waiting: HashMap<Arc<str>, VecDeque<(Event, Work)>>,
    running: FuturesUnordered<LocalBoxFuture<'static, (Arc<str>, Event)>>,
}

impl Lanes {
    /// Another session begins, which counts from the start.
    pub(super) fn begin(&mut self) {
        self.session = self.session.wrapping_add(1);
        self.last = 0;
    }

    /// An event came, whether or not there is anything to do about it.
    pub(super) fn came(&mut self, seq: u64) -> Event {
        self.last = self.last.max(seq);
        (self.session, seq)
    }

    /// Has work about an event done, after all that came before it in the same place.
    pub(super) fn push(&mut self, place: Arc<str>, event: Event, work: Work) {
        self.open.insert(event);
        match self.waiting.get_mut(&place) {
            Some(waiting) => waiting.push_back((event, work)),
            None => {
                self.waiting.insert(place.clone(), VecDeque::new());
                self.run(place, event, work);
            }
        }
    }

    fn run(&self, place: Arc<str>, event: Event, work: Work) {
        self.running.push(Box::pin(async move {
            work.await;
            (place, event)
        }));
    }

    /// Whether one more may come.
    pub(super) fn has_room(&self) -> bool {
        self.open.len() < ROOM
    }

    /// Works until something is done, for ever where there is nothing to do.
    pub(super) async fn work(&mut self) {
        let Some((place, event)) = self.running.next().await else { return std::future::pending().await };
        self.open.remove(&event);
        match self.waiting.get_mut(&place).and_then(VecDeque::pop_front) {
            Some((event, work)) => self.run(place, event, work),
            None => drop(self.waiting.remove(&place)),
        }
    }

    /// Works until all is done.
    pub(super) async fn finish(&mut self) {
        while !self.open.is_empty() {
            self.work().await;
        }
    }

    /// The event of this session up to which all is done with.
    pub(super) fn done(&self) -> u64 {
        let first = self.open.range((self.session, 0)..).next();
        first.map_or(self.last, |(_, seq)| seq.saturating_sub(1))
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use tokio::sync::oneshot;

    use super::*;

    /// Pushes work that is done when it is told so.
    fn push(lanes: &mut Lanes, place: &str, seq: u64) -> oneshot::Sender<()> {
        let (tell, told) = oneshot::channel();
        let event = lanes.came(seq);
        lanes.push(place.into(), event, Box::pin(async move { told.await.expect("told") }));
        tell
    }

    #[tokio::test]
    async fn a_session_is_done_with_up_to_the_first_event_that_is_not() {
        let mut lanes = Lanes::default();
        lanes.begin();
        let (one, two) = (push(&mut lanes, "a", 2), push(&mut lanes, "b", 3));
        lanes.came(4);
        assert_eq!(lanes.done(), 1);
        two.send(()).expect("it waits");
        lanes.work().await;
        assert_eq!(lanes.done(), 1, "the first is still open");
        one.send(()).expect("it waits");
        lanes.work().await;
        assert_eq!(lanes.done(), 4);
    }

    #[tokio::test]
    async fn a_place_is_heard_in_order_and_does_not_hold_up_another() {
        let mut lanes = Lanes::default();
        lanes.begin();
        let (first, second, other) = (push(&mut lanes, "a", 1), push(&mut lanes, "a", 2), push(&mut lanes, "b", 3));
        second.send(()).expect("it waits");
        assert!(lanes.work().now_or_never().is_none(), "the second waits for the first");
        other.send(()).expect("it waits");
        lanes.work().await;
        first.send(()).expect("it waits");
        lanes.finish().await;
        assert_eq!(lanes.done(), 3);
        assert!(lanes.waiting.is_empty(), "nothing is kept of a place where nothing waits");
    }

    #[tokio::test]
    async fn what_is_left_of_a_session_does_not_hold_up_the_next_and_is_done_all_the_same() {
        let mut lanes = Lanes::default();
        lanes.begin();
        let old = push(&mut lanes, "a", 5);
        lanes.begin();
        lanes.came(1);
        assert_eq!(lanes.done(), 1);
        old.send(()).expect("it waits");
        lanes.finish().await;
        assert_eq!(lanes.done(), 1);
    }

    #[test]
    fn a_crowd_fills_it() {
        let mut lanes = Lanes::default();
        for seq in 0..ROOM as u64 {
            assert!(lanes.has_room());
            let event = lanes.came(seq);
            lanes.push("a".into(), event, Box::pin(std::future::pending()));
        }
        assert!(!lanes.has_room());
    }
}
