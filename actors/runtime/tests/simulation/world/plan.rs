//! What a seed decides beforehand: who talks, what goes wrong and how often.

use std::ops::RangeInclusive;
use std::time::Duration;

use mosaic_types::QueueMode;

use super::dice::Dice;

/// How often something happens, in a thousand.
pub(crate) type Permille = u64;

/// How a process ends before its work is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Death {
    /// Everything in memory is gone at once.
    Kill,
    /// It is told to stop, drains, and stops its tree.
    Drain,
}

/// A run, as far as it is known before it begins. All times are virtual.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    pub(crate) sessions: usize,
    pub(crate) agents: usize,
    pub(crate) providers: usize,
    /// People who talk in each session.
    pub(crate) people: usize,
    /// Messages of each of them, at the most.
    pub(crate) messages: usize,
    /// Messages in one breath of somebody who is eager, at the most.
    pub(crate) breath: u64,
    /// Of each message one of these; `None`: what its agent does.
    pub(crate) modes: Vec<Option<QueueMode>>,
    /// What the agents do, by turns.
    pub(crate) agents_modes: Vec<QueueMode>,
    /// A turn that collects starts after this long without another message.
    pub(crate) debounce: Duration,
    /// Breaths that begin with an old message, said again by its key.
    pub(crate) echoes: Permille,
    /// Nobody begins to say anything after this long.
    pub(crate) last_word: Duration,
    /// Milliseconds between an answer and the next message.
    pub(crate) pause: RangeInclusive<u64>,
    /// A session without work leaves memory after this long.
    pub(crate) idle: Duration,
    /// Calls that a provider takes at once.
    pub(crate) places: usize,
    /// How long each life of the process but the last one lasts, and how it ends.
    pub(crate) deaths: Vec<(Duration, Death)>,
    /// How long faults go on after the last of these deaths; where the process ends by itself, in all its lives from then.
    pub(crate) storm: Duration,
    /// Milliseconds between two orders to panic or stop; `None`: there are none.
    pub(crate) kills: Option<RangeInclusive<u64>>,
    /// Orders that go to the root's own children.
    pub(crate) kills_at_root: Permille,
    /// Calls of a model that go wrong.
    pub(crate) bad_calls: Permille,
    /// Answers that ask for tools in place of words.
    pub(crate) tools: Permille,
    /// Calls whose stream or beginning panics.
    pub(crate) panics: Permille,
    /// Batches that are refused.
    pub(crate) bad_commits: Permille,
    /// Batches of which nobody learns whether they were stored.
    pub(crate) unknown_commits: Permille,
    /// Turns of which the store refuses some of the writes for good.
    pub(crate) grudges: Permille,
    /// Batches and reads that take long.
    pub(crate) slow_store: Permille,
    /// Reads that fail.
    pub(crate) bad_reads: Permille,
    /// Acknowledgements that are lost on the way to their client.
    pub(crate) lost_acks: Permille,
    /// Turns that their person cancels.
    pub(crate) cancels: Permille,
    /// Milliseconds between two sessions that are removed; `None`: none is.
    pub(crate) removals: Option<RangeInclusive<u64>>,
    /// Milliseconds between jumps of the clock on the wall; `None`: there are none.
    pub(crate) clock_jumps: Option<RangeInclusive<u64>>,
    /// Things done in all, at the most, see [`World`](super::World).
    pub(crate) steps: u64,
    /// All work has ended this long after the faults did, and every depth is zero again.
    pub(crate) settled_within: Duration,
}

impl Plan {
    /// A short run, different for each seed.
    pub(crate) fn of(seed: u64) -> Self {
        let mut dice = Dice::new(seed, 7);
        let all: Vec<_> = QueueMode::NAMED.iter().map(|(_, mode)| Some(*mode)).chain([None]).collect();
        let only = |mode| vec![Some(mode), None];
        let modes = match dice.within(0..=7) {
            0 => vec![None],
            1 => only(QueueMode::Collect),
            2 => only(QueueMode::Steer),
            3 => only(QueueMode::Interrupt),
            _ => all,
        };
        let agents_modes = (0..2).map(|_| dice.pick(&QueueMode::NAMED).1).collect();
        let removals = [None, None, Some(100..=3_000), Some(1_000..=30_000)];
        Self {
            breath: *dice.pick(&[2, 4, 12]),
            modes,
            agents_modes,
            debounce: Duration::from_millis(*dice.pick(&[0, 50, 1_000])),
            echoes: *dice.pick(&[0, 200, 600]),
            unknown_commits: *dice.pick(&[0, 10, 100]),
            removals: dice.pick(&removals).clone(),
            grudges: *dice.pick(&[0, 20, 200]),
            ..Self::plain(seed)
        }
    }

    /// The same, and models ask for tools.
    pub(crate) fn with_tools(seed: u64) -> Self {
        Self { tools: *Dice::new(seed, 9).pick(&[200, 500, 900]), ..Self::of(seed) }
    }

    /// The mode of a message.
    pub(crate) fn mode(&self, dice: &mut Dice) -> Option<QueueMode> {
        if self.modes.len() > 1 { *dice.pick(&self.modes) } else { self.modes[0] }
    }

