//! The rules, on a paused clock.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use actix::{Actor, ActorContext, Arbiter, Context, Handler, Message, ResponseFuture};
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::*;

mod beside;
mod ends;
mod flood;
mod news;
mod order;
mod waiting;

struct Worker {
    _tether: Tether,
}

impl Actor for Worker {
    type Context = Context<Self>;
}
supervised!(Worker);

#[derive(Message)]
#[rtype(result = "u64")]
enum Do {
    Answer,
    Panic,
    Stop,
    Fail,
}

impl Handler<Do> for Worker {
    type Result = u64;
    fn handle(&mut self, order: Do, ctx: &mut Self::Context) -> u64 {
        match order {
            Do::Answer => {}
            Do::Panic => panic!("as told"),
            Do::Stop => ctx.stop(),
            Do::Fail => {
                self._tether.fail("could not go on");
                ctx.stop();
            }
        }
        1
    }
}

#[derive(Message)]
#[rtype(result = "()")]
struct Forever;

impl Handler<Forever> for Worker {
    type Result = ResponseFuture<()>;
    fn handle(&mut self, _: Forever, _: &mut Self::Context) -> Self::Result {
        Box::pin(std::future::pending())
    }
}

/// Panics that a test plants are not worth a line each; all others are told.
pub(crate) fn hush() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        let others = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            let planted = panic.payload_as_str().is_some_and(|why| ["as told", "a planted panic"].contains(&why));
            if !planted {
                others(panic);
            }
        }));
    });
}

struct Bed {
    parent: Parent,
    births: Arc<AtomicU64>,
    escalations: mpsc::UnboundedReceiver<Arc<str>>,
}

impl Bed {
    fn new(scope: Scope) -> Self {
        tokio::time::pause();
        Self::build(scope)
    }

    fn build(scope: Scope) -> Self {
        hush();
        let (told, escalations) = mpsc::unbounded_channel();
        let parent = Supervisor::start_root("root", scope, 1, move |why| drop(told.send(why)));
        Self { parent, births: Arc::default(), escalations }
    }

    fn child(&self, name: &str, restart: Restart) -> Link<Worker> {
        let births = self.births.clone();
        self.parent.adopt(ChildSpec::new(name, restart, Mailbox { capacity: 4, ..Mailbox::default() }, move |birth| {
            births.fetch_add(1, Ordering::Relaxed);
            Worker { _tether: birth.tether }
        }))
    }

    fn births(&self) -> u64 {
        self.births.load(Ordering::Relaxed)
    }
}

#[actix::test]
async fn a_panic_costs_the_child_only_and_its_link_finds_the_next_life() {
    let bed = Bed::new(Scope::Shared(Budget::default()));
    let (one, two) = (bed.child("one", Restart::Permanent), bed.child("two", Restart::Permanent));
    assert_eq!(one.ask(Do::Panic).await, Err(LinkError::Died));
    assert_eq!(one.ask(Do::Answer).await, Ok(1));
    assert_eq!(two.ask(Do::Answer).await, Ok(1));
    assert_eq!(bed.births(), 3);
    let tree = bed.parent.tree().await;
    let tree = tree.children();
    assert_eq!((tree[0].incarnation, tree[1].incarnation), (2, 1));
    assert_eq!(tree[0].last_error.as_deref(), Some("panicked"));
}

#[actix::test]
async fn the_first_restart_is_at_once_and_the_next_ones_wait_longer() {
    let bed = Bed::new(Scope::Each(Budget { restarts: 6, ..Budget::default() }));
    let child = bed.child("child", Restart::Permanent);
    let mut waits = Vec::new();
    for _ in 0..6 {
        assert_eq!(child.ask(Do::Panic).await, Err(LinkError::Died));
        let died = Instant::now();
        assert_eq!(child.ask(Do::Answer).await, Ok(1));
        waits.push(died.elapsed());
    }
    assert!(waits[0] < Duration::from_millis(2), "{waits:?}");
    for (wait, plain) in waits[1..].iter().zip([50, 100, 200, 400, 800]) {
        let plain = Duration::from_millis(plain);
        assert!((plain.mul_f64(0.79)..plain.mul_f64(1.21)).contains(wait), "{waits:?}");
    }
}

/// Runs on a clock that stands from the beginning, where timers are exact to the millisecond.
pub(crate) fn exactly(test: impl Future<Output = ()>) {
    let runtime = || {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder.enable_all().start_paused(true).build().expect("a runtime")
    };
    actix::System::with_tokio_rt(runtime).block_on(test);
}

