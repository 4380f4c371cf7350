//! What does a message between two actors cost against a bare channel?

use std::time::{Duration, Instant};

use actix::prelude::{Actor, Arbiter, ArbiterHandle, Context, Handler, Message};
use mosaic_supervise::{ChildSpec, Link, Mailbox, Restart, Scope, Supervisor, Tether, supervised};
use tokio::sync::{mpsc, oneshot};

use crate::report::Report;

const HOPS: u32 = 400_000;

struct Player {
    other: Option<Link<Player>>,
    done: Option<oneshot::Sender<()>>,
    _tether: Tether,
}

impl Actor for Player {
    type Context = Context<Self>;
}
supervised!(Player);

#[derive(Message)]
#[rtype(result = "()")]
struct Ball {
    left: u32,
    span: tracing::Span,
}

#[derive(Message)]
#[rtype(result = "()")]
struct Meet(Link<Player>, Option<oneshot::Sender<()>>);

#[derive(Message)]
#[rtype(result = "u32")]
struct Ask(u32);

impl Handler<Meet> for Player {
    type Result = ();
    fn handle(&mut self, Meet(other, done): Meet, _: &mut Self::Context) {
        (self.other, self.done) = (Some(other), done);
    }
}

impl Handler<Ball> for Player {
    type Result = ();
    fn handle(&mut self, ball: Ball, _: &mut Self::Context) {
        let span = tracing::trace_span!(parent: &ball.span, "bench.hop");
        let _in = span.enter();
        match (ball.left, &self.other) {
            (0, _) | (_, None) => drop(self.done.take().map(|done| done.send(()))),
            (left, Some(other)) => other.tell(Ball { left: left - 1, span: span.clone() }).expect("there is room"),
        }
    }
}

impl Handler<Ask> for Player {
    type Result = u32;
    fn handle(&mut self, ask: Ask, _: &mut Self::Context) -> u32 {
        ask.0
    }
}

pub(crate) fn measure(report: &mut Report) {
    let bare = actix::System::new().block_on(bare());
    let same = actix::System::new().block_on(async { supervised_hop(&Arbiter::current()).await });
    let ratio = same.as_secs_f64() / bare.as_secs_f64();
    let value = format!("{} ns, {ratio:.1}x", same.as_nanos());
    report.row("actor hop, one way, one arbiter", value, format!("bare tokio channel {} ns", bare.as_nanos()), "<= 5x");
    let [near, far] = actix::System::new().block_on(async {
        let other = Arbiter::new();
        [asks(&Arbiter::current(), 100_000).await, asks(&other.handle(), 20_000).await]
    });
    let value = format!("{:.1} µs there and back", far.as_secs_f64() * 1e6);
    let baseline = format!("same arbiter {:.1} µs", near.as_secs_f64() * 1e6);
    report.row("question to another arbiter, one at a time", value, baseline, "none");
}

fn player(name: &str, arbiter: &ArbiterHandle) -> Link<Player> {
    let parent = Supervisor::start_root(name.to_owned(), Scope::Shared(Default::default()), 1, |_| {});
    let make = |birth: mosaic_supervise::Birth| Player { other: None, done: None, _tether: birth.tether };
    parent.adopt(ChildSpec::new(name.to_owned(), Restart::Permanent, Mailbox::default(), make).on(arbiter.clone()))
}

async fn supervised_hop(arbiter: &ArbiterHandle) -> Duration {
    let (one, two) = (player("one", arbiter), player("two", arbiter));
    let (done, over) = oneshot::channel();
    one.ask(Meet(two.clone(), Some(done))).await.expect("it lives");
    two.ask(Meet(one.clone(), None)).await.expect("it lives");
    let began = Instant::now();
    one.tell(Ball { left: HOPS, span: tracing::Span::none() }).expect("there is room");
    over.await.expect("the game ends");
    began.elapsed() / HOPS
}

async fn asks(arbiter: &ArbiterHandle, count: u32) -> Duration {
    let link = player("asked", arbiter);
    let began = Instant::now();
    for n in 0..count {
        assert_eq!(link.ask(Ask(n)).await, Ok(n));
    }
    began.elapsed() / count
}

async fn bare() -> Duration {
    let (to_two, mut at_two) = mpsc::channel::<u32>(256);
    let (to_one, mut at_one) = mpsc::channel::<u32>(256);
    let (done, over) = oneshot::channel();
    // Two tasks, as two actors are: what is compared is the mailbox, not who polls it.
    actix::spawn(async move {
        while let Some(left) = at_two.recv().await {
            if to_one.try_send(left).is_err() {
                break;
            }
        }
    });
    let began = Instant::now();
    actix::spawn(async move {
        for left in 0..HOPS / 2 {
            to_two.try_send(left).expect("there is room");
            at_one.recv().await.expect("it comes back");
        }
        let _ = done.send(());
    });
    over.await.expect("the game ends");
    began.elapsed() / HOPS
}
