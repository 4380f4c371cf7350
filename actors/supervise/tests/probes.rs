//! Pinned probes of actix itself (C60): what this room relies on and actix does not promise. They fail first when a new
//! version changes it, and each says what of ours would break.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix::dev::SendError;
use actix::prelude::*;
use tokio::time::Instant;

/// What happened, in order.
type Diary = Arc<Mutex<Vec<String>>>;

fn note(diary: &Diary, line: impl Into<String>) {
    diary.lock().expect("nobody panics with it").push(line.into());
}

fn read(diary: &Diary) -> Vec<String> {
    diary.lock().expect("nobody panics with it").clone()
}

#[derive(Clone, Copy, PartialEq)]
enum At {
    Nowhere,
    Started,
    Stream,
    Spawned,
}

/// Notes its end, and panics where it is told to.
struct Subject {
    diary: Diary,
    at: At,
}

impl Actor for Subject {
    type Context = Context<Self>;
    fn started(&mut self, ctx: &mut Self::Context) {
        match self.at {
            At::Nowhere => {}
            At::Started => panic!("as told"),
            At::Stream => drop(ctx.add_stream(futures_util::stream::once(async { 1_u8 }))),
            At::Spawned => drop(ctx.spawn(async {}.into_actor(self).map(|(), _, _| panic!("as told")))),
        }
    }

    fn stopped(&mut self, _: &mut Self::Context) {
        note(&self.diary, format!("stopped, panicking: {}", std::thread::panicking()));
    }
}

impl Drop for Subject {
    fn drop(&mut self) {
        note(&self.diary, format!("dropped, panicking: {}", std::thread::panicking()));
    }
}

impl StreamHandler<u8> for Subject {
    fn handle(&mut self, _: u8, _: &mut Self::Context) {
        panic!("as told");
    }
}

#[derive(Message)]
#[rtype(result = "()")]
struct Panic;

impl Handler<Panic> for Subject {
    type Result = ();
    fn handle(&mut self, _: Panic, _: &mut Self::Context) {
        panic!("as told");
    }
}

#[derive(Message)]
#[rtype(result = "()")]
struct Stop;

impl Handler<Stop> for Subject {
    type Result = ();
    fn handle(&mut self, _: Stop, ctx: &mut Self::Context) {
        ctx.stop();
    }
}

#[derive(Message)]
#[rtype(result = "&'static str")]
struct Ping;

impl Handler<Ping> for Subject {
    type Result = MessageResult<Ping>;
    fn handle(&mut self, _: Ping, _: &mut Self::Context) -> Self::Result {
        MessageResult("pong")
    }
}

fn subject(at: At) -> (Addr<Subject>, Diary) {
    tokio::time::pause();
    std::panic::set_hook(Box::new(|panic| {
        if panic.payload_as_str() != Some("as told") {
            eprintln!("{panic}");
        }
    }));
    let diary = Diary::default();
    (Subject { diary: diary.clone(), at }.start(), diary)
}

const UNWOUND: [&str; 2] = ["stopped, panicking: true", "dropped, panicking: true"];

/// Lets all that can happen now happen.
async fn settle() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}

/// Breaks otherwise: a tether would report a normal stop for a panic, or nothing, and the child would stay dead.
#[actix::test]
async fn a_panic_in_a_handler_drops_the_actor_while_unwinding_and_costs_no_other() {
    let (addr, diary) = subject(At::Nowhere);
    let other = Subject { diary: Diary::default(), at: At::Nowhere }.start();
    assert!(matches!(addr.send(Panic).await, Err(MailboxError::Closed)));
    assert_eq!(read(&diary), UNWOUND);
    assert!(!addr.connected());
    assert_eq!(other.send(Ping).await.expect("it lives"), "pong");
}

/// Breaks otherwise: a child whose `started` panics would never be heard of again.
#[actix::test]
async fn a_panic_in_started_drops_the_actor_while_unwinding() {
    let (addr, diary) = subject(At::Started);
    settle().await;
    assert_eq!((read(&diary), addr.connected()), (UNWOUND.map(String::from).to_vec(), false));
}