#[test]
fn a_panic_loop_in_a_child_of_the_root_ends_it_after_exactly_the_budget() {
    exactly(spend_the_budget_of_the_root());
}

async fn spend_the_budget_of_the_root() {
    let mut bed = Bed::build(Scope::Shared(Budget::default()));
    let child = bed.child("router", Restart::Permanent);
    let mut dice = crate::budget::Dice::new(1);
    let delays: Vec<_> = (1..=3).map(|nth| Backoff::default().delay(nth, dice.roll())).collect();
    assert!(delays[0].is_zero() && delays[2] > delays[1], "{delays:?}");
    child.up().await.expect("it lives");
    for delay in delays {
        assert_eq!(child.ask(Do::Panic).await, Err(LinkError::Died));
        let died = Instant::now();
        assert_eq!(child.ask(Do::Answer).await, Ok(1));
        assert_eq!(died.elapsed(), delay);
    }
    assert!(bed.escalations.try_recv().is_err(), "three are forgiven");
    assert_eq!(child.ask(Do::Panic).await, Err(LinkError::Died));
    let died = Instant::now();
    assert!(bed.escalations.recv().await.is_some());
    assert_eq!((died.elapsed(), bed.births()), (Duration::ZERO, 4));
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert_eq!(bed.births(), 4, "nothing returns after that");
    assert!(bed.escalations.try_recv().is_err(), "told once");
}

