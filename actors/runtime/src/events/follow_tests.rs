//! One who follows hears each journaled event once and the text that runs whole, whatever happens meanwhile.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use mosaic_store::Store;
use mosaic_types::journal::{
    API_CHANNEL, AcceptTurn, EndTurn, Entry, InboxKey, NewSession, NewUser, Outcome, RestartTurn, TurnEnd, Write,
};
use mosaic_types::{
    AgentName, Code, Epoch, EventBody, Seq, SessionEvent, SessionId, Timestamp, TurnId, UserId, UserRole,
};
use proptest::prelude::*;

use super::{Ended, Follow, Hub, Pace, Told};

const AT: Timestamp = Timestamp(1);
const AT_ONCE: Duration = Duration::from_millis(2);
const PATIENCE: Duration = Duration::from_secs(30);

/// A session as its actor and run would drive it, with every delay between a commit and its announcement.
struct House {
    store: Arc<dyn Store>,
    hub: Hub,
    session: SessionId,
    agent: AgentName,
    epoch: Epoch,
    turns: u8,
    running: Option<(TurnId, u32)>,
    /// Committed and not announced yet.
    unannounced: VecDeque<SessionEvent>,
    /// Journaled so far.
    seq: Seq,
    text: String,
}

impl House {
    async fn new() -> Self {
        let store = mosaic_store::open("sqlite::memory:", Path::new(".")).await.expect("a database in memory");
        let (session, agent): (SessionId, AgentName) = ("s".parse().expect("valid"), "a".parse().expect("valid"));
        let user = UserId(uuid::Uuid::nil());
        let made = NewUser { id: user, name: "u".into(), role: UserRole::Owner, at: AT };
        let new = NewSession {
            id: session.clone(),
            user,
            channel: API_CHANNEL.into(),
            agent: agent.clone(),
            title: String::new(),
            at: AT,
        };
        let mut house = Self {
            store,
            hub: Hub::default(),
            session,
            agent,
            epoch: 0,
            turns: 0,
            running: None,
            unannounced: VecDeque::new(),
            seq: 0,
            text: String::new(),
        };
        house.write(Write::CreateUser(made)).await;
        house.write(Write::CreateSession(new)).await;
        house.claim().await;
        house
    }

    async fn write(&mut self, write: Write) -> Outcome {
        let mut outcomes = self.store.commit(vec![write]).await.expect("the store works");
        let outcome = outcomes.pop().expect("one for one").expect("it is written");
        if let Outcome::Written(events) = &outcome {
            self.seq = events.iter().filter_map(|event| event.seq).max().unwrap_or(self.seq);
            self.unannounced.extend(events.iter().cloned());
        }
        outcome
    }

    async fn claim(&mut self) {
        let Outcome::Claimed(epoch) = self.write(Write::Claim { session: self.session.clone() }).await else {
            panic!("it is there")
        };
        self.epoch = epoch;
    }

    fn announce(&mut self) {
        self.hub.publish(&self.session, self.unannounced.drain(..));
    }

    async fn accept(&mut self) {
        if self.running.is_some() {
            return;
        }
        self.turns += 1;
        let turn = TurnId(uuid::Uuid::from_bytes([self.turns; 16]));
        let inbox = InboxKey {
            channel: API_CHANNEL.into(),
            account: "u".into(),
            conversation: "s".into(),
            event: self.turns.to_string().into(),
        };
        let accept = AcceptTurn {
            session: self.session.clone(),
            epoch: self.epoch,
            turn,
            inbox,
            body_hash: [self.turns; 32],
            text: "x".into(),
            attachments: Arc::default(),
            replaces: None,
            agent: self.agent.clone(),
            model: None,
            entry: Entry::Starts,
            route: None,
            title: None,
            reply_to: None,
            at: AT,
        };
        assert!(matches!(self.write(Write::Accept(Box::new(accept))).await, Outcome::Written(_)));
        self.running = Some((turn, 1));
    }

