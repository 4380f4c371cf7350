//! Which models may be called: pauses that were asked for, and a breaker for those that fail again and again.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use mosaic_messages::CallResult;
use mosaic_types::ErrorClass;
use tokio::time::Instant;

/// No model rests longer than this, whatever was asked: then it is tried once more.
const LONGEST_REST: Duration = Duration::from_secs(600);
/// Failures in a row after which a model is left alone. More than the tries of one turn, so that one unlucky person does
/// not shut the others out.
const FAILURES: u32 = 5;
/// A model that failed so often is left alone for so long; twice as long after each probe that fails.
const FIRST_BREAK: Duration = Duration::from_secs(5);
/// And never longer than this.
const LONGEST_BREAK: Duration = Duration::from_secs(60);
/// Failures are forgotten when nothing more was heard of a model for so long.
const MEMORY: Duration = Duration::from_secs(120);

/// What is remembered of a model. One that is not remembered is well.
#[derive(Debug, Clone, Copy)]
struct Memory {
    failures: u32,
    heard: Instant,
    /// It asked for a pause.
    rests: Option<Instant>,
    breaker: Breaker,
}

/// A breaker: closed, open for a time, or half open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Breaker {
    Closed,
    Open {
        until: Instant,
        lasts: Duration,
    },
    /// One call is under way to see whether it is well again; others wait for what comes of it.
    Probing {
        since: Instant,
        lasts: Duration,
    },
}

/// Whether a model may be called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Go,
    /// This call shows whether it is well again.
    Probe,
    /// It asked for a pause, which lasts so long still.
    Rests(Duration),
    /// It failed too often in a row, and is left alone for so long still.
    Broken(Duration),
}

/// What a call's end changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    /// It asked for a pause.
    Rests(Duration),
    /// It is left alone.
    Opened(Duration),
    /// It is well again.
    Closed,
}

/// A provider's memory of its models.
#[derive(Debug, Default)]
pub(super) struct Health {
    models: HashMap<Arc<str>, Memory>,
}

impl Health {
    /// Whether there is anything to decide. What is over is forgotten, whether or not anybody asks for its model again.
    pub(super) fn is_troubled(&mut self, now: Instant) -> bool {
        self.models.retain(|_, memory| {
            let rests = memory.rests.is_some_and(|until| until > now);
            rests
                || now.duration_since(memory.heard) < MEMORY
                || matches!(memory.breaker, Breaker::Open { until, .. } if until > now)
        });
        !self.models.is_empty()
    }

    /// Whether `model` may be called now; a [`Verdict::Probe`] is given out once.
    pub(super) fn ask(&mut self, model: &str, now: Instant) -> Verdict {
        let Some(memory) = self.models.get_mut(model) else { return Verdict::Go };
        if let Some(until) = memory.rests {
            if until > now {
                return Verdict::Rests(until - now);
            }
            memory.rests = None;
        }
        match memory.breaker {
            Breaker::Closed => Verdict::Go,
            Breaker::Open { until, .. } if until > now => Verdict::Broken(until - now),
            Breaker::Open { lasts, .. } => {
                (memory.breaker, memory.heard) = (Breaker::Probing { since: now, lasts }, now);
                Verdict::Probe
            }
            // A probe of which nothing is heard, since its run was lost with the actor's memory, is not waited for.
            Breaker::Probing { since, lasts } if now.duration_since(since) > MEMORY => {
                memory.breaker = Breaker::Probing { since: now, lasts };
                Verdict::Probe
            }
            Breaker::Probing { .. } => Verdict::Broken(Duration::from_secs(1)),
        }
    }

    /// A call ended. Other models of the provider are not concerned.
    pub(super) fn ended(&mut self, model: &Arc<str>, result: CallResult, now: Instant) -> Option<Change> {
        match result {
            CallResult::Answered => {
                let was = self.models.remove(model)?;
                (was.breaker != Breaker::Closed).then_some(Change::Closed)
            }
            CallResult::Failed(ErrorClass::Transient { retry_after: Some(wait) }) => {
                let rest = wait.min(LONGEST_REST);
                let memory = self.remember(model, now);
                memory.rests = Some(now + rest);
                // A provider that asks for a pause is there: that is no fault to be counted.
                if let Breaker::Probing { .. } = memory.breaker {
                    memory.breaker = Breaker::Closed;
                }
                Some(Change::Rests(rest))
            }
            CallResult::Failed(ErrorClass::Transient { retry_after: None } | ErrorClass::Overloaded) => {
                let memory = self.remember(model, now);
                memory.failures += 1;
                let lasts = match memory.breaker {
                    Breaker::Closed if memory.failures < FAILURES => return None,
                    Breaker::Closed => FIRST_BREAK,
                    Breaker::Probing { lasts, .. } => (lasts * 2).min(LONGEST_BREAK),
                    // It was under way when the breaker opened.
                    Breaker::Open { .. } => return None,
                };
                memory.breaker = Breaker::Open { until: now + lasts, lasts };
                Some(Change::Opened(lasts))
            }
            // Nothing was learned; somebody else may probe.
            CallResult::Failed(_) | CallResult::Abandoned => {
                let memory = self.models.get_mut(model)?;
                if let Breaker::Probing { lasts, .. } = memory.breaker {
                    memory.breaker = Breaker::Open { until: now, lasts };
                }
                None
            }
        }
    }

    fn remember(&mut self, model: &Arc<str>, now: Instant) -> &mut Memory {
        let fresh = Memory { failures: 0, heard: now, rests: None, breaker: Breaker::Closed };
        let memory = self.models.entry(model.clone()).or_insert(fresh);
        memory.heard = now;
        memory
    }
}
