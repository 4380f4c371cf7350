//! A hundred thousand inputs at one real session, with a real store (C16): each is answered or refused with a type, and
//! what must overtake them does.

use std::time::Duration;

use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use mosaic_messages::{Accepted, CancelTurn};
use mosaic_runtime::SessionActor;
use mosaic_supervise::{Control, Link, LinkError};
use mosaic_types::{Code, EventBody, Failure, SessionId, limits};

use crate::PATIENCE;
use crate::house::House;
use crate::panic::When;

const FLOOD: usize = 100_000;
/// Inputs between two looks at what was answered.
const WAVE: usize = 1_000;
/// Tries to be heard through the flood.
const TRIES: usize = 10;
/// FAULTS C16, in the time that the actor's thread works: what it waits for a busy machine says nothing of the actor.
const FELT_WITHIN: Duration = Duration::from_millis(50);
/// What the process may grow by. Kept in memory, the whole flood would take 400 MiB.
const GROWTH_BYTES: u64 = 128 * 1_024 * 1_024;
const TEXT_BYTES: usize = 4 * 1_024;

/// Resident memory of this process, in which other tests of this room run too; they take little.
fn resident_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux tells");
    let line = status.lines().find(|line| line.starts_with("VmRSS")).expect("a line for resident memory");
    line.split_whitespace().nth(1).and_then(|text| text.parse::<u64>().ok()).expect("a number") * 1_024
}

/// Time that this thread has worked, waiting not counted.
fn worked() -> Duration {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux tells");
    let nanos = stat.split_whitespace().next().and_then(|text| text.parse().ok()).expect("a number");
    Duration::from_nanos(nanos)
}

/// One flood at a time, so that each is measured alone.
static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// What became of the inputs.
#[derive(Debug, Default)]
struct Tally {
    accepted: usize,
    /// Refused at the bound of the mailbox.
    full: usize,
    /// Refused at the bound of the queue.
    busy: usize,
    /// Left without an answer by a session that was stopped; stored or not.
    unknown: usize,
    deepest: usize,
}

impl Tally {
    fn count(&mut self, answer: Result<Result<Accepted, Failure>, LinkError>) {
        match answer {
            Ok(Ok(_)) => self.accepted += 1,
            Ok(Err(failure)) if failure.code == Code::Busy => self.busy += 1,
            Err(LinkError::Full) => self.full += 1,
            Ok(Err(Failure { code: Code::Unavailable, .. }))
            | Err(LinkError::Died | LinkError::Gone | LinkError::Restarting) => self.unknown += 1,
            other => panic!("no such answer is known: {other:?}"),
        }
    }

    fn all(&self) -> usize {
        self.accepted + self.full + self.busy + self.unknown
    }
}

/// Throws the flood at the session. After each tenth of it `meanwhile` is done, with the mailbox full.
async fn flood(
    house: &House,
    session: &SessionId,
    meanwhile: impl AsyncFn(&Link<SessionActor>) -> Duration,
) -> (Tally, Vec<Duration>) {
    let (mut tally, mut felt) = (Tally::default(), Vec::new());
    let mut asked = FuturesUnordered::new();
    for number in 0..FLOOD {
        // A session that was stopped is opened anew, as the router does it.
        let link = house.sessions.open(session);
        let input = house.input(session, &format!("{number:0TEXT_BYTES$}"));
        let mut ask = Box::pin(async move { link.ask(input).await });
        match (&mut ask).now_or_never() {
            Some(answer) => tally.count(answer),
            None => asked.push(ask),
        }
        tally.deepest = tally.deepest.max(house.sessions.open(session).depth());
        if number % WAVE == WAVE - 1 {
            if number % (FLOOD / TRIES) == FLOOD / TRIES - 1 {
                felt.push(meanwhile(&house.sessions.open(session)).await);
            }
            while let Some(Some(answer)) = asked.next().now_or_never() {
                tally.count(answer);
            }
            tokio::task::yield_now().await;
        }
    }
    let rest = async {
        while let Some(answer) = asked.next().await {
            tally.count(answer);
        }
    };
    tokio::time::timeout(PATIENCE, rest).await.expect("each is answered");
    (tally, felt)
}

/// A session whose first turn waits for its model, as all others will.
async fn busy_session(house: &House) -> SessionId {
    let session = house.session().await;
    house.sessions.open(&session).up().await.expect("it lives");
    session
}

#[actix::test]
async fn a_flood_at_a_session_is_refused_beyond_its_bounds_and_a_cancel_is_felt_at_once() {
    let _alone = ALONE.lock().await;
    let folder = tempfile::tempdir().expect("a folder");
    let house = House::start_in(folder.path(), When::Held, 0).await;
    let session = busy_session(&house).await;
    house.say(&session, "the first").await;
    let before = resident_bytes();
    let (tally, felt) = flood(&house, &session, async |_| {
        let began = worked();
        let ask = CancelTurn::now(session.clone(), house.who);
        let told = house.router.urge(ask).await.expect("the router lives");
        told.expect("a cancel is never refused for want of room").expect("a turn ran");
        worked() - began
    })
    .await;
    let grown = resident_bytes().saturating_sub(before);
    assert_eq!((tally.all(), tally.unknown), (FLOOD, 0), "{tally:?}");
    assert!(tally.full > 0 && tally.busy > 0, "both bounds were met: {tally:?}");
    let stored = house.journaled(&session, |body| matches!(body, EventBody::TurnAccepted { .. })).await;
    assert_eq!(stored, tally.accepted + 1, "what was accepted is stored, and nothing else");
    assert!(tally.accepted <= limits::WAITING_INPUTS + felt.len(), "each cancel makes room for one: {tally:?}");
    assert!(tally.deepest <= SessionActor::MAILBOX.capacity, "{tally:?}");
    assert!(grown < GROWTH_BYTES, "{grown} bytes");
    assert!(felt.iter().all(|felt| felt <= &FELT_WITHIN), "{felt:?}");
    assert_eq!(house.sessions.open(&session).depth(), 0);
}

#[actix::test]
async fn a_stop_order_is_felt_at_once_through_a_flood_and_the_next_input_finds_the_session() {
    let _alone = ALONE.lock().await;
    let folder = tempfile::tempdir().expect("a folder");
    let house = House::start_in(folder.path(), When::Held, 0).await;
    let session = busy_session(&house).await;
    house.say(&session, "the first").await;
    let (tally, felt) = flood(&house, &session, async |link| {
        let began = worked();
        link.control(Control::Stop).expect("it lives");
        while !link.is_gone() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let felt = worked() - began;
        house.sessions.open(&session).up().await.expect("it lives again");
        felt
    })
    .await;
    assert_eq!(tally.all(), FLOOD, "{tally:?}");
    assert!(tally.unknown <= felt.len() * SessionActor::MAILBOX.capacity, "{tally:?}");
    let stored = house.journaled(&session, |body| matches!(body, EventBody::TurnAccepted { .. })).await;
    assert!((tally.accepted + 1..=tally.accepted + 1 + tally.unknown).contains(&stored), "{stored} of {tally:?}");
    assert!(stored <= limits::WAITING_INPUTS + 1, "one runs and the others wait");
    assert!(tally.deepest <= SessionActor::MAILBOX.capacity, "{tally:?}");
    assert!(felt.iter().all(|felt| felt <= &FELT_WITHIN), "{felt:?}");
}
