//! Which model is tried next, and when. The only place in the house that decides on retries.

use std::time::Duration;

use mosaic_types::{Code, ErrorClass, FinishedTurn, ModelRef};

/// Tries of the last model that is left.
const TRIES: u32 = 3;
/// The pause before the second try; before the third it is twice as long. Jittered by a quarter either way.
const PAUSE: Duration = Duration::from_secs(2);
/// A longer wish for a pause is a failure: nobody waits that long for an answer.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Why the first of several models is called.
pub(super) const FIRST_CHOICE: &str = "first choice";

/// Why a model did not answer, in words.
pub(super) fn why(model: &ModelRef, cause: Code) -> String {
    let what = match cause {
        Code::ProviderRateLimited => "was rate-limited",
        Code::ProviderOverloaded => "was overloaded",
        Code::ProviderStalled => "fell silent",
        Code::ProviderBadAnswer => "broke off or was not understood",
        Code::ProviderUnreachable => "could not be reached",
        Code::ProviderAuth => "refused the key",
        Code::ProviderQuota => "has no credit left",
        Code::ContextOverflow => "cannot read so much at once",
        Code::BudgetExceeded => "is beyond the budget",
        other => return format!("{model} failed ({})", other.as_str()),
    };
    format!("{model} {what}")
}

/// What to do after a failed call.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Next {
    /// The same model again, after a pause.
    Again { after: Duration },
    /// The next model, at once.
    Switch,
    /// The failure stands.
    GiveUp,
}

/// The models of a run, in order of preference, and how far it got.
#[derive(Debug)]
pub(super) struct Plan {
    models: Vec<ModelRef>,
    at: usize,
    tries: u32,
    /// Why the first is called.
    first: &'static str,
    why: Vec<String>,
    shown: bool,
}

impl Plan {
    pub(super) fn new(models: Vec<ModelRef>) -> Self {
        Self { models, at: 0, tries: 1, first: FIRST_CHOICE, why: Vec::new(), shown: false }
    }

    /// This model and no other.
    pub(super) fn only(model: ModelRef, why: &'static str) -> Self {
        Self { first: why, ..Self::new(vec![model]) }
    }

    /// The model to call now; `None` where there was none to begin with.
    pub(super) fn model(&self) -> Option<&ModelRef> {
        self.models.get(self.at)
    }

    /// Why `model`, which this plan came to, answered: in words.
    pub(super) fn reason(&self, model: &ModelRef) -> String {
        if self.why.is_empty() { self.first.to_owned() } else { FinishedTurn::instead(&self.why, model) }
    }

    /// Whether part of an answer that failed was seen.
    pub(super) fn has_shown(&self) -> bool {
        self.shown
    }

    /// Decides after a failure. `shown`: part of the answer was seen already, so nothing else may follow it; `roll`
    /// is a draw from 0 to 1.
    pub(super) fn failed(&mut self, class: ErrorClass, cause: Code, shown: bool, roll: f64) -> Next {
        self.shown |= shown;
        // What overflows one model may fit the next; any other wrong request is wrong everywhere.
        if shown || (class == ErrorClass::Invalid && cause != Code::ContextOverflow) {
            return Next::GiveUp;
        }
        if self.at + 1 < self.models.len() {
            self.why.push(why(&self.models[self.at], cause));
            self.at += 1;
            self.tries = 1;
            return Next::Switch;
        }
        let asked = match class {
            ErrorClass::Transient { retry_after } => retry_after.unwrap_or_default(),
            ErrorClass::Overloaded => Duration::ZERO,
            ErrorClass::Denied | ErrorClass::NotFound | ErrorClass::Defect | ErrorClass::Invalid => {
                return Next::GiveUp;
            }
        };
        if self.tries >= TRIES || asked > LONGEST_PAUSE {
            return Next::GiveUp;
        }
        let pause = PAUSE.mul_f64(f64::from(self.tries) * (0.75 + 0.5 * roll.clamp(0.0, 1.0)));
        self.tries += 1;
        Next::Again { after: pause.max(asked) }
    }
}
