//! Strategies, nesting and stopping: who is stopped and started, in which order, and who pays.

use super::*;

use std::sync::Mutex;

/// What happened, in order.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    fn add(&self, line: String) {
        self.0.lock().expect("no test panics while it logs").push(line);
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().expect("no test panics while it logs"))
    }
}

/// Logs its start and its stop; takes `slow` to stop, or never does.
struct Diarist {
    name: &'static str,
    log: Log,
    slow: Option<Duration>,
    panics: bool,
    tether: Tether,
}

impl Actor for Diarist {
    type Context = Context<Self>;
    fn stopped(&mut self, _: &mut Self::Context) {
        self.log.add(format!("-{}", self.name));
    }
}
supervised!(Diarist, custom);

impl Supervised for Diarist {
    fn on_stop(&mut self, ctx: &mut Self::Context) {
        assert!(!self.panics, "as told");
        match self.slow {
            None => ctx.stop(),
            Some(slow) => drop(actix::AsyncContext::run_later(ctx, slow, |_, ctx| ctx.stop())),
        }
    }
}

impl Handler<Do> for Diarist {
    type Result = u64;
    fn handle(&mut self, order: Do, ctx: &mut Self::Context) -> u64 {
        self.tether.handling(Some("a job".into()));
        match order {
            Do::Answer => {}
            Do::Panic => panic!("as told"),
            Do::Stop => ctx.stop(),
            Do::Fail => {
                self.tether.fail("could not go on");
                ctx.stop();
            }
        }
        1
    }
}

fn spec(log: &Log, name: &'static str, restart: Restart) -> ChildSpec<Diarist> {
    stubborn(log, name, restart, None, false)
}

fn stubborn(
    log: &Log,
    name: &'static str,
    restart: Restart,
    slow: Option<Duration>,
    panics: bool,
) -> ChildSpec<Diarist> {
    let log = log.clone();
    ChildSpec::new(name, restart, Mailbox::default(), move |birth| {
        log.add(format!("+{name}{}", birth.incarnation));
        Diarist { name, log: log.clone(), slow, panics, tether: birth.tether }
    })
}

const SHARED: Scope =
    Scope::Shared(Budget { restarts: 3, period: Duration::from_secs(60), rest: Duration::from_secs(60) });

fn root(strategy: Strategy) -> Parent {
    tokio::time::pause();
    hush();
    Supervisor::start_root_with("root", SHARED, strategy, 1, |_| {})
}

/// Lets all that can happen now happen: the paused clock moves on only when nobody has anything to do.
async fn settle() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}

#[actix::test]
async fn rest_for_one_stops_the_younger_in_reverse_and_starts_them_in_order() {
    let (root, log) = (root(Strategy::RestForOne), Log::default());
    let links = ["a", "b", "c", "d"].map(|name| root.adopt(spec(&log, name, Restart::Permanent)));
    settle().await;
    assert_eq!(log.take(), ["+a1", "+b1", "+c1", "+d1"]);
    assert_eq!(links[1].ask(Do::Panic).await, Err(LinkError::Died));
    settle().await;
    // `b` logs too: actix runs `stopped` while it unwinds.
    assert_eq!(log.take(), ["-b", "-d", "-c", "+b2", "+c2", "+d2"]);
    let household = root.tree().await.household.expect("it lives");
    assert_eq!(household.spent, Some(1));
    assert_eq!(household.children.iter().map(|child| child.restarts).collect::<Vec<_>>(), [0, 1, 0, 0]);
}

#[actix::test]
async fn one_for_all_takes_the_elder_along_and_the_second_time_waits() {
    let (root, log) = (root(Strategy::OneForAll), Log::default());
    let links = ["a", "b", "c"].map(|name| root.adopt(spec(&log, name, Restart::Permanent)));
    assert_eq!(links[1].ask(Do::Panic).await, Err(LinkError::Died));
    settle().await;
    assert_eq!(log.take(), ["+a1", "+b1", "+c1", "-b", "-c", "-a", "+a2", "+b2", "+c2"]);
    assert_eq!(links[2].ask(Do::Fail).await, Ok(1));
    let died = Instant::now();
    settle().await;
    assert_eq!(log.take(), ["-c", "-b", "-a"]);
    assert_eq!(links[0].ask(Do::Answer).await, Ok(1));
    assert!((39..=61).contains(&died.elapsed().as_millis()), "{:?}", died.elapsed());
    assert_eq!(log.take(), ["+a3", "+b3", "+c3"]);
}

