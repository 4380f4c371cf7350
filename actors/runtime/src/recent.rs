//! What happened lately, kept in memory for whoever looks: turns by the minute, and the newest calls of each provider.
//!
//! Bounded, whatever happens: an hour of minutes, so many calls, so many days. A process begins with nothing; what was
//! before it stands in the ledger and in whatever reads the metrics.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use mosaic_types::Timestamp;
use mosaic_types::journal::TurnState;

/// Minutes that are remembered.
pub const MINUTES: usize = 60;

/// Days that are remembered, today among them.
pub const DAYS: usize = 14;

/// Calls of one provider that its times are told by: enough for the slowest twentieth to be some dozens.
const CALLS: usize = 512;

const MINUTE_US: i64 = 60_000_000;
const DAY_US: i64 = 24 * 60 * MINUTE_US;

/// What was counted in one minute.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Minute {
    /// Minutes since 1970.
    pub number: i64,
    pub accepted: u64,
    pub finished: u64,
    pub failed: u64,
    pub cancelled: u64,
}

/// Turns by the minute.
#[derive(Debug, Default)]
pub struct Turns(Mutex<VecDeque<Minute>>);

impl Turns {
    pub(crate) fn accepted(&self, at: Timestamp) {
        self.count(at, |minute| minute.accepted += 1);
    }

    pub(crate) fn ended(&self, state: TurnState, at: Timestamp) {
        self.count(at, |minute| match state {
            TurnState::Failed => minute.failed += 1,
            TurnState::Cancelled => minute.cancelled += 1,
            _ => minute.finished += 1,
        });
    }

    fn count(&self, at: Timestamp, add: impl FnOnce(&mut Minute)) {
        let number = at.0.div_euclid(MINUTE_US);
        let mut minutes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // A clock that was set back counts into the newest minute until it has caught up.
        if minutes.back().is_none_or(|newest| newest.number < number) {
            minutes.push_back(Minute { number, ..Minute::default() });
            if minutes.len() > MINUTES {
                minutes.pop_front();
            }
        }
        if let Some(newest) = minutes.back_mut() {
            add(newest);
        }
    }

    /// The last hour, oldest minute first, each of them, also those in which nothing happened.
    pub fn hour(&self, now: Timestamp) -> Vec<Minute> {
        let minutes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let newest = now.0.div_euclid(MINUTE_US).max(minutes.back().map_or(i64::MIN, |newest| newest.number));
        let first = newest - MINUTES as i64 + 1;
        let of = |number| minutes.iter().find(|minute| minute.number == number).copied();
        (first..=newest).map(|number| of(number).unwrap_or(Minute { number, ..Minute::default() })).collect()
    }
}

/// One call that was answered or failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Call {
    pub(crate) at: Timestamp,
    pub(crate) failed: bool,
    /// From sending it to the first piece of its answer, where one came.
    pub(crate) first: Option<Duration>,
    pub(crate) whole: Duration,
}

/// Two times of many: half of all took no longer than the one, 95 of 100 no longer than the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Times {
    pub p50: Duration,
    pub p95: Duration,
}

impl Times {
    fn of(mut all: Vec<Duration>) -> Option<Self> {
        all.sort_unstable();
        let rank = |percent: usize| all.get((all.len() * percent).div_ceil(100).checked_sub(1)?).copied();
        Some(Self { p50: rank(50)?, p95: rank(95)? })
    }
}

/// How a provider did in the last hour, by its newest calls.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Lately {
    pub calls: usize,
    pub failed: usize,
    /// From sending a call to the first piece of its answer.
    pub first: Option<Times>,
    /// To its end, where that was good.
    pub whole: Option<Times>,
}

/// The newest calls of a provider, and what it was paid by the day.
#[derive(Debug, Default)]
pub struct Calls {
    newest: Mutex<VecDeque<Call>>,
    /// Days since 1970, with US dollars; `None` where nothing of it has a price.
    days: Mutex<VecDeque<(i64, Option<f64>)>>,
}

impl Calls {
    pub(crate) fn add(&self, call: Call) {
        let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        newest.push_back(call);
        if newest.len() > CALLS {
            newest.pop_front();
        }
    }

