//! Carries out a plan: one life of the process after the other, until all is said and answered.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix::System;
use tokio::time::{Instant, timeout};

use super::house::House;
use super::person::Person;
use super::plan::{Death, Plan};
use super::reader::Follower;
use super::store::lock;
use super::tally::Tally;
use super::{World, chaos, check, held};

/// Turns get so long to finish when the process is told to stop.
const GRACE: Duration = Duration::from_secs(10);
/// A tree that is told to stop has stopped by then.
const STOPPED_WITHIN: Duration = Duration::from_secs(120);
/// The process is never killed by its budget more often than this in one run: then the plan was no good.
const MOST_LIVES: u32 = 10_000;

/// What a run showed, where all was well.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) tally: Tally,
    /// Stands for everything that happened, in its order.
    pub(crate) hash: u64,
    pub(crate) lines: Vec<String>,
}

/// Something that must not be.
#[derive(Debug)]
pub(crate) struct Broken {
    pub(crate) seed: u64,
    pub(crate) what: String,
    /// What happened up to there, where it was kept.
    pub(crate) lines: Vec<String>,
}

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let from = self.lines.len().saturating_sub(400);
        self.lines[from..].iter().try_for_each(|line| writeln!(f, "{line}"))?;
        write!(f, "seed {}: {}", self.seed, self.what)
    }
}

/// Runs a plan twice and compares all that happened.
pub(crate) fn replayed(plan: &Plan) -> Result<Ran, Broken> {
    let first = run(plan, false)?;
    let second = run(plan, false)?;
    if first.hash == second.hash {
        return Ok(first);
    }
    let (first, second) = (run(plan, true)?, run(plan, true)?);
    let same = first.lines.iter().zip(&second.lines).take_while(|(one, other)| one == other).count();
    let line = |ran: &Ran| ran.lines.get(same).cloned().unwrap_or_else(|| "(the end)".to_owned());
    let what = format!("the same seed ran otherwise the second time:\n  {}\n  {}", line(&first), line(&second));
    Err(Broken { seed: plan.seed, what, lines: first.lines[..same].to_vec() })
}

/// Runs a plan.
pub(crate) fn run(plan: &Plan, traced: bool) -> Result<Ran, Broken> {
    hush();
    let world = World::new(plan.clone(), traced);
    let people = (0..plan.sessions).flat_map(|session| (0..plan.people).map(move |number| (session, number)));
    let people: Vec<_> = people.map(|(session, number)| Rc::new(Person::new(&world, session, number))).collect();
    let followers: Vec<_> = (0..plan.sessions).map(|session| Rc::new(Follower::new(&world, session))).collect();
    let (mut lives, mut done, mut storm) = (0, false, plan.storm);
    while !done && !world.is_broken() {
        lives += 1;
        world.count("lives of the process");
        let runtime = || {
            let mut paused = tokio::runtime::Builder::new_current_thread();
            paused.enable_time().start_paused(true).build().expect("a runtime")
        };
        let system = System::with_tokio_rt(runtime);
        let death = plan.deaths.get(lives - 1).copied();
        let (over, age, lasted) = system.block_on(async {
            let began = Instant::now();
            world.wake();
            let over = life(&world, &people, &followers, death, storm).await;
            (over, world.age(), began.elapsed())
        });
        if death.is_none() {
            // Its own budget may end the process again and again; what goes wrong goes wrong so long all the same.
            storm = storm.saturating_sub(lasted);
        }
        // Whatever is only in memory goes with it.
        drop(system);
        world.sleep(age);
        world.note(&over.sentence());
        world.count(over.sentence());
        done = matches!(over, Over::Done);
        if lives > MOST_LIVES as usize {
            world.broken(&"I10: the process dies again and again");
        }
    }
    check::journals(&world);
    check::ledger(&world);
    people.iter().for_each(|person| person.check(&world));
    held(&world.tally).took("the whole run", world.age());
    let (broken, hash, lines) = world.verdict();
    let tally = held(&world.tally).clone();
    match broken {
        Some(what) => Err(Broken { seed: plan.seed, what, lines }),
        None => Ok(Ran { tally, hash, lines }),
    }
}

/// How a life of the process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Over {
    Done,
    Killed,
    Drained,
    /// The root's budget was spent: it ends with 70.
    Spent,
    /// The store could not be read at the start.
    NotStarted,
    Broken,
}

