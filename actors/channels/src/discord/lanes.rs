//! What was heard and is not done with: places side by side, each in its order. From here it is known up to which event a
//! session is done with, and up to which message.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use futures_util::StreamExt;
use futures_util::future::LocalBoxFuture;
use futures_util::stream::FuturesUnordered;

/// So many wait at the most; then the gateway is not read for a while.
pub(super) const ROOM: usize = 1_000;

/// An event: the session that it came in, counted from 1, and its number there.
pub(super) type Event = (u32, u64);

type Work = LocalBoxFuture<'static, ()>;

/// Something that is to be done, in the order of its coming.
type Serial = u64;

/// One lane for each place in which something was said.
#[derive(Default)]
pub(super) struct Lanes {
    session: u32,
    /// The last event of this session that came.
    last: u64,
    /// The last message that came.
    seen: u64,
    next: Serial,
    /// What is not done with: the event that it belongs to, and the message up to which all is done with meanwhile.
    open: HashMap<Serial, (Event, u64)>,
    waiting: HashMap<Arc<str>, VecDeque<(Serial, Work)>>,
    running: FuturesUnordered<LocalBoxFuture<'static, (Arc<str>, Serial)>>,
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

    /// A message came, whether or not there is anything to do about it.
    pub(super) fn saw(&mut self, message: u64) {
        self.seen = self.seen.max(message);
    }

    /// Has work about an event done, after all that came before it in the same place. Until then only what came up to
    /// the message `before` counts as done with.
    pub(super) fn push(&mut self, place: Arc<str>, event: Event, before: u64, work: Work) {
        let serial = self.next;
        self.next += 1;
        self.open.insert(serial, (event, before));
        match self.waiting.get_mut(&place) {
            Some(waiting) => waiting.push_back((serial, work)),
            None => {
                self.waiting.insert(place.clone(), VecDeque::new());
                self.run(place, serial, work);
            }
        }
    }

    fn run(&self, place: Arc<str>, serial: Serial, work: Work) {
        self.running.push(Box::pin(async move {
            work.await;
            (place, serial)
        }));
    }

    /// Whether one more may come.
    pub(super) fn has_room(&self) -> bool {
        self.open.len() < ROOM
    }

    /// Works until something is done, for ever where there is nothing to do.
    pub(super) async fn work(&mut self) {
        let Some((place, serial)) = self.running.next().await else { return std::future::pending().await };
        self.open.remove(&serial);
        match self.waiting.get_mut(&place).and_then(VecDeque::pop_front) {
            Some((serial, work)) => self.run(place, serial, work),
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
        let open = self.open.values().filter(|((session, _), _)| *session == self.session).map(|((_, seq), _)| *seq);
        open.min().map_or(self.last, |first| first.saturating_sub(1))
    }

    /// The message up to which all is done with, where `known` is one such.
    pub(super) fn position(&self, known: u64) -> u64 {
        let open = self.open.values().map(|(_, before)| *before).min();
        open.unwrap_or(self.seen).min(self.seen.max(known)).max(known)
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
        lanes.saw(seq);
        lanes.push(place.into(), event, seq - 1, Box::pin(async move { told.await.expect("told") }));
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
        assert_eq!((lanes.done(), lanes.position(0)), (1, 1), "the first is still open");
        one.send(()).expect("it waits");
        lanes.work().await;
        assert_eq!((lanes.done(), lanes.position(0), lanes.position(9)), (4, 3, 9), "the fourth was no message");
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
            lanes.push("a".into(), event, 0, Box::pin(std::future::pending()));
        }
        assert!(!lanes.has_room());
    }
}
