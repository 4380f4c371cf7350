//! What this floor counts. Handles are made once: to look one up by its name costs more than to count.
//!
//! With no recorder set (a command without a daemon, most tests) each of these is a branch that does nothing. The
//! daemon sets its recorder before the first actor starts.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use metrics::{Counter, Histogram, counter, histogram};
use mosaic_messages::CallResult;
use mosaic_types::journal::TurnEnd;
use mosaic_types::routing::{RuleSource, Task};
use mosaic_types::{ErrorClass, ProviderName, Timestamp, Usage, metric};

use crate::budget::Notice;
use crate::recent::Turns;

static METERS: LazyLock<Meters> = LazyLock::new(Meters::new);

/// Counters that belong to no provider.
pub(crate) struct Meters {
    accepted: Counter,
    finished: Counter,
    failed: Counter,
    cancelled: Counter,
    pub(crate) turn: Histogram,
    pub(crate) queue_wait: Histogram,
    pub(crate) commit: Histogram,
    pub(crate) batch: Histogram,
    pub(crate) commit_failures: Counter,
    pub(crate) readers_cut: Counter,
    budget_low: Counter,
    budget_over: Counter,
    budget_cut: Counter,
    pub(crate) budget_refused: Counter,
    turns: Turns,
}

/// The turns of this process, by the minute.
pub fn turns() -> &'static Turns {
    &METERS.turns
}

/// The counters of this process.
pub(crate) fn meters() -> &'static Meters {
    &METERS
}

impl Meters {
    fn new() -> Self {
        let ended = |state: &'static str| counter!(metric::TURNS.name, "state" => state);
        let budget = |kind: &'static str| counter!(metric::BUDGET_NOTICES.name, "kind" => kind);
        Self {
            accepted: counter!(metric::TURNS_ACCEPTED.name),
            finished: ended("finished"),
            failed: ended("failed"),
            cancelled: ended("cancelled"),
            turn: histogram!(metric::TURN_SECONDS.name),
            queue_wait: histogram!(metric::TURN_QUEUE_SECONDS.name),
            commit: histogram!(metric::COMMIT_SECONDS.name),
            batch: histogram!(metric::COMMIT_WRITES.name),
            commit_failures: counter!(metric::COMMIT_FAILURES.name),
            readers_cut: counter!(metric::READERS_CUT.name),
            budget_low: budget("low"),
            budget_over: budget("over"),
            budget_cut: budget("cut"),
            budget_refused: budget("refused"),
            turns: Turns::default(),
        }
    }

    /// Rules were looked at: whose decided, and which task was seen where one asked for it.
    pub(crate) fn routed(&self, source: Option<RuleSource>, task: Option<Task>) {
        let source = source.map_or("agent", RuleSource::as_str);
        let task = task.map_or("none", Task::as_str);
        counter!(metric::ROUTING.name, "source" => source, "task" => task).increment(1);
    }

    /// An owner is told of a budget.
    pub(crate) fn told(&self, notice: &Notice) {
        match notice {
            Notice::Low { .. } => self.budget_low.increment(1),
            Notice::Over { .. } => self.budget_over.increment(1),
            Notice::Cut { .. } => self.budget_cut.increment(1),
        }
    }

    /// What became of a delivery is stored.
    pub(crate) fn delivered(&self, channel: &str, outcome: &'static str) {
        counter!(metric::DELIVERIES.name, "channel" => channel.to_owned(), "outcome" => outcome).increment(1);
    }

    /// An input is stored.
    pub(crate) fn accepted(&self, at: Timestamp) {
        self.accepted.increment(1);
        self.turns.accepted(at);
    }

    /// A turn's end is stored.
    pub(crate) fn ended(&self, end: &TurnEnd, at: Timestamp) {
        self.turns.ended(end.state(), at);
        match end {
            TurnEnd::Finished(_) => self.finished.increment(1),
            TurnEnd::Failed { .. } => self.failed.increment(1),
            TurnEnd::Cancelled { .. } => self.cancelled.increment(1),
        }
    }
}

/// Every outcome of a call, as its label says it.
const OUTCOMES: [&str; 8] =
    ["answered", "abandoned", "transient", "overloaded", "invalid", "not_found", "denied", "defect"];

/// Which of [`OUTCOMES`] a call had.
fn outcome(result: CallResult) -> usize {
    match result {
        CallResult::Answered => 0,
        CallResult::Abandoned => 1,
        CallResult::Failed(ErrorClass::Transient { .. }) => 2,
        CallResult::Failed(ErrorClass::Overloaded) => 3,
        CallResult::Failed(ErrorClass::Invalid) => 4,
        CallResult::Failed(ErrorClass::NotFound) => 5,
        CallResult::Failed(ErrorClass::Denied) => 6,
        CallResult::Failed(ErrorClass::Defect) => 7,
    }
}

