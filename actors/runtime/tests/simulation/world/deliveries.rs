//! Deliveries under a seed: turns end, and what they answer goes to a platform, while the outbox, its channel, the writer
//! and the process die, the store is slow or refuses, calls are cut off, and the clock jumps. C5, I1 to I3, I8, I10.
#![allow(dead_code)] // the example runs whole houses only

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix::System;
use mosaic_runtime::Doors;
use mosaic_store::Store;
use mosaic_supervise::{Budget, Control, Parent, Scope, Supervisor};
use mosaic_types::journal::{AcceptTurn, EndTurn, Entry, InboxKey, NewSession, Outcome, TurnEnd, Write};
use mosaic_types::outbox::{Conversation, Item, ItemId, ItemState};
use mosaic_types::{AgentName, FinishedTurn, SessionId, Spent, Timestamp, TurnId, Usage, UserId};
use tokio::time::{Instant, sleep, sleep_until};
use uuid::Uuid;

use super::dice::Dice;
use super::plan::{Death, Plan};
use super::platform::{Platform, Seen, Step};
use super::postroom::{self, CHANNEL};
use super::store::{MemoryStore, lock};
use super::{World, chaos, held};

/// When all faults are over, everything has gone out within this long: the longest pause between two tries, and the
/// longest that a platform asks for here, one after the other.
const QUIET_WITHIN: Duration = Duration::from_secs(900);

/// What a run showed.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Shown {
    pub(crate) seen: Vec<Seen>,
    pub(crate) counts: BTreeMap<&'static str, u64>,
}

/// What is told to whom, as it is known beforehand.
struct Story {
    session: SessionId,
    agent: AgentName,
    answers: Vec<Answer>,
}

struct Answer {
    turn: TurnId,
    to: Conversation,
    text: String,
    /// Milliseconds after the one before.
    pause: u64,
    preview: bool,
}

impl Story {
    fn new(dice: &mut Dice) -> Self {
        let rooms = dice.within(1..=4);
        let pauses = dice.pick(&[0..=0, 0..=300, 0..=5_000]).clone();
        let answer = |number: u128| {
            let name = format!("room {}", dice.below(usize::try_from(rooms).expect("few")));
            Answer {
                turn: TurnId(Uuid::from_u128(1_000 + number)),
                text: format!("<answer {number} to {name}>"),
                to: Conversation { channel: CHANNEL.into(), account: "bot".into(), name: name.into() },
                pause: dice.within(pauses.clone()),
                preview: dice.happens(300),
            }
        };
        let answers = (0..20).map(answer).collect();
        Self { session: "s".parse().expect("valid"), agent: "poet".parse().expect("valid"), answers }
    }

    /// A turn that was asked in a conversation has ended; it is stored as the real store does it, at once.
    fn tell(&self, number: usize, world: &World, platform: &Platform) {
        let Answer { turn, to, text, preview, .. } = &self.answers[number];
        let at = mosaic_types::Clock::now(world);
        let mut disk = lock(&world.tables);
        let accept = AcceptTurn {
            session: self.session.clone(),
            epoch: 1,
            turn: *turn,
            inbox: InboxKey {
                channel: to.channel.clone(),
                account: to.account.clone(),
                conversation: to.name.clone(),
                event: number.to_string().into(),
            },
            body_hash: [0; 32],
            text: "?".into(),
            attachments: Arc::default(),
            replaces: None,
            agent: self.agent.clone(),
            model: None,
            route: None,
            entry: Entry::Starts,
            title: None,
            reply_to: None,
            at,
        };
        let mut writes = vec![Write::Accept(Box::new(accept))];
        if *preview {
            let platform_id = platform.preview(&to.name).into();
            writes.push(Write::KeepPreview { turn: *turn, conversation: to.clone(), platform_id, at });
        }
        let finished = FinishedTurn {
            text: text.clone(),
            model: "m".into(),
            provider: "p".parse().expect("valid"),
            route_reason: String::new(),
            stop_reason: "stop".into(),
            usage: Usage::default(),
            cost_usd: None,
        };
        writes.push(Write::End(Box::new(EndTurn {
            cuts_tools: false,
            session: self.session.clone(),
            epoch: 1,
            turn: *turn,
            agent: self.agent.clone(),
            end: TurnEnd::Finished(finished),
            step: 1,
            saw: i64::MAX,
            steps: Vec::new(),
            delivers: true,
            own: Spent::default(),
            calls: 1,
            beside: Vec::new(),
            next: None,
            at,
        })));
        for write in &writes {
            let done = disk.apply(write);
            assert!(matches!(done, Ok(Outcome::Written(_))), "{done:?}");
        }
    }
}

