//! Several keys of one provider: which is used next. State alone; it knows keys by their numbers, never by what they are.

use std::time::Duration;

use mosaic_providers::ProviderError;
use mosaic_types::{Classify, Code, ErrorClass};
use tokio::time::Instant;

/// A key that was refused is tried again after so long: somebody may have paid a bill, or allowed it a model.
const REFUSED: Duration = Duration::from_secs(600);

/// One that asked for a pause and did not say how long rests for so long.
const LIMITED: Duration = Duration::from_secs(5);

/// And none rests longer than this.
const LONGEST: Duration = Duration::from_secs(600);

/// How a key stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyState {
    /// Of the variable or the file that it is kept in.
    pub name: String,
    /// Why it rests, and for how long still; `None`: it is used.
    pub rests: Option<(Code, Duration)>,
}

/// The keys of one provider.
#[derive(Debug)]
pub(super) struct KeyRing {
    /// Until when each rests, and why.
    rests: Vec<Option<(Instant, Code)>>,
    /// The one whose turn it is.
    next: usize,
}

impl KeyRing {
    pub(super) fn new(keys: usize) -> Self {
        Self { rests: vec![None; keys.max(1)], next: 0 }
    }

    /// Whether there is anything to choose from.
    pub(super) fn is_one(&self) -> bool {
        self.rests.len() < 2
    }

    /// The key for a call that has tried some already: in turn, of those that do not rest. Where all rest, a call that has
    /// tried none goes with the one that is well first, and its provider says what is wrong.
    pub(super) fn pick(&mut self, tried: &[usize], now: Instant) -> Option<usize> {
        let count = self.rests.len();
        for rest in &mut self.rests {
            if rest.is_some_and(|(until, _)| until <= now) {
                *rest = None;
            }
        }
        let in_turn = (0..count).map(|offset| (self.next + offset) % count);
        let well = in_turn.clone().find(|key| self.rests[*key].is_none() && !tried.contains(key));
        let soonest =
            || (0..count).filter(|_| tried.is_empty()).min_by_key(|key| self.rests[*key].map(|(until, _)| until));
        let key = well.or_else(soonest)?;
        self.next = (key + 1) % count;
        Some(key)
    }

    /// A call went with a key, and its provider took it.
    pub(super) fn taken(&mut self, key: usize) {
        self.rests[key] = None;
    }

    /// A call failed. Answers for how long the key rests; `None`: it was no fault of the key's.
    pub(super) fn failed(&mut self, key: usize, error: &ProviderError, now: Instant) -> Option<Duration> {
        let code = error.failure().code;
        let rest = match (code, error.class()) {
            (Code::ProviderAuth | Code::ProviderQuota, _) => REFUSED,
            (Code::ProviderRateLimited, ErrorClass::Transient { retry_after }) => retry_after.unwrap_or(LIMITED),
            _ => return None,
        };
        let rest = rest.min(LONGEST);
        self.rests[key] = Some((now + rest, code));
        Some(rest)
    }

    /// How each stands.
    pub(super) fn states(&self, names: &[String], now: Instant) -> Vec<KeyState> {
        let state = |(name, rests): (&String, &Option<(Instant, Code)>)| KeyState {
            name: name.clone(),
            rests: rests.filter(|(until, _)| *until > now).map(|(until, code)| (code, until - now)),
        };
        names.iter().zip(&self.rests).map(state).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(code: Code, retry_after: Option<Duration>) -> ProviderError {
        let (provider, detail) = ("lab".parse().expect("valid"), String::new());
        match code {
            Code::ProviderAuth => ProviderError::Auth { provider, detail },
            Code::ProviderRateLimited => ProviderError::RateLimited { provider, retry_after, detail },
            _ => ProviderError::Overloaded { provider, retry_after, detail },
        }
    }

    #[test]
    fn keys_are_used_in_turn_and_one_that_was_refused_rests() {
        let (mut ring, now) = (KeyRing::new(3), Instant::now());
        let mut used = || (0..4).map(|_| ring.pick(&[], now).expect("a key")).collect::<Vec<_>>();
        assert_eq!(used(), [0, 1, 2, 0]);
        let refused = error(Code::ProviderAuth, None);
        assert_eq!(ring.failed(1, &refused, now), Some(REFUSED));
        assert_eq!(ring.failed(2, &error(Code::ProviderOverloaded, None), now), None, "no fault of the key's");
        let used: Vec<_> = (0..4).map(|_| ring.pick(&[], now).expect("a key")).collect();
        assert_eq!(used, [2, 0, 2, 0]);
        let names = ["A", "B", "C"].map(str::to_owned);
        let rests: Vec<_> = ring.states(&names, now).into_iter().map(|state| state.rests).collect();
        assert_eq!(rests, [None, Some((Code::ProviderAuth, REFUSED)), None]);
        let later = now + REFUSED;
        let used: Vec<_> = (0..3).map(|_| ring.pick(&[], later).expect("a key")).collect();
        assert_eq!(used, [1, 2, 0], "it is tried once more");
    }

    #[test]
    fn a_call_tries_each_key_once_and_where_all_rest_the_one_that_is_well_first() {
        let (mut ring, now) = (KeyRing::new(2), Instant::now());
        let limited = |secs| error(Code::ProviderRateLimited, Some(Duration::from_secs(secs)));
        assert_eq!(ring.pick(&[], now), Some(0));
        assert_eq!(ring.failed(0, &limited(3_600), now), Some(LONGEST));
        assert_eq!(ring.pick(&[0], now), Some(1));
        assert_eq!(ring.failed(1, &limited(2), now), Some(Duration::from_secs(2)));
        assert_eq!(ring.pick(&[0, 1], now), None, "each was tried");
        assert_eq!(ring.pick(&[], now), Some(1), "another call");
        ring.taken(1);
        assert_eq!(ring.pick(&[], now), Some(1));
    }
}