/// Counters of one provider.
pub struct CallMeter {
    ended: [Counter; OUTCOMES.len()],
    first_token: Histogram,
    total: Histogram,
    input: Counter,
    output: Counter,
    /// Billionths of a dollar: whole numbers add up exactly, and 64 bits hold eighteen billion dollars.
    spent: AtomicU64,
    waiting: AtomicUsize,
}

impl CallMeter {
    pub(crate) fn new(provider: &ProviderName) -> Self {
        let provider = provider.to_string();
        let ended = |outcome| counter!(metric::MODEL_CALLS.name, "provider" => provider.clone(), "outcome" => outcome);
        let tokens = |direction: &'static str| counter!(metric::MODEL_TOKENS.name, "provider" => provider.clone(), "direction" => direction);
        Self {
            ended: OUTCOMES.map(ended),
            first_token: histogram!(metric::MODEL_FIRST_TOKEN.name, "provider" => provider.clone()),
            total: histogram!(metric::MODEL_SECONDS.name, "provider" => provider.clone()),
            input: tokens("input"),
            output: tokens("output"),
            spent: AtomicU64::new(0),
            waiting: AtomicUsize::new(0),
        }
    }

    /// The first piece of an answer is here.
    pub(crate) fn first_token(&self, after: Duration) {
        self.first_token.record(after);
    }

    /// A call ended.
    pub(crate) fn ended(&self, result: CallResult, after: Duration) {
        self.ended[outcome(result)].increment(1);
        self.total.record(after);
    }

    /// What a call used, and cost where that is known.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // a price is never negative; `as` saturates
    pub(crate) fn used(&self, usage: Usage, cost_usd: Option<f64>) {
        self.input.increment(usage.input_tokens);
        self.output.increment(usage.output_tokens);
        if let Some(cost) = cost_usd {
            self.spent.fetch_add((cost * 1e9).round() as u64, Ordering::Relaxed);
        }
    }

    /// US dollars spent in this process, as far as prices are known.
    #[allow(clippy::cast_precision_loss)] // shown, not reckoned with
    pub fn spent_usd(&self) -> f64 {
        self.spent.load(Ordering::Relaxed) as f64 / 1e9
    }

    /// Calls that wait for a place.
    pub fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Counts one who waits until the guard is dropped.
    pub(crate) fn wait(&self) -> Waiting<'_> {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        Waiting(&self.waiting)
    }
}

macro_rules! decisions {
    ($($(#[$doc:meta])* $name:ident = $label:literal,)+) => {
        /// What a provider's actor decided.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Decision {
            $($(#[$doc])* $name,)+
        }

        const DECISIONS: &[&str] = &[$($label),+];
    };
}

decisions! {
    /// A key was refused or limited, and rests.
    KeyRests = "key_rests",
    /// A call waits for a place, or for its rate.
    Queued = "queued",
    /// It waited too long.
    Expired = "expired",
    /// Too many wait already.
    RefusedFull = "refused_full",
    /// Its model asked for a pause.
    RefusedResting = "refused_resting",
    /// Its model failed too often.
    RefusedBroken = "refused_broken",
    /// A call shows whether its model is well again.
    Probe = "probe",
    /// A model rests, as it asked for.
    Rests = "rests",
    /// A model is left alone.
    Opened = "opened",
    /// A model is well again.
    Closed = "closed",
}

/// Counters of a provider's decisions; clones count together.
#[derive(Clone)]
pub(crate) struct Decisions(Arc<[Counter]>);

impl Decisions {
    pub(crate) fn new(provider: &ProviderName) -> Self {
        let provider = provider.to_string();
        let counter = |decision: &&'static str| counter!(metric::PROVIDER_DECISIONS.name, "provider" => provider.clone(), "decision" => *decision);
        Self(DECISIONS.iter().map(counter).collect())
    }

    pub(crate) fn made(&self, decision: Decision) {
        self.0[decision as usize].increment(1);
    }
}

/// One who waits for a place.
pub(crate) struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_outcome_of_a_call_has_its_label() {
        let all = [
            (CallResult::Answered, "answered"),
            (CallResult::Abandoned, "abandoned"),
            (CallResult::Failed(ErrorClass::Transient { retry_after: None }), "transient"),
            (CallResult::Failed(ErrorClass::Overloaded), "overloaded"),
            (CallResult::Failed(ErrorClass::Invalid), "invalid"),
            (CallResult::Failed(ErrorClass::NotFound), "not_found"),
            (CallResult::Failed(ErrorClass::Denied), "denied"),
            (CallResult::Failed(ErrorClass::Defect), "defect"),
        ];
        for (result, label) in all {
            assert_eq!(OUTCOMES[outcome(result)], label);
        }
    }

    #[test]
    fn money_adds_up_to_the_billionth() {
        let meter = CallMeter::new(&"lab".parse().expect("a name"));
        for _ in 0..1_000 {
            meter.used(Usage::new(1, 1), Some(0.000_000_1));
        }
        meter.used(Usage::default(), None);
        assert!((meter.spent_usd() - 0.000_1).abs() < 1e-12, "{}", meter.spent_usd());
    }
}