/// One life of the process: a writer, the outbox, and a channel.
struct House {
    doors: Arc<Doors>,
    root: Parent,
}

impl House {
    fn start(world: &Arc<World>, platform: &Arc<Platform>) -> Self {
        let outside = world.outside();
        let store: Arc<dyn Store> = Arc::new(MemoryStore::new(world.tables.clone(), Some(world.clone())));
        // A budget for each: what a root makes of many deaths is not the question here.
        let root = Supervisor::start_root("root", Scope::Each(Budget::default()), world.plan.seed, |_| {});
        let (doors, _) = postroom::start(&root, store, outside, platform);
        Self { doors, root }
    }
}

/// Orders children to panic or to stop, until faults are over.
async fn kills(house: Rc<House>, world: Arc<World>) {
    let Some(pause) = world.plan.kills.clone() else { return };
    loop {
        let pause = held(&world.chaos).millis(pause.clone());
        sleep(pause).await;
        if world.is_calm() {
            return;
        }
        let child = *held(&world.chaos).pick(&["outbox", "outbox", CHANNEL, CHANNEL, "writer"]);
        house.root.order(child, Control::Panic).await;
    }
}

/// Runs a seed.
///
/// # Errors
/// What must not be.
pub(crate) fn run(seed: u64) -> Result<Shown, String> {
    super::run::hush();
    let mut dice = Dice::new(seed, 70);
    let plan = Plan::of(seed);
    let world = World::new(plan.clone(), false);
    let (askable, longest) = (dice.happens(500), *dice.pick(&[5, 13, 1_000]));
    let trouble = *dice.pick(&[0, 100, 400]);
    let drawn = std::sync::Mutex::new(Dice::new(seed, 71));
    let lent = world.clone();
    let platform = Platform::new(askable, longest, move || {
        let mut dice = held(&drawn);
        let halves = [dice.within(super::platform::HALF), dice.within(super::platform::HALF)];
        if lent.is_calm() || !dice.happens(trouble) {
            return (Step::Show, halves);
        }
        let seen = dice.happens(500);
        let after = dice.happens(500).then(|| dice.millis(100..=150_000));
        let all = dice.happens(200);
        let steps = [Step::Later { after, all }, Step::Lost { seen }, Step::Panic { seen }, Step::Hang { seen }];
        let step = if dice.happens(30) { Step::Refuse } else { *dice.pick(&steps) };
        (step, halves)
    });
    let story = Rc::new(Story::new(&mut dice));
    let session = NewSession {
        id: story.session.clone(),
        user: UserId(Uuid::from_u128(1)),
        channel: CHANNEL.into(),
        agent: story.agent.clone(),
        title: String::new(),
        at: Timestamp(0),
    };
    for write in [Write::CreateSession(session), Write::Claim { session: story.session.clone() }] {
        lock(&world.tables).apply(&write).map_err(|error| error.to_string())?;
    }
    let told = Rc::new(std::cell::Cell::new(0));
    // Items that were taken up when the process died: whether their channel was asked is not known.
    let mut doubtful = BTreeSet::new();
    let mut lives = 0;
    for life in 0..=plan.deaths.len() {
        lives += 1;
        let runtime = || {
            let mut paused = tokio::runtime::Builder::new_current_thread();
            paused.enable_time().start_paused(true).build().expect("a runtime")
        };
        let system = System::with_tokio_rt(runtime);
        let (age, late) = system.block_on(async {
            world.wake();
            let late = live(&world, &platform, &story, &told, plan.deaths.get(life).copied()).await;
            (world.age(), late)
        });
        drop(system);
        world.sleep(age);
        doubtful.extend(lock(&world.tables).post.held().into_iter().map(|item| item.id));
        if let Some(late) = late {
            return Err(format!("seed {seed}: {late}"));
        }
    }
    let mut shown = Shown { seen: platform.seen(), ..Shown::default() };
    shown.counts.insert("lives", lives);
    check(&world, &platform, &story, &doubtful, &mut shown).map_err(|wrong| format!("seed {seed}: {wrong}"))?;
    Ok(shown)
}