    /// A run speaks only when its start was announced.
    fn speak(&mut self, text: &str) {
        if let Some((turn, attempt)) = self.running.filter(|_| self.unannounced.is_empty()) {
            if self.text.is_empty() {
                self.hub.begin_step(&self.session, turn, attempt, 1);
            }
            self.text.push_str(text);
            self.hub.delta(&self.session, turn, attempt, 1, text.into());
        }
    }

    async fn end(&mut self) {
        let Some((turn, _)) = self.running.take() else { return };
        self.text.clear();
        let end = EndTurn {
            session: self.session.clone(),
            epoch: self.epoch,
            turn,
            agent: self.agent.clone(),
            end: TurnEnd::cancelled(),
            step: 1,
            saw: Seq::MAX,
            steps: Vec::new(),
            delivers: false,
            cuts_tools: false,
            own: mosaic_types::Spent::default(),
            calls: 1,
            beside: Vec::new(),
            next: None,
            at: AT,
        };
        self.write(Write::End(Box::new(end))).await;
    }

    /// The session's actor dies: what it had written and not announced is never announced.
    async fn crash(&mut self) {
        self.unannounced.clear();
        self.hub.hush(&self.session);
        self.text.clear();
        self.claim().await;
        self.hub.doubt(&self.session);
        self.hub.resync(&self.session);
        if let Some((turn, attempt)) = &mut self.running {
            *attempt += 1;
            let (session, epoch) = (self.session.clone(), self.epoch);
            let restart = RestartTurn {
                session,
                epoch,
                turn: *turn,
                attempt: *attempt,
                charged: 0,
                lost: Vec::new(),
                agent: self.agent.clone(),
                unknown: Vec::new(),
                at: AT,
            };
            self.write(Write::Restart(restart)).await;
        }
    }

    async fn follow(&self, after: Seq, pace: Option<Pace>) -> Follow {
        let (store, hub) = (self.store.clone(), self.hub.clone());
        Follow::after(store, hub, self.session.clone(), after, pace).await.expect("a good position")
    }
}

/// What one reader saw, over all its connections.
#[derive(Default)]
struct Seen {
    seq: Seq,
    /// The text in front of them, with whose it is.
    text: Option<(TurnId, u32, String)>,
    over: Vec<TurnId>,
}

impl Seen {
    fn see(&mut self, told: &Told) {
        let Told::Event(event) = told else { return };
        if let Some(seq) = event.seq {
            assert_eq!(seq, self.seq + 1, "each journaled event once and in order");
            self.seq = seq;
            if event.body.is_end() {
                self.over.extend(event.turn);
                self.text = None;
            }
        }
        if let (EventBody::TurnDelta { attempt, offset, text, .. }, Some(turn)) = (&event.body, event.turn) {
            assert!(!self.over.contains(&turn), "text of a turn that has ended");
            let (of, at, shown) = self.text.get_or_insert((turn, *attempt, String::new()));
            if (*of, *at) != (turn, *attempt) || *offset == 0 {
                assert!(*attempt >= *at || *of != turn, "text of an attempt that was given up");
                (*of, *at) = (turn, *attempt);
                shown.clear();
            }
            assert_eq!(*offset, shown.chars().count(), "no gap and no repeat");
            shown.push_str(text);
        }
    }

    /// Reads some of what is there, as much as comes at once; when is part of what is tried.
    async fn read(&mut self, follow: &mut Follow, most: usize) {
        for _ in 0..most {
            let Ok(told) = tokio::time::timeout(AT_ONCE, follow.next()).await else { return };
            self.see(&told.expect("nobody is cut here"));
        }
    }

    /// Reads until all is there.
    async fn rest(&mut self, follow: &mut Follow, house: &House) {
        while self.seq < house.seq || self.shown() != house.text {
            let told = tokio::time::timeout(PATIENCE, follow.next()).await;
            let told = told.unwrap_or_else(|_| panic!("{} of {}, {:?}", self.seq, house.seq, self.text));
            self.see(&told.expect("nobody is cut here"));
        }
    }