/// Breaks otherwise: a socket or a timer of a child could kill it unheard.
#[actix::test]
async fn a_panic_in_a_stream_drops_the_actor_while_unwinding() {
    let (addr, diary) = subject(At::Stream);
    settle().await;
    assert_eq!((read(&diary), addr.connected()), (UNWOUND.map(String::from).to_vec(), false));
}

/// Breaks otherwise: the work of a turn, which is spawned on its actor, could die and leave the actor behind.
#[actix::test]
async fn a_panic_in_a_spawned_future_drops_the_actor_while_unwinding() {
    let (addr, diary) = subject(At::Spawned);
    settle().await;
    assert_eq!((read(&diary), addr.connected()), (UNWOUND.map(String::from).to_vec(), false));
}

/// Breaks otherwise: a stop that was asked for would be charged as a panic, or not be heard.
#[actix::test]
async fn a_stop_runs_stopped_once_and_drops_the_actor_at_once() {
    let (addr, diary) = subject(At::Nowhere);
    addr.send(Stop).await.expect("it answers first");
    settle().await;
    assert_eq!(read(&diary), ["stopped, panicking: false", "dropped, panicking: false"]);
    assert!(!addr.connected());
}

/// Breaks otherwise: [`Exit::Aborted`](mosaic_supervise::Exit) would be told as a normal stop, and a transient child
/// whose thread ended would not be made anew elsewhere.
#[actix::test]
async fn an_arbiter_that_ends_drops_its_actors_outside_of_its_runtime() {
    struct Seen(std::sync::mpsc::Sender<bool>);
    impl Actor for Seen {
        type Context = Context<Self>;
        fn started(&mut self, _: &mut Self::Context) {
            let _ = self.0.send(tokio::runtime::Handle::try_current().is_ok());
        }
    }
    impl Drop for Seen {
        fn drop(&mut self) {
            let _ = self.0.send(tokio::runtime::Handle::try_current().is_ok());
        }
    }
    let (tell, told) = std::sync::mpsc::channel();
    let arbiter = Arbiter::new();
    let addr = Seen::start_in_arbiter(&arbiter.handle(), move |_| Seen(tell));
    assert_eq!(told.recv(), Ok(true));
    arbiter.stop();
    arbiter.join().expect("it ends");
    assert_eq!(told.recv(), Ok(false));
    assert!(!addr.connected());
}

/// Counts, with a mailbox of four.
struct Counter {
    count: Arc<AtomicUsize>,
}

impl Actor for Counter {
    type Context = Context<Self>;
    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(4);
    }
}

#[derive(Message)]
#[rtype(result = "()")]
struct Count;

impl Handler<Count> for Counter {
    type Result = ();
    fn handle(&mut self, _: Count, _: &mut Self::Context) {
        self.count.fetch_add(1, Ordering::Relaxed);
    }
}

async fn counter() -> (Addr<Counter>, Arc<AtomicUsize>) {
    tokio::time::pause();
    let count = Arc::<AtomicUsize>::default();
    let addr = Counter { count: count.clone() }.start();
    settle().await;
    (addr, count)
}

/// Breaks otherwise: nothing of ours, but the reason why a link counts for itself would be gone.
#[actix::test]
async fn try_send_is_refused_at_the_capacity_and_each_clone_brings_a_slot_of_its_own() {
    let (addr, count) = counter().await;
    let sent = (0..100).filter(|_| addr.try_send(Count).is_ok()).count();
    assert_eq!(sent, 4);
    assert!(matches!(addr.try_send(Count), Err(SendError::Full(_))));
    let clones: Vec<_> = (0..10).map(|_| addr.clone()).collect();
    let more = clones.iter().map(|clone| (0..100).filter(|_| clone.try_send(Count).is_ok()).count());
    assert_eq!(more.sum::<usize>(), 10, "one for each");
    settle().await;
    assert_eq!(count.load(Ordering::Relaxed), 14);
}

/// Breaks otherwise: a stop could not reach a flooded child, nor an obituary its parent.
#[actix::test]
#[allow(clippy::disallowed_methods)] // it is what is looked at
async fn do_send_goes_past_the_capacity_in_order() {
    let (addr, count) = counter().await;
    (0..100).for_each(|_| addr.do_send(Count));
    settle().await;
    assert_eq!(count.load(Ordering::Relaxed), 100);
}