#[actix::test]
async fn a_panic_loop_in_a_family_takes_four_lives_a_minute_for_as_long_as_it_lasts() {
    let bed = Bed::new(Scope::Each(Budget::default()));
    let healed = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let (births, well) = (bed.births.clone(), healed.clone());
    let bad = bed.parent.adopt(ChildSpec::new("bad", Restart::Permanent, Mailbox::default(), move |birth| {
        births.fetch_add(1, Ordering::Relaxed);
        assert!(well.load(Ordering::Relaxed), "as told");
        Worker { _tether: birth.tether }
    }));
    let good = bed.child("good", Restart::Permanent);
    for minute in 1..=10 {
        tokio::time::sleep(Duration::from_secs(30)).await;
        assert_eq!(bed.births(), 4 * minute + 1);
        assert!(matches!(bad.ask(Do::Answer).await, Err(LinkError::Down(_))));
        assert_eq!(good.ask(Do::Answer).await, Ok(1));
        let tree = bed.parent.tree().await;
        assert_eq!(
            tree.children().iter().map(|child| child.state).collect::<Vec<_>>(),
            [ChildState::Down, ChildState::Up]
        );
        tokio::time::sleep(Duration::from_secs(30)).await;
        // The rests begin some 150 ms after the minute: stay well between them.
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    healed.store(true, Ordering::Relaxed);
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(bad.ask(Do::Answer).await, Ok(1));
}

#[actix::test]
async fn a_spent_shared_budget_escalates_once() {
    let mut bed = Bed::new(Scope::Shared(Budget::default()));
    let child = bed.child("child", Restart::Permanent);
    for _ in 0..4 {
        assert_eq!(child.ask(Do::Panic).await, Err(LinkError::Died));
    }
    let why = bed.escalations.recv().await.expect("told");
    assert!(why.contains("3 restarts") && why.contains("child"), "{why}");
    assert!(matches!(child.ask(Do::Answer).await, Err(LinkError::Down(_))));
    assert_eq!(bed.births(), 4);
}

#[actix::test]
async fn a_child_that_spends_its_own_budget_is_down_for_a_minute_and_its_neighbour_works_on() {
    let bed = Bed::new(Scope::Each(Budget::default()));
    let (bad, good) = (bed.child("bad", Restart::Permanent), bed.child("good", Restart::Permanent));
    for _ in 0..4 {
        assert_eq!(bad.ask(Do::Panic).await, Err(LinkError::Died));
    }
    tokio::time::advance(Duration::from_millis(1)).await;
    assert!(matches!(bad.ask(Do::Answer).await, Err(LinkError::Down(_))));
    assert_eq!(good.ask(Do::Answer).await, Ok(1));
    tokio::time::sleep(Duration::from_secs(61)).await;
    assert_eq!(bad.ask(Do::Answer).await, Ok(1));
}

#[actix::test]
async fn restarts_outside_the_period_are_forgiven() {
    let bed = Bed::new(Scope::Shared(Budget::default()));
    let child = bed.child("child", Restart::Permanent);
    for _ in 0..9 {
        assert_eq!(child.ask(Do::Panic).await, Err(LinkError::Died));
        assert_eq!(child.ask(Do::Answer).await, Ok(1));
        tokio::time::sleep(Duration::from_secs(31)).await;
    }
    assert_eq!(bed.births(), 10);
}

#[actix::test]
async fn transient_children_return_after_failures_only_and_temporary_ones_never() {
    let bed = Bed::new(Scope::Each(Budget::default()));
    let transient = bed.child("transient", Restart::Transient);
    assert_eq!(transient.ask(Do::Fail).await, Ok(1));
    assert_eq!(transient.ask(Do::Answer).await, Ok(1));
    assert_eq!(transient.ask(Do::Stop).await, Ok(1));
    let temporary = bed.child("temporary", Restart::Temporary);
    assert_eq!(temporary.ask(Do::Panic).await, Err(LinkError::Died));
    tokio::time::sleep(Duration::from_secs(1)).await;
    for link in [transient, temporary] {
        assert_eq!(link.ask(Do::Answer).await, Err(LinkError::Gone));
    }
    assert_eq!(bed.births(), 3);
}

#[actix::test]
async fn the_bound_holds_however_many_ask_and_control_goes_past_it() {
    let bed = Bed::new(Scope::Each(Budget::default()));
    let child = bed.child("child", Restart::Transient);
    child.up().await.expect("up");
    let mut waiting: Vec<_> = (0..4)
        .map(|_| {
            let link = child.clone();
            Box::pin(async move { link.ask(Forever).await })
        })
        .collect();
    for ask in &mut waiting {
        assert!(futures_poll_once(ask.as_mut()).await.is_none());
    }
    assert_eq!(child.depth(), 4);
    assert_eq!(child.ask(Do::Answer).await, Err(LinkError::Full));
    child.control(Control::Stop).expect("control passes");
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert!(child.is_gone());
    drop(waiting);
    assert_eq!(child.depth(), 0);
}

#[actix::test]
async fn a_stopped_parent_takes_its_children_along_youngest_first() {
    let bed = Bed::new(Scope::Shared(Budget::default()));
    let links = [bed.child("a", Restart::Permanent), bed.child("b", Restart::Permanent)];
    bed.parent.stop().await;
    for link in links {
        assert_eq!(link.ask(Do::Answer).await, Err(LinkError::Gone));
    }
    assert_eq!(bed.births(), 2);
}

#[actix::test]
async fn a_family_finds_its_own_and_replaces_those_that_left() {
    let bed = Bed::new(Scope::Each(Budget::default()));
    let here = Arbiter::current();
    let family = Family::new(
        bed.parent.clone(),
        Restart::Transient,
        Mailbox::default(),
        move |_: &String| here.clone(),
        |_, birth| Worker { _tether: birth.tether },
    );
    let ada = family.open(&"ada".to_owned());
    assert_eq!(ada.ask(Do::Answer).await, Ok(1));
    assert!(family.find(&"ada".to_owned()).is_some() && family.find(&"bob".to_owned()).is_none());
    assert_eq!(ada.ask(Do::Stop).await, Ok(1));
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert_eq!(ada.ask(Do::Answer).await, Err(LinkError::Gone));
    assert!(family.is_empty());
    assert_eq!(family.open(&"ada".to_owned()).ask(Do::Answer).await, Ok(1));
    assert_eq!(family.len(), 1);
}

#[actix::test]
async fn a_family_whose_supervisor_has_stopped_answers_that_its_child_is_gone() {
    let bed = Bed::new(Scope::Each(Budget::default()));
    let here = Arbiter::current();
    let family = Family::new(
        bed.parent.clone(),
        Restart::Transient,
        Mailbox::default(),
        move |_: &String| here.clone(),
        |_, birth| Worker { _tether: birth.tether },
    );
    bed.parent.stop().await;
    // On a thread of its own: it once waited for itself there.
    let (tell, told) = std::sync::mpsc::channel();
    let late = family.clone();
    std::thread::spawn(move || tell.send(late.open(&"ada".to_owned()).is_gone()));
    assert_eq!(told.recv_timeout(Duration::from_secs(10)), Ok(true));
    assert!(family.is_empty());
}

async fn futures_poll_once<F: Future + Unpin>(mut future: F) -> Option<F::Output> {
    std::future::poll_fn(|cx| {
        std::task::Poll::Ready(match std::pin::Pin::new(&mut future).poll(cx) {
            std::task::Poll::Ready(out) => Some(out),
            std::task::Poll::Pending => None,
        })
    })
    .await
}
