//! What the outbox decides, without doing any of it.

use std::sync::Arc;
use std::time::Duration;

use mosaic_types::outbox::{Content, Conversation, Item};
use mosaic_types::{Chance, Clock, Outside, Timestamp, TurnId};
use tokio::time::Instant;
use uuid::Uuid;

use super::carry::Line;
use super::delay;
use super::look::{Stray, stray};
use super::shared::Phase;
use super::state::{Effect, IN_ALL, Load, OutboxState, PER_CHANNEL, Report};

const US: Uuid = Uuid::from_bytes([1; 16]);

fn name(channel: &str) -> Arc<str> {
    channel.into()
}

fn load(channels: &[&str]) -> Load {
    Load { channels: channels.iter().map(|channel| (name(channel), true)).collect(), ..Load::default() }
}

/// One that has looked after what a life before left behind.
fn looked(now: Instant) -> OutboxState {
    let mut state = OutboxState::new(now);
    state.hear(Report::Looked, now);
    state
}

fn taken(effects: &[Effect]) -> Vec<(&str, usize)> {
    let taken = |effect: &'_ Effect| matches!(effect, Effect::Take { .. });
    assert!(effects.iter().all(taken), "{effects:?}");
    let each = effects.iter().map(|effect| match effect {
        Effect::Take { channel, limit } => (&**channel, *limit),
        Effect::Look => unreachable!("it was said that there is none"),
    });
    each.collect()
}

fn nothing(channel: &str, next: Option<Instant>) -> Report {
    Report::Taken { channel: name(channel), full: false, next }
}