#[actix::test]
async fn a_regroup_forgets_temporary_siblings_and_brings_transient_ones_back() {
    let (root, log) = (root(Strategy::OneForAll), Log::default());
    let first = root.adopt(spec(&log, "a", Restart::Permanent));
    let transient = root.adopt(spec(&log, "b", Restart::Transient));
    let temporary = root.adopt(spec(&log, "c", Restart::Temporary));
    assert_eq!(first.ask(Do::Panic).await, Err(LinkError::Died));
    settle().await;
    assert_eq!(log.take(), ["+a1", "+b1", "+c1", "-a", "-c", "-b", "+a2", "+b2"]);
    assert_eq!(transient.ask(Do::Answer).await, Ok(1));
    assert_eq!(temporary.ask(Do::Answer).await, Err(LinkError::Gone));
    let other = root.adopt(spec(&log, "d", Restart::Temporary));
    assert_eq!(other.ask(Do::Panic).await, Err(LinkError::Died));
    settle().await;
    assert_eq!(log.take(), ["+d1", "-d"]);
}

#[actix::test]
async fn a_crash_while_being_stopped_counts_as_stopped_and_one_outside_widens_the_regroup() {
    let (root, log) = (root(Strategy::RestForOne), Log::default());
    let a = root.adopt(spec(&log, "a", Restart::Permanent));
    let b = root.adopt(spec(&log, "b", Restart::Permanent));
    root.adopt(stubborn(&log, "c", Restart::Permanent, None, true));
    root.adopt(stubborn(&log, "d", Restart::Permanent, Some(Duration::from_millis(20)), false));
    settle().await;
    log.take();
    assert_eq!(b.ask(Do::Panic).await, Err(LinkError::Died));
    settle().await;
    assert_eq!(log.take(), ["-b"]);
    assert_eq!(a.ask(Do::Panic).await, Err(LinkError::Died));
    let died = Instant::now();
    assert_eq!(a.ask(Do::Answer).await, Ok(1));
    assert_eq!(log.take(), ["-a", "-d", "-c", "+a2", "+b2", "+c2", "+d2"]);
    // What was left of the 20 ms, then the second restart's delay.
    assert!((58..=80).contains(&died.elapsed().as_millis()), "{:?}", died.elapsed());
    assert_eq!(root.tree().await.household.expect("it lives").spent, Some(2));
}

#[actix::test]
async fn a_child_that_does_not_stop_in_time_is_abandoned_and_its_late_obituary_ignored() {
    let (root, log) = (root(Strategy::OneForOne), Log::default());
    let late = stubborn(&log, "late", Restart::Permanent, Some(Duration::from_secs(9)), false);
    let (first, late) =
        (root.adopt(spec(&log, "a", Restart::Permanent)), root.adopt(late.stop_within(Duration::from_secs(2))));
    settle().await;
    let began = Instant::now();
    root.stop().await;
    assert!((2_000..=2_001).contains(&began.elapsed().as_millis()), "{:?}", began.elapsed());
    assert_eq!(log.take(), ["+a1", "+late1", "-a"]);
    assert!(late.is_gone() && first.is_gone());
    tokio::time::sleep(Duration::from_secs(8)).await;
    assert_eq!(log.take(), ["-late"]);
}

#[actix::test]
async fn an_abandoned_child_of_a_regroup_is_replaced_and_its_late_obituary_ignored() {
    let (root, log) = (root(Strategy::OneForAll), Log::default());
    let first = root.adopt(spec(&log, "a", Restart::Permanent));
    let late = root.adopt(stubborn(&log, "late", Restart::Permanent, Some(Duration::from_secs(9)), false));
    assert_eq!(first.ask(Do::Panic).await, Err(LinkError::Died));
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert_eq!(log.take(), ["+a1", "+late1", "-a", "+a2", "+late2"]);
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert_eq!(log.take(), ["-late"]);
    assert_eq!(late.ask(Do::Answer).await, Ok(1));
    assert_eq!(root.tree().await.household.expect("it lives").spent, Some(1));
}

