//! What an obituary says, and who hears it (C13).

use super::*;

use std::sync::Mutex;

use actix::prelude::{ActorFutureExt, AsyncContext, StreamHandler, WrapFuture};

/// Hears obituaries.
#[derive(Default)]
struct Ear(Arc<Mutex<Vec<ChildExited>>>);

impl Actor for Ear {
    type Context = Context<Self>;
}

impl Handler<ChildExited> for Ear {
    type Result = ();
    fn handle(&mut self, end: ChildExited, _: &mut Self::Context) {
        self.0.lock().expect("nobody panics with it").push(end);
    }
}

type Heard = Arc<Mutex<Vec<ChildExited>>>;

fn ear() -> (actix::Recipient<ChildExited>, Heard) {
    let heard = Heard::default();
    (Ear(heard.clone()).start().recipient(), heard)
}

fn ends(heard: &Heard) -> Vec<(Exit, Option<Label>)> {
    let heard = heard.lock().expect("nobody panics with it");
    heard.iter().map(|end| (end.exit.clone(), end.handling.clone())).collect()
}

#[actix::test]
async fn every_watcher_hears_how_it_ended_and_what_it_was_doing() {
    let bed = Bed::new(Scope::Each(Budget::default()));
    let ((one, first), (two, second)) = (ear(), ear());
    let child = bed.parent.adopt(ChildSpec::new("child", Restart::Permanent, Mailbox::default(), move |birth| {
        let mut tether = birth.tether.watched_by(one.clone()).watched_by(two.clone());
        tether.handling(Some(7_u128.into()));
        Worker { _tether: tether }
    }));
    assert_eq!(child.ask(Do::Panic).await, Err(LinkError::Died));
    assert_eq!(child.ask(Do::Fail).await, Ok(1));
    assert_eq!(child.ask(Do::Stop).await, Ok(1));
    assert_eq!(child.ask(Do::Answer).await, Ok(1));
    let work = Some(Label::Id(7));
    let expected =
        [(Exit::Panicked, work.clone()), (Exit::Failed("could not go on".into()), work.clone()), (Exit::Normal, work)];
    assert_eq!(ends(&first), expected);
    assert_eq!(ends(&second), expected);
}

#[actix::test]
async fn a_child_whose_arbiter_ended_was_aborted_and_one_that_cannot_start_goes_down() {
    let bed = Bed::new(Scope::Each(Budget::default()));
    let arbiter = Arbiter::new();
    let (told, heard) = ear();
    let spec = ChildSpec::new("child", Restart::Transient, Mailbox::default(), move |birth| Worker {
        _tether: birth.tether.watched_by(told.clone()),
    });
    let child = bed.parent.adopt(spec.on(arbiter.handle()));
    tokio::time::resume(); // another thread is not idle in this clock's sense
    assert_eq!(child.ask(Do::Answer).await, Ok(1));
    arbiter.stop();
    arbiter.join().expect("it ends");
    while child.down().is_none() {
        tokio::task::yield_now().await;
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(ends(&heard), [(Exit::Aborted, None)], "lives that never reached the arbiter have no watcher yet");
    let tree = bed.parent.tree().await;
    assert_eq!(tree.children()[0].incarnation, 4);
    assert_eq!(tree.children()[0].last_error.as_deref(), Some("its thread ended"));
}

/// Panics where it is told to, in its first life only.
struct Brittle {
    place: &'static str,
    first: bool,
    _tether: Tether,
}

impl Actor for Brittle {
    type Context = Context<Self>;
    fn started(&mut self, ctx: &mut Self::Context) {
        match (self.first, self.place) {
            (true, "started") => panic!("as told"),
            (true, "stream") => {
                ctx.add_stream(futures_util::stream::once(async { Item }));
            }
            (true, "spawned") => {
                ctx.spawn(async {}.into_actor(self).map(|(), _, _| panic!("as told")));
            }
            _ => {}
        }
    }
}
supervised!(Brittle);

struct Item;

impl StreamHandler<Item> for Brittle {
    fn handle(&mut self, _: Item, _: &mut Self::Context) {
        panic!("as told");
    }
}

impl Handler<Do> for Brittle {
    type Result = u64;
    fn handle(&mut self, order: Do, _: &mut Self::Context) -> u64 {
        assert!(!matches!(order, Do::Panic) || !self.first, "as told");
        1
    }
}

/// A panic at `place` costs one life of that child and is over within 10 ms.
async fn costs_one_life(place: &'static str) {
    let bed = Bed::new(Scope::Shared(Budget::default()));
    let neighbour = bed.child("neighbour", Restart::Permanent);
    let births = bed.births.clone();
    let child = bed.parent.adopt(ChildSpec::new(place, Restart::Transient, Mailbox::default(), move |birth| {
        births.fetch_add(1, Ordering::Relaxed);
        Brittle { place, first: birth.last_exit.is_none(), _tether: birth.tether }
    }));
    let began = Instant::now();
    if place == "handler" {
        assert_eq!(child.ask(Do::Panic).await, Err(LinkError::Died));
    }
    tokio::time::sleep(Duration::from_millis(2)).await;
    assert_eq!(child.ask(Do::Answer).await, Ok(1), "{place}");
    assert!(began.elapsed() <= Duration::from_millis(10), "{place}");
    let tree = bed.parent.tree().await;
    let seen: Vec<_> = tree.children().iter().map(|child| (child.incarnation, child.restarts)).collect();
    assert_eq!(seen, [(1, 0), (2, 1)], "{place}");
    assert_eq!(tree.children()[1].last_error.as_deref(), Some("panicked"), "{place}");
    assert_eq!(neighbour.ask(Do::Answer).await, Ok(1));
    assert_eq!(bed.births(), 3);
}

#[actix::test]
async fn a_panic_in_a_handler_costs_one_life() {
    costs_one_life("handler").await;
}

#[actix::test]
async fn a_panic_in_started_costs_one_life() {
    costs_one_life("started").await;
}

#[actix::test]
async fn a_panic_in_a_stream_costs_one_life() {
    costs_one_life("stream").await;
}

#[actix::test]
async fn a_panic_in_a_spawned_future_costs_one_life() {
    costs_one_life("spawned").await;
}