    fn shown(&self) -> &str {
        self.text.as_ref().map_or("", |(_, _, text)| text)
    }
}

#[derive(Debug, Clone)]
enum Act {
    Accept,
    Announce,
    Speak,
    /// More at once than a reader is told piece by piece; a few of them are more than may wait for it.
    Flood,
    End,
    Crash,
    Read(usize),
    ComeBack,
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        3 => Just(Act::Accept),
        5 => Just(Act::Announce),
        6 => Just(Act::Speak),
        2 => Just(Act::Flood),
        3 => Just(Act::End),
        1 => Just(Act::Crash),
        3 => (1..4_usize).prop_map(Act::Read),
        2 => Just(Act::ComeBack),
    ];
    prop::collection::vec(act, 1..40)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_happens_each_journaled_event_is_told_once_and_the_text_is_whole(acts in acts()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let mut house = House::new().await;
            let mut seen = Seen::default();
            let mut follow = house.follow(0, None).await;
            for act in acts {
                match act {
                    Act::Accept => house.accept().await,
                    Act::Announce => house.announce(),
                    Act::Speak => house.speak("ä"),
                    Act::Flood => (0..400).for_each(|_| house.speak("ö")),
                    Act::End => house.end().await,
                    Act::Crash => house.crash().await,
                    Act::Read(most) => seen.read(&mut follow, most).await,
                    Act::ComeBack => {
                        seen.text = None;
                        follow = house.follow(seen.seq, None).await;
                    }
                }
            }
            house.announce();
            house.speak("z");
            seen.rest(&mut follow, &house).await;
        });
    }
}

#[actix::test]
async fn a_position_that_the_journal_does_not_reach_is_refused() {
    let mut house = House::new().await;
    house.accept().await;
    for (after, good) in [(-1, false), (0, true), (2, true), (3, false), (i64::MAX, false)] {
        let (store, hub) = (house.store.clone(), house.hub.clone());
        let followed = Follow::after(store, hub, house.session.clone(), after, None).await;
        assert_eq!(
            followed.map(|_| ()).map_err(|failure| failure.code),
            if good { Ok(()) } else { Err(Code::BadCursor) }
        );
    }
}

#[actix::test]
async fn nothing_is_replayed_without_room_and_one_page_is_held_for_all_sessions() {
    let mut house = House::new().await;
    house.accept().await;
    let (room, pace) = Pace::new();
    room.send_replace(false);
    let mut first = house.follow(0, Some(pace.clone())).await;
    let mut second = house.follow(0, Some(pace)).await;
    let mut next = Box::pin(first.next());
    let waited = tokio::time::timeout(Duration::from_millis(50), &mut next).await;
    assert!(waited.is_err(), "there is no room");
    room.send_replace(true);
    assert!(matches!(next.await, Ok(Told::Event(_))));
    assert!(second.next().now_or_never().is_none(), "the first still holds its page");
    while !matches!(first.next().await, Ok(Told::CaughtUp(_))) {}
    assert!(matches!(second.next().await, Ok(Told::Event(_))));
}

#[actix::test]
async fn one_who_is_cut_is_told_whether_there_is_something_to_come_back_to() {
    let mut house = House::new().await;
    house.accept().await;
    let mut follow = house.follow(2, None).await;
    assert_eq!(follow.next().await, Ok(Told::CaughtUp(2)));
    house.hub.close_all();
    assert_eq!(follow.next().await, Err(Ended::Lagged));
    let mut follow = house.follow(2, None).await;
    assert_eq!(follow.next().await, Ok(Told::CaughtUp(2)));
    house.write(Write::Delete { session: house.session.clone() }).await;
    house.hub.close(&house.session);
    assert_eq!(follow.next().await, Err(Ended::Removed));
}