#[actix::test]
async fn a_spent_supervisor_is_charged_to_its_parent_and_comes_back_with_what_was_adopted() {
    let (told, mut escalations) = mpsc::unbounded_channel();
    tokio::time::pause();
    hush();
    let log = Log::default();
    let root = Supervisor::start_root("root", SHARED, 1, move |why| drop(told.send(why)));
    let first = spec(&log, "a", Restart::Permanent);
    let a = first.link();
    let inner = root.adopt_supervisor(SupervisorSpec::new("inner", SHARED).child(first));
    let b = inner.adopt(spec(&log, "b", Restart::Permanent));
    for lives in 1..=4 {
        assert_eq!(a.ask(Do::Answer).await, Ok(1));
        let tree = root.tree().await;
        assert_eq!((tree.children()[0].incarnation, tree.children()[0].restarts), (lives, lives as usize - 1));
        for _ in 0..4 {
            assert_eq!(a.ask(Do::Panic).await, Err(LinkError::Died));
        }
    }
    let why = escalations.recv().await.expect("told");
    assert!(why.contains("inner: the budget of 3 restarts in 60s is spent; the last to end was a: panicked"), "{why}");
    settle().await;
    for link in [a, b] {
        assert!(matches!(link.ask(Do::Answer).await, Err(LinkError::Down(_))));
    }
    assert!(escalations.try_recv().is_err());
    let log = log.take();
    let count = |what| log.iter().filter(|line| line.starts_with(what)).count();
    assert_eq!((count("+a"), count("-a"), count("+b"), count("-b")), (16, 16, 4, 4));
    assert_eq!(log.iter().rfind(|line| line.starts_with('+')).map(String::as_str), Some("+a16"));
}

#[actix::test]
async fn a_supervisor_that_panics_takes_its_children_along_and_returns_with_those_it_keeps() {
    let (root, log) = (root(Strategy::OneForOne), Log::default());
    let inner = root.adopt_supervisor(SupervisorSpec::new("inner", Scope::Each(Budget::default())));
    let kept = inner.adopt(spec(&log, "kept", Restart::Permanent));
    let here = Arbiter::current();
    let seen = log.clone();
    let family = Family::new(
        inner.clone(),
        Restart::Permanent,
        Mailbox::default(),
        move |_: &String| here.clone(),
        move |_, birth| {
            seen.add("+passing".to_owned());
            Diarist { name: "passing", log: seen.clone(), slow: None, panics: false, tether: birth.tether }
        },
    );
    let passing = family.open(&"passing".to_owned());
    settle().await;
    assert!(root.order("inner/kept", Control::Stall(Duration::ZERO)).await);
    assert!(!root.order("inner/nobody", Control::Panic).await);
    assert!(root.order("inner", Control::Panic).await);
    settle().await;
    let mut lines = log.take();
    lines.sort();
    assert_eq!(lines, ["+kept1", "+kept2", "+passing", "-kept", "-passing"]);
    assert_eq!(kept.ask(Do::Answer).await, Ok(1));
    assert!(passing.is_gone() && family.is_empty());
    assert_eq!(family.open(&"passing".to_owned()).ask(Do::Answer).await, Ok(1));
    assert_eq!(root.tree().await.children()[0].incarnation, 2);
}

#[actix::test]
async fn what_is_adopted_between_two_lives_starts_with_the_next_one() {
    let (root, log) = (root(Strategy::OneForOne), Log::default());
    let inner = root.adopt_supervisor(SupervisorSpec::new("inner", SHARED));
    settle().await;
    for _ in 0..2 {
        assert!(root.order("inner", Control::Panic).await);
        settle().await;
    }
    let child = inner.adopt(spec(&log, "late", Restart::Permanent));
    settle().await;
    assert!(log.take().is_empty());
    assert_eq!(child.ask(Do::Answer).await, Ok(1));
    root.stop().await;
    assert!(child.is_gone());
    assert!(inner.adopt(spec(&log, "too late", Restart::Permanent)).is_gone());
    assert_eq!(inner.tree().await.state, ChildState::Gone);
}

#[actix::test]
async fn a_root_that_dies_itself_says_so() {
    let (told, mut escalations) = mpsc::unbounded_channel();
    tokio::time::pause();
    hush();
    let root = Supervisor::start_root("root", SHARED, 1, move |why| drop(told.send(why)));
    let child = root.adopt(spec(&Log::default(), "a", Restart::Permanent));
    root.link().control(Control::Panic).expect("it lives");
    assert_eq!(escalations.recv().await.as_deref(), Some("the root supervisor itself died"));
    settle().await;
    assert!(matches!(child.ask(Do::Answer).await, Err(LinkError::Down(_))));
    assert_eq!(root.alive().await, 0);
}