    pub(crate) fn spent(&self, at: Timestamp, usd: Option<f64>) {
        let day = at.0.div_euclid(DAY_US);
        let mut days = self.days.lock().unwrap_or_else(PoisonError::into_inner);
        if days.back().is_none_or(|(newest, _)| *newest < day) {
            days.push_back((day, None));
            if days.len() > DAYS {
                days.pop_front();
            }
        }
        if let (Some((_, sum)), Some(usd)) = (days.back_mut(), usd) {
            *sum = Some(sum.unwrap_or_default() + usd);
        }
    }

    /// How the calls of the last hour went.
    pub fn lately(&self, now: Timestamp) -> Lately {
        let newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        let hour: Vec<Call> =
            newest.iter().filter(|call| now.0 - call.at.0 < MINUTES as i64 * MINUTE_US).copied().collect();
        drop(newest);
        Lately {
            calls: hour.len(),
            failed: hour.iter().filter(|call| call.failed).count(),
            first: Times::of(hour.iter().filter_map(|call| call.first).collect()),
            whole: Times::of(hour.iter().filter(|call| !call.failed).map(|call| call.whole).collect()),
        }
    }

    /// US dollars by day (since 1970), oldest first, paid by this process; `None` where calls were made and none has a
    /// price.
    pub fn days(&self) -> Vec<(i64, Option<f64>)> {
        self.days.lock().unwrap_or_else(PoisonError::into_inner).iter().copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minute(number: i64) -> Timestamp {
        Timestamp(number * MINUTE_US)
    }

    #[test]
    fn an_hour_of_turns_is_told_minute_by_minute_and_no_more_is_kept() {
        let turns = Turns::default();
        for number in 0..200 {
            turns.accepted(minute(number));
            turns.ended(TurnState::Finished, minute(number));
        }
        turns.ended(TurnState::Failed, minute(199));
        turns.ended(TurnState::Cancelled, minute(199));
        // The clock is set back.
        turns.accepted(minute(10));
        let hour = turns.hour(minute(209));
        assert_eq!((hour.len(), hour[0].number, hour[59].number), (60, 150, 209));
        let last = Minute { number: 199, accepted: 2, finished: 1, failed: 1, cancelled: 1 };
        assert_eq!((hour[49], hour[50]), (last, Minute { number: 200, ..Minute::default() }));
        assert_eq!(hour.iter().map(|minute| minute.accepted).sum::<u64>(), 51);
        assert_eq!(turns.0.lock().expect("whole").len(), MINUTES);
    }

    #[test]
    fn times_are_those_of_the_newest_calls_of_the_hour() {
        let calls = Calls::default();
        assert_eq!(calls.lately(minute(0)), Lately::default());
        let ms = Duration::from_millis;
        let call = |at, failed, whole| Call { at, failed, first: (!failed).then(|| ms(whole / 2)), whole: ms(whole) };
        calls.add(call(minute(0), false, 9_000));
        for number in 1..=100 {
            calls.add(call(minute(59), false, number * 2));
        }
        calls.add(call(minute(59), true, 7));
        let lately = calls.lately(minute(61));
        assert_eq!((lately.calls, lately.failed), (101, 1), "the first one is too old");
        assert_eq!(lately.whole, Some(Times { p50: ms(100), p95: ms(190) }));
        assert_eq!(lately.first, Some(Times { p50: ms(50), p95: ms(95) }));
        for _ in 0..CALLS {
            calls.add(call(minute(60), false, 1));
        }
        assert_eq!(calls.lately(minute(61)).whole, Some(Times { p50: ms(1), p95: ms(1) }));
    }

    #[test]
    fn what_was_paid_is_kept_by_the_day() {
        let calls = Calls::default();
        for day in 0..20 {
            calls.spent(Timestamp(day * DAY_US), Some(0.5));
            calls.spent(Timestamp(day * DAY_US + 1), None);
            calls.spent(Timestamp(day * DAY_US + 2), Some(0.25));
        }
        calls.spent(Timestamp(20 * DAY_US), None);
        let days = calls.days();
        assert_eq!((days.len(), days[0], days[12]), (DAYS, (7, Some(0.75)), (19, Some(0.75))));
        assert_eq!(days[13], (20, None), "without a price is not without a cost");
    }
}