/// One life; answers what was still to be done too long after the faults.
async fn live(
    world: &Arc<World>,
    platform: &Arc<Platform>,
    story: &Rc<Story>,
    told: &Rc<std::cell::Cell<usize>>,
    death: Option<(Duration, Death)>,
) -> Option<String> {
    let began = Instant::now();
    let house = Rc::new(House::start(world, platform));
    actix::spawn(kills(house.clone(), world.clone()));
    actix::spawn(chaos::clock(world.clone()));
    let (lent, teller, tale, counted) = (world.clone(), house.clone(), story.clone(), told.clone());
    let board = platform.clone();
    actix::spawn(async move {
        while counted.get() < tale.answers.len() {
            sleep(Duration::from_millis(tale.answers[counted.get()].pause)).await;
            tale.tell(counted.get(), &lent, &board);
            counted.set(counted.get() + 1);
            teller.doors.outbox.ring();
        }
    });
    match death {
        Some((after, Death::Kill)) => {
            sleep_until(began + after).await;
            return None;
        }
        Some((after, Death::Drain)) => {
            sleep_until(began + after).await;
            house.doors.work.drain();
            let _ = tokio::time::timeout(Duration::from_secs(10), house.doors.work.idle()).await;
            house.root.stop().await;
            return None;
        }
        None => sleep_until(began + world.plan.storm).await,
    }
    world.calm();
    let calm = Instant::now();
    loop {
        sleep(Duration::from_millis(250)).await;
        let open = lock(&world.tables).post.items.values().filter(|row| row.is_open()).count();
        let (under_way, running) = (house.doors.outbox.under_way(), house.doors.work.running());
        if told.get() == story.answers.len() && open + under_way + running == 0 {
            return None;
        }
        if calm.elapsed() > QUIET_WITHIN {
            return Some(format!("I10: {open} items are open, {under_way} under way, {running} at work"));
        }
    }
}

/// Every answer is seen once, whole and in order, or accounted for.
fn check(
    world: &World,
    platform: &Platform,
    story: &Story,
    doubtful: &BTreeSet<ItemId>,
    shown: &mut Shown,
) -> Result<(), String> {
    let disk = lock(&world.tables);
    let mut count = |what| *shown.counts.entry(what).or_default() += 1;
    for answer in &story.answers {
        let of_turn: Vec<_> = disk.post.items.values().filter(|row| row.item.turn == answer.turn).collect();
        let [row] = of_turn[..] else { return Err(format!("I1: {} left {} items", answer.text, of_turn.len())) };
        let parts = shown.seen.iter().filter(|seen| seen.turn == Some(answer.turn));
        let seen: String = parts.map(|seen| seen.text.as_str()).collect();
        if !answer.text.starts_with(&seen) {
            return Err(format!("I2: {} is seen as {seen}", answer.text));
        }
        // The part that it came to.
        let item: &Item = &row.item;
        match row.state {
            ItemState::Sent if seen == answer.text => count("sent"),
            ItemState::Unknown if platform.askable => {
                return Err(format!("I1: {} is unknown, and the platform can be asked", answer.text));
            }
            ItemState::Unknown if !platform.is_cut(&item.nonce()) && !doubtful.contains(&item.id) => {
                return Err(format!("I1: {} is unknown, and nothing died in its call", answer.text));
            }
            ItemState::Unknown if item.part == 0 && item.preview.is_some() => {
                return Err(format!("I1: {} is unknown, and an edit may be repeated", answer.text));
            }
            ItemState::Unknown => count("unknown"),
            ItemState::Dead if platform.is_refused(&item.nonce()) => count("dead"),
            state => return Err(format!("I1: {} is {state:?} and seen as {seen}", answer.text)),
        }
    }
    drop(disk);
    let mut newest: BTreeMap<String, TurnId> = BTreeMap::new();
    for (conversation, turn) in platform.log() {
        let before = newest.insert(conversation.clone(), turn);
        if before.is_some_and(|before| before > turn) {
            return Err(format!("I3: in {conversation} {turn} is seen after {before:?}"));
        }
    }
    Ok(())
}