    /// A short run in which every message is a turn of its own and no session is removed.
    pub(crate) fn plain(seed: u64) -> Self {
        let mut dice = Dice::new(seed, 1);
        // Each kind of fault is absent in some runs, rare in some, and common in some.
        let mut rate = |common: Permille| *dice.pick(&[0, common / 10, common]);
        let (bad_calls, panics) = (rate(500), rate(300));
        let (bad_commits, slow_store, bad_reads) = (rate(200), rate(300), rate(200));
        let (lost_acks, cancels, kills_at_root) = (rate(300), rate(400), rate(300));
        let mut deaths = Vec::new();
        for _ in 0..dice.within(0..=4) {
            let how = if dice.happens(250) { Death::Drain } else { Death::Kill };
            let longest = *dice.pick(&[300, 3_000, 30_000]);
            deaths.push((dice.millis(1..=longest), how));
        }
        let kills = [None, Some(1..=300), Some(10..=3_000), Some(500..=20_000)];
        let pauses = [0..=0, 0..=500, 10..=8_000];
        let jumps = [None, None, Some(500..=10_000)];
        Self {
            seed,
            sessions: *dice.pick(&[1, 1, 2, 3, 5]),
            agents: 2,
            providers: 2,
            people: *dice.pick(&[1, 1, 2, 3]),
            messages: usize::try_from(dice.within(1..=7)).expect("small"),
            breath: 4,
            modes: vec![None],
            agents_modes: vec![QueueMode::Queue],
            debounce: Duration::from_secs(1),
            echoes: 0,
            last_word: Duration::from_secs(600),
            pause: dice.pick(&pauses).clone(),
            idle: *dice.pick(&[Duration::from_millis(100), Duration::from_secs(3), Duration::from_secs(40)]),
            places: *dice.pick(&[1, 2, 8]),
            deaths,
            storm: dice.millis(0..=60_000),
            kills: dice.pick(&kills).clone(),
            kills_at_root,
            bad_calls,
            tools: 0,
            panics,
            bad_commits,
            unknown_commits: 0,
            grudges: 0,
            slow_store,
            bad_reads,
            lost_acks,
            cancels,
            removals: None,
            clock_jumps: dice.pick(&jumps).clone(),
            steps: 5_000_000,
            settled_within: Duration::from_secs(400),
        }
    }

    /// A day of mixed traffic: a bit of everything, and a process that dies every half an hour.
    pub(crate) fn hours(seed: u64, hours: u32) -> Self {
        let mut dice = Dice::new(seed, 2);
        let whole = Duration::from_secs(3_600) * hours;
        let mut deaths = Vec::new();
        let mut spent = Duration::ZERO;
        loop {
            let life = dice.millis(60_000..=3_600_000);
            spent += life;
            if spent >= whole {
                break;
            }
            deaths.push((life, if dice.happens(300) { Death::Drain } else { Death::Kill }));
        }
        Self {
            sessions: 12,
            agents: 4,
            providers: 3,
            people: 2,
            messages: usize::MAX,
            breath: 4,
            modes: QueueMode::NAMED.iter().map(|(_, mode)| Some(*mode)).chain([None]).collect(),
            agents_modes: QueueMode::NAMED.iter().map(|(_, mode)| *mode).collect(),
            debounce: Duration::from_secs(1),
            echoes: 100,
            last_word: whole,
            pause: 1_000..=120_000,
            idle: Duration::from_secs(60),
            places: 8,
            deaths,
            storm: Duration::from_secs(600),
            kills: Some(1_000..=120_000),
            kills_at_root: 50,
            bad_calls: 100,
            panics: 20,
            bad_commits: 10,
            unknown_commits: 5,
            slow_store: 20,
            bad_reads: 10,
            lost_acks: 20,
            cancels: 50,
            removals: Some(60_000..=3_600_000),
            steps: u64::MAX,
            clock_jumps: Some(10_000..=600_000),
            ..Self::of(seed)
        }
    }

    /// Chaos: one kill a second under load, for so many minutes. The process lives on, unless the root's budget is spent;
    /// there are enough children for most of them to keep within theirs.
    pub(crate) fn chaos(seed: u64, minutes: u32) -> Self {
        let whole = Duration::from_secs(60) * minutes;
        Self {
            sessions: 60,
            agents: 12,
            providers: 8,
            people: 1,
            messages: usize::MAX,
            last_word: whole,
            pause: 100..=4_000,
            idle: Duration::from_secs(30),
            places: 16,
            deaths: Vec::new(),
            storm: whole,
            kills: Some(1_000..=1_000),
            kills_at_root: 20,
            bad_calls: 50,
            panics: 10,
            bad_commits: 0,
            unknown_commits: 0,
            slow_store: 10,
            bad_reads: 0,
            lost_acks: 20,
            cancels: 20,
            removals: Some(1_000..=60_000),
            steps: u64::MAX,
            clock_jumps: None,
            ..Self::of(seed)
        }
    }
}