/// Breaks otherwise: nothing of ours, which bounds requests itself: requests that wait for room each bring a slot.
#[actix::test]
async fn send_waits_for_room_by_bringing_a_slot() {
    let (addr, count) = counter().await;
    let all = futures_util::future::join_all((0..50).map(|_| addr.send(Count))).await;
    assert!(all.iter().all(Result::is_ok));
    assert_eq!(count.load(Ordering::Relaxed), 50);
}

/// Waits 100 ms for each message, in one of several ways.
struct Waiter;

impl Actor for Waiter {
    type Context = Context<Self>;
}

const SHORT: Duration = Duration::from_millis(100);

#[derive(Message, Clone, Copy)]
#[rtype(result = "()")]
struct Atomic;

impl Handler<Atomic> for Waiter {
    type Result = AtomicResponse<Self, ()>;
    fn handle(&mut self, _: Atomic, _: &mut Self::Context) -> Self::Result {
        AtomicResponse::new(Box::pin(tokio::time::sleep(SHORT).into_actor(self)))
    }
}

#[derive(Message, Clone, Copy)]
#[rtype(result = "()")]
struct Wait;

impl Handler<Wait> for Waiter {
    type Result = ();
    fn handle(&mut self, _: Wait, ctx: &mut Self::Context) {
        ctx.wait(tokio::time::sleep(SHORT).into_actor(self));
    }
}

#[derive(Message, Clone, Copy)]
#[rtype(result = "()")]
struct Open;

impl Handler<Open> for Waiter {
    type Result = ResponseFuture<()>;
    fn handle(&mut self, _: Open, _: &mut Self::Context) -> Self::Result {
        Box::pin(tokio::time::sleep(SHORT))
    }
}

impl Handler<Ping> for Waiter {
    type Result = MessageResult<Ping>;
    fn handle(&mut self, _: Ping, _: &mut Self::Context) -> Self::Result {
        MessageResult("pong")
    }
}

/// How long a ping takes behind one `message`, in whole milliseconds.
async fn behind<M>(message: M) -> u128
where
    M: Message<Result = ()> + Send + 'static,
    Waiter: Handler<M>,
{
    tokio::time::pause();
    let addr = Waiter.start();
    let began = Instant::now();
    addr.try_send(message).expect("there is room");
    assert_eq!(addr.send::<Ping>(Ping).await.expect("it lives"), "pong");
    began.elapsed().as_millis()
}

/// Breaks otherwise: the rule of no `AtomicResponse` outside `started` could be dropped.
#[actix::test]
async fn an_atomic_response_closes_the_mailbox() {
    assert!(behind(Atomic).await >= SHORT.as_millis());
}

/// Breaks otherwise: the rule of no `ctx.wait` outside `started` could be dropped.
#[actix::test]
async fn ctx_wait_closes_the_mailbox() {
    assert!(behind(Wait).await >= SHORT.as_millis());
}

/// Breaks otherwise: a stop could not reach a child that waits for an answer.
#[actix::test]
async fn a_response_future_leaves_the_mailbox_open() {
    assert_eq!(behind(Open).await, 0);
}

/// Breaks otherwise: requests whose asker has left would be worked off for nobody, or (our count) never be counted off.
#[actix::test]
async fn a_request_whose_asker_left_is_passed_over() {
    let (addr, count) = counter().await;
    let mut request = Box::pin(addr.send(Count));
    let once = std::future::poll_fn(|cx| std::task::Poll::Ready(request.as_mut().poll(cx).is_pending())).await;
    assert!(once);
    drop(request);
    settle().await;
    assert_eq!(count.load(Ordering::Relaxed), 0);
}

/// Breaks otherwise: a root nobody holds would run for ever, and a child that lost its link would not leave.
#[actix::test]
async fn an_actor_whose_last_address_is_dropped_stops() {
    let (addr, diary) = subject(At::Nowhere);
    settle().await;
    drop(addr);
    settle().await;
    assert_eq!(read(&diary), ["stopped, panicking: false", "dropped, panicking: false"]);
}
