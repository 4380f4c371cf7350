//! What a seed decides: the misfortunes of the model, and how each life of the process ends.

use std::time::Duration;

use fastrand::Rng;
use mosaic_testkit::Step;
use mosaic_types::Point;

const TEXT: &str = "one two three four five six";

/// How one life of the process ends.
#[derive(Debug, Clone)]
pub(crate) enum Fate {
    /// Killed from outside after so long.
    Killed { after: Duration },
    /// Dies by itself the n-th time that it passes a point; killed after a while where it never does.
    Dies { at: Point, passing: u64 },
    /// Told to stop after so long, and let go.
    Drained { after: Duration },
    /// Told to stop after so long, and dies on the way.
    DiesInDrain { after: Duration, at: Point },
    /// Told to stop after so long, and killed a little later.
    KilledInDrain { after: Duration, then: Duration },
}

impl Fate {
    fn draw(dice: &mut Rng) -> Self {
        let mut millis = |range: std::ops::Range<u64>| Duration::from_millis(dice.u64(range));
        let (after, then) = (millis(20..900), millis(1..400));
        match dice.u8(..100) {
            0..30 => Self::Killed { after },
            30..85 => {
                // Nobody has long talks in rooms there.
                let usual = |point: &Point| !in_drain(*point) && !point.name().starts_with("branch.");
                let points: Vec<Point> = Point::ALL.iter().copied().filter(usual).collect();
                Self::Dies { at: points[dice.usize(..points.len())], passing: dice.u64(1..7) }
            }
            85..90 => Self::Drained { after },
            90..96 => {
                let points: Vec<Point> = Point::ALL.iter().copied().filter(|point| in_drain(*point)).collect();
                Self::DiesInDrain { after, at: points[dice.usize(..points.len())] }
            }
            _ => Self::KilledInDrain { after, then },
        }
    }

    /// What the process is told at its start.
    pub(crate) fn order(&self) -> Option<String> {
        match self {
            Self::Dies { at, passing } => Some(format!("{}:{passing}", at.name())),
            Self::DiesInDrain { at, .. } => Some(at.name().to_owned()),
            _ => None,
        }
    }
}

fn in_drain(point: Point) -> bool {
    point.name().starts_with("drain.")
}

/// Something that somebody writes on a platform.
#[derive(Debug)]
pub(crate) struct Note {
    /// After the one before.
    pub(crate) after: Duration,
    /// Between two pieces of its answer.
    pub(crate) pace: Duration,
}

impl Note {
    fn draw(dice: &mut Rng) -> Self {
        let mut millis = |range: std::ops::Range<u64>| Duration::from_millis(dice.u64(range));
        Self { after: millis(0..900), pace: millis(1..120) }
    }
}

/// One seed's lot.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    /// What the model does, call by call, until the faults end.
    pub(crate) script: Vec<Step>,
    pub(crate) fates: Vec<Fate>,
    pub(crate) sessions: usize,
    pub(crate) people: usize,
    /// Messages of each.
    pub(crate) messages: usize,
    /// What is written in each chat of the platform.
    pub(crate) notes: Vec<Vec<Note>>,
}

impl Plan {
    pub(crate) fn draw(seed: u64) -> Self {
        let mut dice = Rng::with_seed(seed);
        let script = (0..400).map(|_| step(&mut dice)).collect();
        // The first start meets an empty folder: now and then it dies in there.
        let mut fates = Vec::new();
        if dice.u8(..8) == 0 {
            let at = [Point::MigrateBetween, Point::RecoverBefore][dice.usize(..2)];
            fates.push(Fate::Dies { at, passing: 1 });
        }
        fates.extend((0..dice.usize(3..6)).map(|_| Fate::draw(&mut dice)));
        let (sessions, people, messages) = (dice.usize(1..4), dice.usize(2..5), dice.usize(3..7));
        let chats = dice.usize(1..4);
        let notes = (0..chats).map(|_| (0..dice.usize(1..4)).map(|_| Note::draw(&mut dice)).collect()).collect();
        Self { seed, script, fates, sessions, people, messages, notes }
    }

    /// Dice for one of the people.
    pub(crate) fn dice(&self, person: usize) -> Rng {
        Rng::with_seed(self.seed.wrapping_mul(1_000).wrapping_add(person as u64 + 1))
    }
}

/// Asks for tools whose effects are counted, one that may run again and one that may not.
fn tools(kind: usize) -> Step {
    let calls: &[_] = match kind {
        0 => &[("plant_again", "{}")],
        1 => &[("plant_once", "{}"), ("clock", "{}")],
        2 => &[("plant_once", "{\"wait_ms\":40}"), ("plant_again", "{\"wait_ms\":80}")],
        _ => &[("plant_again", "{\"wait_ms\":200}"), ("plant_onze", "{}"), ("plant_once", "{")],
    };
    let calls = calls.iter().map(|(name, arguments)| ((*name).to_owned(), (*arguments).to_owned())).collect();
    Step::CallTools { text: String::new(), calls }
}

fn step(dice: &mut Rng) -> Step {
    let (after, pause) = (dice.usize(0..4), Duration::from_millis(dice.u64(1..120)));
    match dice.u8(..100) {
        0..55 => Step::say_in(TEXT, 6, pause),
        55..66 => Step::say(TEXT),
        66..84 => tools(after),
        84 => Step::Stall,
        85 | 86 => Step::Mute { text: TEXT.into(), after },
        87 => Step::Silence,
        88..90 => Step::truncate(TEXT),
        90 => Step::Garbage,
        91..93 => Step::status(500, "server_error", "The server had an error."),
        93..95 => Step::status(503, "overloaded", "Overloaded."),
        95 => Step::RateLimit(Duration::from_millis(30)),
        96 => Step::Drop,
        _ => Step::DropAfter { text: TEXT.into(), after },
    }
}