#[tokio::test(start_paused = true)]
async fn a_new_life_looks_for_what_was_cut_off_before_it_takes_anything() {
    let now = Instant::now();
    let mut state = OutboxState::new(now);
    let mut load = load(&["a"]);
    load.taking.insert(name("a"));
    assert_eq!(state.plan(&load, now).0, [], "what a life before is taking up would look the same");
    load.taking.clear();
    assert_eq!(state.plan(&load, now).0, [Effect::Look]);
    load.looking = true;
    assert_eq!(state.plan(&load, now).0, []);
    load.looking = false;
    state.hear(Report::NotLooked, now);
    let (effects, alarm) = state.plan(&load, now);
    assert_eq!(effects, [], "the store is away");
    let alarm = alarm.expect("it tries again");
    assert_eq!(state.plan(&load, alarm).0, [Effect::Look]);
    state.hear(Report::Looked, alarm);
    assert_eq!(taken(&state.plan(&load, alarm).0), [("a", PER_CHANNEL)]);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_asked_of_the_store_while_nothing_rings() {
    let now = Instant::now();
    let mut state = looked(now);
    let load = load(&["a"]);
    assert_eq!(state.plan(&load, now).0.len(), 1);
    state.hear(nothing("a", None), now);
    assert_eq!(state.plan(&load, now + Duration::from_secs(3600)), (vec![], None));
    state.hear(Report::Ring, now);
    assert_eq!(state.plan(&load, now).0.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_rings_while_items_are_taken_up_is_not_missed() {
    let now = Instant::now();
    let mut state = looked(now);
    let mut load = load(&["a"]);
    assert_eq!(state.plan(&load, now).0.len(), 1);
    load.taking.insert(name("a"));
    state.hear(Report::Ring, now);
    assert_eq!(state.plan(&load, now).0, [], "one at a time");
    load.taking.clear();
    state.hear(nothing("a", None), now);
    assert_eq!(state.plan(&load, now).0.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn no_more_is_taken_up_than_there_are_places_for() {
    let now = Instant::now();
    let channels: Vec<String> = (0..12).map(|number| format!("c{number:02}")).collect();
    let names: Vec<&str> = channels.iter().map(String::as_str).collect();
    let mut state = looked(now);
    let mut load = load(&names);
    load.places.insert(name("c03"), PER_CHANNEL - 1);
    load.places.insert(name("c04"), PER_CHANNEL + 2);
    load.calling = 10;
    let (effects, _) = state.plan(&load, now);
    let taken = taken(&effects);
    assert_eq!(taken.iter().map(|(_, limit)| limit).sum::<usize>(), IN_ALL - 10);
    assert!(taken.iter().all(|(channel, limit)| *limit <= if *channel == "c03" { 1 } else { PER_CHANNEL }));
    assert!(taken.iter().all(|(channel, _)| *channel != "c04"));
    // Those that found no place are the first when there is one again.
    let left: Vec<&str> =
        names.iter().copied().filter(|name| *name != "c04" && taken.iter().all(|(had, _)| had != name)).collect();
    assert!(!left.is_empty());
    load.calling = 0;
    load.places.clear();
    let (effects, _) = state.plan(&load, now);
    let then = self::taken(&effects);
    assert!(left.iter().all(|left| then.iter().any(|(channel, _)| channel == left)), "{left:?} in {then:?}");
}

#[tokio::test(start_paused = true)]
async fn where_places_are_scarce_every_channel_has_its_turn() {
    let now = Instant::now();
    let mut state = looked(now);
    let mut load = load(&["a", "b", "c"]);
    load.calling = IN_ALL - 1;
    let mut had = std::collections::BTreeSet::new();
    for _ in 0..3 {
        state.hear(Report::Ring, now);
        let (effects, _) = state.plan(&load, now);
        had.extend(taken(&effects).into_iter().map(|(channel, _)| channel.to_owned()));
    }
    assert_eq!(had.len(), 3, "{had:?}");
}

#[tokio::test(start_paused = true)]
async fn a_channel_that_rests_or_is_down_holds_nobody_up() {
    let now = Instant::now();
    let mut state = looked(now);
    let mut load = load(&["a", "b", "c"]);
    load.channels.insert(name("a"), false);
    state.hear(Report::Rest { channel: name("b"), until: now + Duration::from_secs(149) }, now);
    let (effects, alarm) = state.plan(&load, now);
    assert_eq!(taken(&effects), [("c", PER_CHANNEL)]);
    let alarm = alarm.expect("it looks again");
    assert!(alarm <= now + Duration::from_secs(10), "whether it is back");
    load.channels.insert(name("a"), true);
    assert_eq!(taken(&state.plan(&load, alarm).0), [("a", PER_CHANNEL)]);
    let (effects, alarm) = state.plan(&load, now + Duration::from_secs(148));
    assert_eq!((effects, alarm), (vec![], Some(now + Duration::from_secs(149))));
    assert_eq!(taken(&state.plan(&load, now + Duration::from_secs(149)).0), [("b", PER_CHANNEL)]);
}

#[tokio::test(start_paused = true)]
async fn what_was_put_back_is_taken_up_when_it_is_due() {
    let now = Instant::now();
    let mut state = looked(now);
    let load = load(&["a"]);
    state.plan(&load, now);
    state.hear(nothing("a", Some(now + Duration::from_secs(200))), now);
    let again = Some(now + Duration::from_secs(149));
    state.hear(Report::Settled { channel: name("a"), more: false, again }, now);
    assert_eq!(state.plan(&load, now), (vec![], again), "the first of them");
    assert_eq!(state.plan(&load, now + Duration::from_secs(149)).0.len(), 1);
    state.hear(Report::Settled { channel: name("a"), more: true, again: None }, now);
    assert_eq!(state.plan(&load, now).0.len(), 1, "what waited behind it");
}

#[tokio::test(start_paused = true)]
async fn a_store_that_refuses_is_asked_again_later() {
    let now = Instant::now();
    let mut state = looked(now);
    let load = load(&["a"]);
    state.plan(&load, now);
    state.hear(Report::NotTaken { channel: name("a") }, now);
    let (effects, alarm) = state.plan(&load, now);
    assert_eq!(effects, []);
    assert_eq!(state.plan(&load, alarm.expect("it tries again")).0.len(), 1);
}

fn item(attempt: u32, holder: Uuid) -> Item {
    Item {
        id: 1,
        session: "s".parse().expect("valid"),
        turn: TurnId(Uuid::from_u128(1)),
        to: Conversation { channel: name("a"), account: name("b"), name: name("c") },
        reply_to: None,
        content: Content::Cancelled {},
        preview: None,
        part: 0,
        shown: 0,
        attempt,
        holder: Some(holder),
        called: false,
        created_at: Timestamp(0),
    }
}

#[test]
fn only_what_a_platform_may_have_heard_of_is_asked_for() {
    let (ours, theirs) = (item(1, US), item(1, Uuid::from_bytes([2; 16])));
    assert_eq!(stray(&theirs, US, None), Stray::Ask, "a process that died was at it");
    assert_eq!(stray(&ours, US, None), Stray::PutBack, "nobody began with it");
    assert_eq!(stray(&ours, US, Some(Phase::CutOff)), Stray::Ask);
    for phase in [Phase::Calling, Phase::Asking, Phase::Stuck] {
        assert_eq!(stray(&ours, US, Some(phase)), Stray::Leave);
        assert_eq!(stray(&theirs, US, Some(phase)), Stray::Leave);
    }
}

struct Fixed(u8);

impl Clock for Fixed {
    fn now(&self) -> Timestamp {
        Timestamp(0)
    }
}

impl Chance for Fixed {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(self.0);
    }
}

#[test]
fn pauses_double_up_to_five_minutes_and_vary_by_a_fifth() {
    let pause = |attempt, drawn| delay::pause(attempt, &Outside::new(Arc::new(Fixed(0)), Arc::new(Fixed(drawn))));
    let secs = |attempt| pause(attempt, 0).as_secs_f64();
    assert_eq!([1, 2, 3, 9].map(secs), [0.8, 1.6, 3.2, 204.8]);
    assert_eq!([10, 11, 40, u32::MAX].map(secs), [240.0; 4]);
    assert!((pause(1, 255).as_secs_f64() - 1.2).abs() < 1e-9);
}

#[test]
fn what_is_old_is_given_up_only_when_it_was_tried_often() {
    let day = Timestamp(0).plus(delay::GIVEN_UP);
    let later = day.plus(Duration::from_secs(1));
    assert!(!delay::is_given_up(&item(1, US), later), "the daemon was off for a day");
    assert!(!delay::is_given_up(&item(1_000, US), day));
    assert!(delay::is_given_up(&item(delay::TRIES, US), later));
}

#[test]
fn a_delivery_that_nobody_waits_for_any_more_does_not_begin() {
    let line = Line::default();
    assert!(!line.close(), "it had not begun, so it is sent anew");
    assert!(!line.begin(), "and what comes late must not be seen as well");
    let line = Line::default();
    assert!(line.begin() && line.begin(), "for both parts of it");
    assert!(line.close(), "its platform may have heard of it");
}