impl Over {
    fn sentence(self) -> &'static str {
        match self {
            Self::Done => "ends: all was said and answered",
            Self::Killed => "ends: killed",
            Self::Drained => "ends: drained",
            Self::Spent => "ends: the root's budget was spent",
            Self::NotStarted => "ends: it could not start",
            Self::Broken => "ends: something is wrong",
        }
    }
}

async fn life(
    world: &Arc<World>,
    people: &[Rc<Person>],
    followers: &[Rc<Follower>],
    death: Option<(Duration, Death)>,
    storm: Duration,
) -> Over {
    let began = Instant::now();
    let Ok(house) = House::start(world).await else { return Over::NotStarted };
    let house = Rc::new(house);
    let mut tasks: Vec<_> =
        people.iter().map(|person| actix::spawn(person.clone().live(house.clone(), world.clone()))).collect();
    let readers: Vec<_> =
        followers.iter().map(|follower| actix::spawn(follower.clone().live(house.clone(), world.clone()))).collect();
    tasks.push(actix::spawn(chaos::kills(house.clone(), world.clone())));
    tasks.push(actix::spawn(chaos::removals(house.clone(), world.clone())));
    tasks.push(actix::spawn(chaos::clock(world.clone())));
    let mut spent = house.spent.clone();
    let planned = async {
        match death {
            Some((after, how)) => {
                tokio::time::sleep_until(began + after).await;
                Some(how)
            }
            None => {
                tokio::time::sleep_until(began + storm).await;
                None
            }
        }
    };
    let how = tokio::select! {
        biased;
        () = world.stop.notified() => return Over::Broken,
        _ = spent.wait_for(|spent| *spent) => return Over::Spent,
        how = planned => how,
        () = said(world, people) => None,
    };
    match how {
        Some(Death::Kill) => Over::Killed,
        Some(Death::Drain) => drain(world, &house).await,
        None => {
            world.calm();
            tokio::select! {
                biased;
                () = world.stop.notified() => Over::Broken,
                _ = spent.wait_for(|spent| *spent) => Over::Spent,
                () = settle(world, &house, people, followers, readers) => Over::Done,
            }
        }
    }
}

/// Resolves when everybody has said all and was answered.
async fn said(world: &World, people: &[Rc<Person>]) {
    while !people.iter().all(|person| person.is_done(world)) {
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
}

async fn drain(world: &World, house: &House) -> Over {
    house.doors.work.drain();
    let _ = timeout(GRACE, house.doors.work.idle()).await;
    if timeout(STOPPED_WITHIN, house.root.stop()).await.is_err() {
        world.broken(&format_args!("I10: the tree has not stopped after {STOPPED_WITHIN:?}"));
    }
    house.doors.hub.close_all();
    Over::Drained
}

/// Faults are over: all work ends, and then every depth is zero. I8 and I10.
async fn settle(
    world: &World,
    house: &House,
    people: &[Rc<Person>],
    followers: &[Rc<Follower>],
    readers: Vec<tokio::task::JoinHandle<()>>,
) {
    let (began, mut limit) = (Instant::now(), world.plan.settled_within);
    // Who may go on to talk has all the time for it; only then does the clock run.
    limit += world.plan.last_word.saturating_sub(world.age());
    let within = |what: &str, left: Option<String>| {
        let late = began.elapsed() > limit;
        if late {
            let left = left.unwrap_or_default();
            world.broken(&format_args!("I10: {what} {limit:?} after the faults were over: {left}"));
        }
        late
    };
    while !people.iter().all(|person| person.is_done(world)) || !lock(&world.tables).unfinished().is_empty() {
        if within("there are open turns", None) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    held(&world.tally).took("the end of all turns after the faults", began.elapsed());
    while !followers.iter().all(|follower| follower.is_up_to_date(world)) {
        if within("a reader was not told all", None) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    readers.iter().for_each(tokio::task::JoinHandle::abort);
    loop {
        tokio::time::sleep(Duration::from_millis(250)).await;
        let Some(left) = house.left_over(world).await else { break };
        if within("there is", Some(left)) {
            return;
        }
    }
    held(&world.tally).took("every depth at zero after the faults", began.elapsed());
}

/// Panics that a seed plants are not worth a line each; all others are told.
pub(super) fn hush() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        let others = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if !panic.payload_as_str().is_some_and(|why| why.contains("planted")) {
                others(panic);
            }
        }));
    });
}
