//! A whole house under a seed, on one thread and a paused clock.
//!
//! A [`Plan`] is drawn from the seed; [`run`](run::run) carries it out: lives of the process one after the other over the same
//! store, people who talk and repeat what was not acknowledged, and faults. What happens is checked while it happens
//! and when all is over. The same seed gives the same run, to the last event.

mod chaos;
mod check;
pub(crate) mod deliveries;
mod dice;
mod disk;
mod house;
mod model;
mod person;
pub(crate) mod plan;
pub(crate) mod platform;
mod post;
pub(crate) mod postroom;
mod reader;
mod removed;
pub(crate) mod run;
mod snapshot;
pub(crate) mod store;
mod table;
pub(crate) mod tally;
mod told;
mod tools;
mod turn;
mod view;

use std::collections::{BTreeMap, HashMap};
use std::fmt::Display;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mosaic_store::StoreError;
use mosaic_types::journal::{Outcome, TurnEnd, Write};
use mosaic_types::{Chance, Clock, Code, Outside, Timestamp};
use tokio::sync::Notify;
use tokio::time::Instant;

use self::dice::Dice;
use self::plan::Plan;
use self::store::{Fate, Tables, Verdict, apply};
use self::tally::Tally;
use self::told::{became, named};

/// Where a simulation begins: 14 November 2023.
const BEGAN: i64 = 1_700_000_000_000_000;

/// What happened, in order: always as a hash, and as text where somebody wants to read it.
#[derive(Default)]
struct Trace {
    hash: DefaultHasher,
    lines: Option<Vec<String>>,
}

/// Batches that were sent to the disk, by their number.
#[derive(Default)]
struct Jobs {
    sent: u64,
    under_way: BTreeMap<u64, (Vec<Write>, Verdict)>,
}

/// Things that were done: a clock read, chance drawn, a store asked, a line written down.
#[derive(Default)]
struct Steps {
    all: u64,
    second: u64,
    in_second: u64,
}

/// In one second of virtual time nothing busy does more: whoever does goes round in circles, in no time or next to none.
const STEPS_A_SECOND: u64 = 200_000;

