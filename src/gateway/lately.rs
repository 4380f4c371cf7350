//! How the house is and how it was lately, for a page that shows it at once.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::web::Data;
use mosaic_runtime::meters::turns;
use mosaic_runtime::provider::ProviderHandle;
use mosaic_runtime::recent::{DAYS, Minute, Times};
use mosaic_supervise::ChildView;
use mosaic_types::ledger::UsageQuery;
use mosaic_types::outbox::ItemState;
use mosaic_types::page::Limit;
use mosaic_types::{Code, ProviderName, Timestamp};
use serde::Serialize;
use utoipa::ToSchema;

use super::server::Gate;

/// Microseconds of a day.
const DAY_US: i64 = 24 * 3_600 * 1_000_000;

/// How the house is, and how it was in the last hour and the last two weeks.
#[derive(Serialize, ToSchema)]
struct House {
    at: Timestamp,
    turns: Turns,
    queues: Queues,
    providers: Vec<ProviderLately>,
    /// Answers that did not go out yet, or not at all; what was sent is not among them.
    outbox: Vec<Kept>,
    /// Two weeks, oldest first, in days of UTC.
    days: Vec<Day>,
}

/// Turns since the start of this process, at most an hour back.
#[derive(Serialize, ToSchema)]
struct Turns {
    /// Turns, stateless calls and deliveries under way.
    running: usize,
    /// Sixty, oldest first; the last one is not over.
    minutes: Vec<InMinute>,
}

/// What was counted in one minute.
#[derive(Serialize, ToSchema)]
struct InMinute {
    /// When it began.
    at: Timestamp,
    accepted: u64,
    finished: u64,
    failed: u64,
    cancelled: u64,
}

/// What waits.
#[derive(Serialize, ToSchema)]
struct Queues {
    /// Messages that wait, and requests that are not answered, at all actors together.
    mailboxes: usize,
    /// How long the oldest of them has waited.
    oldest_ms: u64,
    /// Calls that wait for a place at a provider.
    calls: usize,
    /// Turns that wait to begin alone.
    alone: usize,
    /// Those who read along in a session.
    readers: usize,
}

/// Whether a provider answers.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Health {
    /// It was not called since the start.
    Unknown,
    /// The newest call was answered.
    Answers,
    /// The newest call failed.
    Fails,
    /// Its actor is down.
    Down,
}

impl Health {
    /// How a provider is, as far as is known without asking it.
    pub(super) fn of(provider: &ProviderHandle) -> Self {
        match provider.last_call() {
            _ if provider.link.down().is_some() => Self::Down,
            None => Self::Unknown,
            Some(last) if last.failed.is_none() => Self::Answers,
            Some(_) => Self::Fails,
        }
    }
}

/// A provider, and how it did in the last hour (at most its newest 512 calls).
#[derive(Serialize, ToSchema)]
struct ProviderLately {
    name: ProviderName,
    health: Health,
    /// When the newest call ended; null where there was none.
    #[schema(required)]
    last_call: Option<Timestamp>,
    /// Why it failed; null where it did not.
    #[schema(required)]
    code: Option<Code>,
    in_flight: usize,
    max_in_flight: usize,
    waiting: usize,
    calls: usize,
    failed: usize,
    /// From sending a call to the first piece of its answer; null where there was none.
    #[schema(required)]
    first_token: Option<Quantiles>,
    /// From sending a call to the end of a good answer; null where there was none.
    #[schema(required)]
    whole: Option<Quantiles>,
}

/// Two times of many.
#[derive(Serialize, ToSchema)]
struct Quantiles {
    /// Half of all took no longer, in milliseconds.
    p50_ms: f64,
    /// 95 of 100 took no longer, in milliseconds.
    p95_ms: f64,
}

impl From<Times> for Quantiles {
    fn from(times: Times) -> Self {
        let ms = |time: Duration| (time.as_secs_f64() * 1e6).round() / 1e3;
        Self { p50_ms: ms(times.p50), p95_ms: ms(times.p95) }
    }
}

/// Answers of one channel in one state.
#[derive(Serialize, ToSchema)]
struct Kept {
    channel: String,
    #[schema(value_type = String)]
    state: ItemState,
    items: u64,
    /// Age of the oldest, in seconds.
    oldest_seconds: u64,
}

/// What a day cost.
#[derive(Serialize, ToSchema)]
struct Day {
    #[schema(format = Date, example = "2026-11-23")]
    day: String,
    /// US dollars, as far as prices are known; null where calls were made and none has a price.
    #[schema(required)]
    cost_usd: Option<f64>,
}

/// What the ledger held before this process began, by days since 1970. It does not change any more, so it is read once.
#[derive(Default)]
pub struct Before(Mutex<Option<BTreeMap<i64, Option<f64>>>>);

