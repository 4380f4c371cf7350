//! What does supervision cost against bare actix: per message, per actor, per birth, per restart?

use std::time::{Duration, Instant};

use actix::prelude::{Actor, ActorContext, Addr, Arbiter, Context, Handler, Message};
use mosaic_supervise::{Birth, ChildSpec, Family, LinkError, Mailbox, Restart, Scope, Supervisor, Tether, supervised};

use crate::report::{Report, Tries, float, ms, resident};

const ACTORS: usize = 100_000;
const MESSAGES: u32 = 200_000;
const CRASHES: usize = 200;

#[derive(Default)]
struct Clerk {
    count: u32,
    _tether: Option<Tether>,
}

impl Actor for Clerk {
    type Context = Context<Self>;
}
supervised!(Clerk);

#[derive(Message)]
#[rtype(result = "u32")]
enum Do {
    Count,
    Crash,
    Leave,
}

impl Handler<Do> for Clerk {
    type Result = u32;
    fn handle(&mut self, order: Do, ctx: &mut Self::Context) -> u32 {
        match order {
            Do::Count => self.count += 1,
            Do::Crash => panic!("as planned"),
            Do::Leave => ctx.stop(),
        }
        self.count
    }
}

pub(crate) fn measure(report: &mut Report) {
    messages(report);
    actors(report);
    restarts(report);
}

fn clerk(birth: Birth) -> Clerk {
    Clerk { count: 0, _tether: Some(birth.tether) }
}

fn messages(report: &mut Report) {
    let (bare, linked) = actix::System::new().block_on(async {
        let addr = Clerk::default().start();
        let began = Instant::now();
        for _ in 0..MESSAGES {
            addr.send(Do::Count).await.expect("it lives");
        }
        let bare = began.elapsed() / MESSAGES;
        let parent = Supervisor::start_root("bench", Scope::Shared(Default::default()), 1, |_| {});
        let link = parent.adopt(ChildSpec::new("clerk", Restart::Permanent, Mailbox::default(), clerk));
        link.up().await.expect("it starts");
        let began = Instant::now();
        for _ in 0..MESSAGES {
            link.ask(Do::Count).await.expect("it lives");
        }
        (bare, began.elapsed() / MESSAGES)
    });
    let ratio = linked.as_secs_f64() / bare.as_secs_f64();
    let value = format!("{} ns, {ratio:.2}x", linked.as_nanos());
    report.row("question through a link, same arbiter", value, format!("bare actix {} ns", bare.as_nanos()), "none");
}

fn actors(report: &mut Report) {
    let rate = |took: Duration| format!("{:.0}/s", float(ACTORS) / took.as_secs_f64());
    // Both kinds live at once, so that neither is lent the memory that the other freed.
    let (bare_each, bare_born, each, born, gone) = actix::System::new().block_on(async {
        let (before, began) = (resident(), Instant::now());
        let addrs: Vec<Addr<Clerk>> = (0..ACTORS).map(|_| Clerk::default().start()).collect();
        addrs.last().expect("there are some").send(Do::Count).await.expect("it lives");
        let (bare_born, bare_each) = (began.elapsed(), resident().saturating_sub(before) / ACTORS as u64);

        let parent = Supervisor::start_root("bench", Scope::Each(Default::default()), 1, |_| {});
        let here = Arbiter::current();
        let place = move |_: &usize| here.clone();
        let family = Family::new(parent, Restart::Transient, Mailbox::default(), place, |_, birth| clerk(birth));
        let (before, began) = (resident(), Instant::now());
        let links: Vec<_> = (0..ACTORS).map(|name| family.open(&name)).collect();
        links.last().expect("there are some").ask(Do::Count).await.expect("it lives");
        let (born, each) = (began.elapsed(), resident().saturating_sub(before) / ACTORS as u64);
        let began = Instant::now();
        for link in &links {
            link.ask(Do::Leave).await.expect("it lives");
        }
        while !family.is_empty() {
            tokio::task::yield_now().await;
        }
        (bare_each, bare_born, each, born, began.elapsed())
    });
    let baseline = format!("bare actix {bare_each} bytes");
    report.row("memory of a supervised idle actor, 100,000 of them", format!("{each} bytes"), baseline, "none");
    report.row("births of supervised actors", rate(born), format!("bare actix {}", rate(bare_born)), "none");
    report.row("normal ends of supervised actors, told and forgotten", rate(gone), "none".to_owned(), "none");
}

fn restarts(report: &mut Report) {
    std::panic::set_hook(Box::new(|_| {}));
    let mut tries = Tries::default();
    actix::System::new().block_on(async {
        let parent = Supervisor::start_root("bench", Scope::Each(Default::default()), 1, |_| {});
        for crash in 0..CRASHES {
            // Each its first crash, so that no delay is due.
            let spec = ChildSpec::new(format!("clerk-{crash}"), Restart::Permanent, Mailbox::default(), clerk);
            let link = parent.adopt(spec);
            assert_eq!(link.ask(Do::Crash).await, Err(LinkError::Died));
            let began = Instant::now();
            link.ask(Do::Count).await.expect("it is reborn");
            tries.push(began.elapsed());
        }
    });
    drop(std::panic::take_hook());
    let value = format!("p50 {}, p99 {}", ms(tries.quantile(0.5)), ms(tries.quantile(0.99)));
    report.row("from a crash to the next answer, first restart", value, "no delay is due".to_owned(), "<= 10 ms");
}