/// All that a simulated process does not hold itself, and that outlives it.
pub(crate) struct World {
    pub(crate) plan: Plan,
    pub(crate) tables: Tables,
    pub(crate) tally: Mutex<Tally>,
    /// Calls that models heard and that cost something, by the first of the inputs that they were to answer.
    pub(crate) heard: Mutex<BTreeMap<String, usize>>,
    /// How often each call of a tool ran, by its key.
    deeds: Mutex<BTreeMap<String, usize>>,
    /// Told when something was found that must not be.
    pub(crate) stop: Notify,
    trace: Mutex<Trace>,
    broken: Mutex<Option<String>>,
    /// Draws for the store, for models, for ids and jitter, and for chaos.
    store: Mutex<Dice>,
    model: Mutex<Dice>,
    tools: Mutex<Dice>,
    chance: Mutex<Dice>,
    pub(crate) chaos: Mutex<Dice>,
    /// Virtual time that earlier lives took, and when this one began.
    before: Mutex<(Duration, Option<Instant>)>,
    /// How far the clock on the wall is off, in microseconds.
    off: AtomicI64,
    /// Faults are over.
    calm: AtomicBool,
    /// Batches that are not done yet.
    jobs: Mutex<Jobs>,
    /// What was done at all, and in the running second.
    steps: Mutex<Steps>,
    /// Sessions for which a model is at work, by the text of what it answers.
    speaking: Mutex<HashMap<String, usize>>,
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl World {
    pub(crate) fn new(plan: Plan, traced: bool) -> Arc<Self> {
        let dice = |stream| Mutex::new(Dice::new(plan.seed, stream));
        Arc::new(Self {
            tables: Tables::default(),
            heard: Mutex::default(),
            deeds: Mutex::default(),
            tools: dice(8),
            tally: Mutex::default(),
            stop: Notify::new(),
            trace: Mutex::new(Trace { lines: traced.then(Vec::new), ..Trace::default() }),
            broken: Mutex::default(),
            store: dice(3),
            model: dice(4),
            chance: dice(5),
            chaos: dice(6),
            before: Mutex::default(),
            off: AtomicI64::new(0),
            calm: AtomicBool::new(false),
            jobs: Mutex::default(),
            steps: Mutex::default(),
            speaking: Mutex::default(),
            plan,
        })
    }

    /// A life of the process begins.
    pub(crate) fn wake(&self) {
        held(&self.before).1 = Some(Instant::now());
        held(&self.speaking).clear();
    }

    /// A life of the process has ended; until the next one begins, `pause` goes by. What it had sent to the disk is done
    /// or not, in order: a batch that was not done leaves those after it undone too.
    pub(crate) fn sleep(&self, lived: Duration) {
        let (batches, pause) = {
            let mut dice = held(&self.chaos);
            let jobs = std::mem::take(&mut held(&self.jobs).under_way);
            let done: Vec<_> = jobs.into_values().take_while(|_| dice.happens(500)).collect();
            (done, dice.millis(0..=2_000))
        };
        *held(&self.before) = (lived + pause, None);
        for (batch, verdict) in batches {
            if matches!(verdict, Verdict::Done | Verdict::DoneUnknown) {
                self.count("store: batches done as the process died");
                let results = apply(&self.tables, Some(self), &batch);
                self.written(&batch, &Ok(results));
            }
        }
    }

    /// Virtual time since the simulation began.
    pub(crate) fn age(&self) -> Duration {
        let (before, began) = *held(&self.before);
        before + began.map_or(Duration::ZERO, |began| began.elapsed())
    }

    /// Time and chance as the house gets them.
    pub(crate) fn outside(self: &Arc<Self>) -> Outside {
        Outside::new(self.clone(), self.clone())
    }

    /// Whether faults are over.
    pub(crate) fn is_calm(&self) -> bool {
        self.calm.load(Ordering::Relaxed)
    }

    /// From now on nothing goes wrong any more.
    pub(crate) fn calm(&self) {
        if !self.calm.swap(true, Ordering::Relaxed) {
            self.note(&"faults are over");
        }
    }

    /// The clock on the wall is set to another hour.
    pub(crate) fn jump(&self, by: Duration, back: bool) {
        let by = i64::try_from(by.as_micros()).expect("a short jump");
        self.off.fetch_add(if back { -by } else { by }, Ordering::Relaxed);
        self.count("clock: jumps");
        self.note(&format_args!("the clock jumps {}{by} us", if back { "-" } else { "+" }));
    }

    /// Writes down what happened.
    pub(crate) fn note(&self, what: &dyn Display) {
        let line = format!("{:>12.3} {what}", self.age().as_secs_f64() * 1_000.0);
        self.step();
        let mut trace = held(&self.trace);
        line.hash(&mut trace.hash);
        if let Some(lines) = &mut trace.lines {
            lines.push(line);
        }
    }

    /// Something is done. There is a bound to it, since what goes round in circles may take no time.
    fn step(&self) {
        let second = self.age().as_secs();
        let mut steps = held(&self.steps);
        steps.all += 1;
        if steps.second != second {
            (steps.second, steps.in_second) = (second, 0);
        }
        steps.in_second += 1;
        let (all, count) = (steps.all, steps.in_second);
        drop(steps);
        if count == STEPS_A_SECOND || all == self.plan.steps {
            held(&self.broken).get_or_insert(format!("I10: {count} steps in the second {second}, {all} in all"));
            self.stop.notify_one();
        }
        // Who does not even let others run is stopped in mid-step.
        assert!(count < 2 * STEPS_A_SECOND, "it goes round in circles");
    }

    pub(crate) fn count(&self, what: &'static str) {
        held(&self.tally).add(what, 1);
    }

    /// Says that something happened which must not. The first to say so ends the run.
    pub(crate) fn broken(&self, what: &dyn Display) {
        self.note(&format_args!("BROKEN {what}"));
        held(&self.broken).get_or_insert_with(|| what.to_string());
        self.stop.notify_one();
    }

    pub(crate) fn is_broken(&self) -> bool {
        held(&self.broken).is_some()
    }

    /// What was found, the hash of all that happened, and the text of it where it was kept.
    pub(crate) fn verdict(&self) -> (Option<String>, u64, Vec<String>) {
        let mut trace = held(&self.trace);
        (held(&self.broken).clone(), trace.hash.finish(), trace.lines.take().unwrap_or_default())
    }

    /// Draws for a model.
    pub(crate) fn model<T>(&self, draw: impl FnOnce(&mut Dice, &Plan) -> T) -> T {
        draw(&mut held(&self.model), &self.plan)
    }

    /// Draws for a tool.
    pub(crate) fn tool<T>(&self, draw: impl FnOnce(&mut Dice, &Plan) -> T) -> T {
        draw(&mut held(&self.tools), &self.plan)
    }

    /// A call of a tool runs: for which time.
    pub(crate) fn ran(&self, key: &str) -> usize {
        let mut deeds = held(&self.deeds);
        let times = deeds.entry(key.to_owned()).or_default();
        *times += 1;
        *times
    }

    /// A model begins to work for `session`, or stops.
    pub(crate) fn speaks(&self, session: &str, begins: bool) {
        let mut speaking = held(&self.speaking);
        let count = speaking.entry(session.to_owned()).or_default();
        if begins {
            *count += 1;
        } else {
            *count = count.saturating_sub(1);
        }
        let several = *count > 1;
        drop(speaking);
        if several {
            self.broken(&format_args!("I4: two runs of {session} ask a model at the same time"));
        }
    }

    /// Whether no model is at work.
    pub(crate) fn is_silent(&self) -> bool {
        held(&self.speaking).values().all(|count| *count == 0)
    }
}

/// What the store is told of its fate.
impl World {
    pub(super) fn commit_fate(&self) -> Fate {
        self.step();
        let (mut dice, plan) = (held(&self.store), &self.plan);
        let refused = dice.happens(plan.bad_commits) && !self.is_calm();
        let slow = dice.happens(plan.slow_store) && !self.is_calm();
        let unknown = plan.unknown_commits > 0 && dice.happens(plan.unknown_commits) && !self.is_calm();
        let verdict = match (refused, unknown, dice.happens(500)) {
            (true, _, true) => Verdict::Refused,
            (true, _, false) => Verdict::EachRefused,
            (false, true, true) => Verdict::DoneUnknown,
            (false, true, false) => Verdict::LostUnknown,
            (false, false, _) => Verdict::Done,
        };
        let (before, after) =
            (dice.millis(0..=if slow { 3_000 } else { 3 }), dice.millis(0..=if slow { 500 } else { 1 }));
        drop(dice);
        if refused {
            self.count("store: batches refused");
        }
        if unknown && !refused {
            self.count("store: batches of which nobody learns");
        }
        if slow {
            self.count("store: slow batches");
        }
        Fate { verdict, before, after }
    }