/// Tells how the house is and how it was lately
///
/// Totals over all users, out of memory: turns by the minute, what waits, how providers answer, what did not go out, what
/// the days cost. A process that was just started has counted little yet.
#[utoipa::path(
    get,
    path = "/api/v1/observe",
    operation_id = "observe",
    tag = "house",
    responses((status = 200, description = "How it is.", body = House))
)]
pub(super) async fn lately(gate: Data<Gate>) -> HttpResponse {
    let now = gate.doors.outside.now();
    let tree = gate.root.tree().await;
    let all = gate.doors.providers.all();
    // Without the store the rest is wanted all the more.
    let items = gate.doors.store.item_counts().await.unwrap_or_default();
    let age = |oldest: Timestamp| u64::try_from((now.0 - oldest.0) / 1_000_000).unwrap_or(0);
    let outbox = items.into_iter().map(|kept| Kept {
        channel: kept.channel,
        state: kept.state,
        items: kept.items,
        oldest_seconds: age(kept.oldest),
    });
    let house = House {
        at: now,
        turns: Turns {
            running: gate.doors.work.running(),
            minutes: turns().hour(now).into_iter().map(InMinute::from).collect(),
        },
        queues: Queues {
            mailboxes: all_of(&tree, &|view| view.depth).into_iter().sum(),
            oldest_ms: all_of(&tree, &|view| view.oldest_ms).into_iter().max().unwrap_or(0),
            calls: all.iter().map(|provider| provider.meter.waiting()).sum(),
            alone: gate.doors.alone.waiting().len(),
            readers: gate.doors.hub.readers(),
        },
        providers: all.iter().map(|provider| ProviderLately::of(provider, now)).collect(),
        outbox: outbox.collect(),
        days: days(&gate, &all, now).await,
    };
    HttpResponse::Ok().json(house)
}

/// What `of` says of each actor.
fn all_of<T>(view: &ChildView, of: &dyn Fn(&ChildView) -> T) -> Vec<T> {
    let mut all = vec![of(view)];
    all.extend(view.children().iter().flat_map(|child| all_of(child, of)));
    all
}

impl From<Minute> for InMinute {
    fn from(minute: Minute) -> Self {
        let Minute { number, accepted, finished, failed, cancelled } = minute;
        Self { at: Timestamp(number * 60_000_000), accepted, finished, failed, cancelled }
    }
}

impl ProviderLately {
    fn of(provider: &ProviderHandle, now: Timestamp) -> Self {
        let (last, lately) = (provider.last_call(), provider.calls.lately(now));
        Self {
            name: provider.adapter.name().clone(),
            health: Health::of(provider),
            last_call: last.map(|last| last.at),
            code: last.and_then(|last| last.failed),
            in_flight: provider.in_flight(),
            max_in_flight: provider.settings.max_in_flight,
            waiting: provider.meter.waiting(),
            calls: lately.calls,
            failed: lately.failed,
            first_token: lately.first.map(Quantiles::from),
            whole: lately.whole.map(Quantiles::from),
        }
    }
}

/// Two weeks: what the ledger held when this process began, and what was spent since.
async fn days(gate: &Gate, all: &[std::sync::Arc<ProviderHandle>], now: Timestamp) -> Vec<Day> {
    let today = now.0.div_euclid(DAY_US);
    let first = today - DAYS as i64 + 1;
    let mut sums = before(gate, first).await;
    for (day, usd) in all.iter().flat_map(|provider| provider.calls.days()) {
        let sum = sums.entry(day).or_default();
        *sum = (*sum).map_or(usd, |sum| Some(sum + usd.unwrap_or_default()));
    }
    let told = |day: i64| Day { day: date(day), cost_usd: sums.get(&day).copied().unwrap_or(Some(0.0)) };
    (first..=today).map(told).collect()
}

/// The day of that number, as the ledger names it.
fn date(day: i64) -> String {
    Timestamp(day * DAY_US).to_string().chars().take(10).collect()
}

async fn before(gate: &Gate, first: i64) -> BTreeMap<i64, Option<f64>> {
    if let Some(known) = &*gate.before.0.lock().unwrap_or_else(PoisonError::into_inner) {
        return known.clone();
    }
    let ask = UsageQuery { since: Some(Timestamp(first * DAY_US)), until: Some(gate.began), ..UsageQuery::default() };
    let limit = Limit::new(Some(DAYS as u32)).unwrap_or_default();
    let Ok(page) = gate.doors.store.usage(ask, None, limit).await else { return BTreeMap::new() };
    let day = |key: &str| key.parse::<Timestamp>().ok().map(|day| day.0.div_euclid(DAY_US));
    let known: BTreeMap<i64, Option<f64>> =
        page.items.iter().filter_map(|sum| Some((day(&sum.key)?, sum.cost_usd))).collect();
    *gate.before.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(known.clone());
    known
}
