//! A writer, a channel, a platform that people look at, and turns that end.

use std::sync::Arc;
use std::time::Duration;

use mosaic_runtime::Doors;
use mosaic_store::contract::Hand;
use mosaic_supervise::{Budget, Link, Parent, Scope, Supervisor};
use mosaic_types::journal::{Outcome, TurnEnd, Write};
use mosaic_types::outbox::{Conversation, ItemState};
use mosaic_types::{Chance, Clock, FinishedTurn, Outside, Timestamp, TurnId, Usage};
use tokio::time::{sleep, timeout};
use uuid::Uuid;

use crate::world::platform::{Bridge, Platform};
use crate::world::postroom::{self, CHANNEL};
use crate::world::store::{MemoryStore, Tables};

/// A clock that stands and chance that is the same each time: what moves is tokio's.
struct Still;

impl Clock for Still {
    fn now(&self) -> Timestamp {
        Timestamp(1_000_000)
    }
}

impl Chance for Still {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(128);
    }
}

pub(super) fn room(channel: &str, name: &str) -> Conversation {
    Conversation { channel: channel.into(), account: "bot".into(), name: name.into() }
}

pub(super) struct Office {
    pub(super) tables: Tables,
    pub(super) hand: Hand,
    pub(super) doors: Arc<Doors>,
    pub(super) root: Parent,
    pub(super) platform: Arc<Platform>,
    pub(super) link: Link<Bridge>,
    pub(super) turns: std::cell::Cell<u8>,
}

impl Office {
    pub(super) async fn open(platform: Arc<Platform>) -> Self {
        let tables = Tables::default();
        let store: Arc<dyn mosaic_store::Store> = Arc::new(MemoryStore::new(tables.clone(), None));
        Self::start(tables, Hand::on(store).await, platform)
    }

    /// A process over a store that is there.
    pub(super) fn start(tables: Tables, hand: Hand, platform: Arc<Platform>) -> Self {
        let still = Arc::new(Still);
        let outside = Outside::new(still.clone(), still);
        let root = Supervisor::start_root("root", Scope::Each(Budget::default()), 7, |why| panic!("{why}"));
        let (doors, link) = postroom::start(&root, hand.store.clone(), outside, &platform);
        Self { tables, hand, doors, root, platform, link, turns: std::cell::Cell::new(0) }
    }

    /// Somebody asks in a conversation and is answered.
    pub(super) async fn answer(&self, name: &str, text: &str) -> TurnId {
        self.ask(CHANNEL, name).await;
        self.end(text).await
    }

    pub(super) async fn ask(&self, channel: &str, name: &str) -> TurnId {
        self.turns.set(self.turns.get() + 1);
        let mut accept = self.hand.accept(self.turns.get(), true);
        let Conversation { channel, account, name } = room(channel, name);
        (accept.inbox.channel, accept.inbox.account, accept.inbox.conversation) = (channel, account, name);
        let turn = accept.turn;
        assert!(matches!(self.hand.write(Write::Accept(Box::new(accept))).await, Outcome::Written(_)));
        turn
    }

    pub(super) fn end_of(&self, text: &str) -> Write {
        let finished = FinishedTurn {
            text: text.into(),
            model: "m".into(),
            provider: "p".parse().expect("valid"),
            route_reason: String::new(),
            stop_reason: "stop".into(),
            usage: Usage::default(),
            cost_usd: None,
        };
        let Write::End(mut end) = self.hand.end(self.turns.get(), TurnEnd::Finished(finished), None) else {
            unreachable!("it is an end")
        };
        end.delivers = true;
        Write::End(end)
    }

    pub(super) async fn end(&self, text: &str) -> TurnId {
        let end = self.end_of(text);
        assert!(matches!(self.doors.commit(end).await, Ok(Outcome::Written(_))));
        TurnId(Uuid::from_bytes([self.turns.get(); 16]))
    }

    pub(super) async fn counts(&self) -> Vec<(ItemState, u64)> {
        let counts = self.hand.store.item_counts().await.expect("reads");
        counts.into_iter().map(|count| (count.state, count.items)).collect()
    }

    /// Waits until so many messages can be seen.
    pub(super) async fn seen(&self, count: usize) {
        let all = async {
            while self.platform.seen().len() < count {
                sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(Duration::from_secs(3_600), all).await.expect("they are seen within the hour");
    }

    /// Waits until nothing must go out any more.
    pub(super) async fn quiet(&self) {
        let open = |(state, _): &(ItemState, u64)| matches!(state, ItemState::Pending | ItemState::Sending);
        let all = async {
            while self.counts().await.iter().any(open) || self.doors.outbox.under_way() > 0 {
                sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(Duration::from_secs(200_000), all).await.expect("all goes out");
    }
}