    /// Whether the store refuses this write, each time and for good: by the number of its turn, some of its inputs,
    /// starts, restarts and answers, and of a third of those turns also that they failed.
    pub(super) fn begrudges(&self, write: &Write) -> bool {
        let (turn, salt) = match write {
            Write::Accept(accept) => (accept.turn, 1),
            Write::Start { next, .. } => (next.turn, 2),
            Write::Restart(restart) => (restart.turn, 3 + u128::from(restart.attempt)),
            Write::End(end) if !matches!(end.end, TurnEnd::Failed { code: Code::StorageDefect, .. }) => (end.turn, 0),
            Write::End(end) if end.turn.0.as_u128() / 1_000 % 3 == 0 => (end.turn, 0),
            _ => return false,
        };
        let refused = (turn.0.as_u128() + salt) % 1_000 < u128::from(self.plan.grudges) && !self.is_calm();
        if refused {
            self.count("store: writes refused for good");
        }
        refused
    }

    /// Whether a read fails, and how long it takes.
    pub(super) fn read_fate(&self) -> (bool, Duration) {
        self.step();
        let (mut dice, plan) = (held(&self.store), &self.plan);
        let (fails, slow) = (dice.happens(plan.bad_reads), dice.happens(plan.slow_store));
        let takes = dice.millis(0..=if slow { 1_500 } else { 1 });
        drop(dice);
        if self.is_calm() {
            return (false, Duration::ZERO);
        }
        if fails {
            self.count("store: reads that failed");
        }
        (fails, takes)
    }

    pub(super) fn job_began(&self, batch: Vec<Write>, verdict: Verdict) -> u64 {
        let mut jobs = held(&self.jobs);
        jobs.sent += 1;
        let number = jobs.sent;
        jobs.under_way.insert(number, (batch, verdict));
        number
    }

    /// The batch, to be carried out now; `None` where the process died before.
    pub(super) fn job_done(&self, job: u64) -> Option<Vec<Write>> {
        held(&self.jobs).under_way.remove(&job).map(|(batch, _)| batch)
    }

    /// Writes down what became of a batch.
    pub(super) fn written(&self, batch: &[Write], results: &Result<Vec<Result<Outcome, StoreError>>, StoreError>) {
        match results {
            Ok(results) => {
                for (write, result) in batch.iter().zip(results) {
                    self.note(&format_args!("{} -> {}", named(write), became(result)));
                    if let Err(StoreError::Corrupt(constraint)) = result {
                        self.broken(&format_args!(
                            "I4: a write would have broken what the tables hold to: {constraint}"
                        ));
                    }
                }
            }
            Err(error) => self.note(&format_args!("{} writes -> {error}", batch.len())),
        }
    }
}

impl Clock for World {
    fn now(&self) -> Timestamp {
        self.step();
        let age = i64::try_from(self.age().as_micros()).expect("a short simulation");
        Timestamp(BEGAN + age + self.off.load(Ordering::Relaxed))
    }
}

impl Chance for World {
    fn fill(&self, bytes: &mut [u8]) {
        self.step();
        let mut dice = held(&self.chance);
        for part in bytes.chunks_mut(8) {
            part.copy_from_slice(&dice.roll().to_le_bytes()[..part.len()]);
        }
    }
}
