//! Which models rest, and for how long.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use mosaic_messages::CallResult;
use mosaic_types::ErrorClass;
use tokio::time::Instant;

/// A model that asked for a pause without saying how long rests this long; a provider may ask for more.
const REST: Duration = Duration::from_secs(5);
/// No model rests longer than this, whatever was asked: then it is tried once more.
const LONGEST_REST: Duration = Duration::from_secs(600);

/// A provider's memory of its models. A model without an entry is well.
#[derive(Debug, Default)]
pub(super) struct ProviderState {
    resting: HashMap<Arc<str>, Instant>,
}

impl ProviderState {
    /// Whether any model has to rest. Rests that are over are forgotten, whether or not anybody asks for their model again.
    pub(super) fn any_rests(&mut self, now: Instant) -> bool {
        self.resting.retain(|_, until| *until > now);
        !self.resting.is_empty()
    }

    /// How long `model` still rests; `None`: it may be called.
    pub(super) fn rest(&mut self, model: &str, now: Instant) -> Option<Duration> {
        let until = *self.resting.get(model)?;
        if until <= now {
            self.resting.remove(model);
            return None;
        }
        Some(until - now)
    }

    /// A call ended. Only a wish for a pause makes the model rest; other models of the provider are not concerned.
    pub(super) fn ended(&mut self, model: &Arc<str>, result: CallResult, now: Instant) {
        match result {
            CallResult::Answered => {
                self.resting.remove(model);
            }
            CallResult::Failed(ErrorClass::Transient { retry_after: Some(wait) }) => {
                self.resting.insert(model.clone(), now + wait.min(LONGEST_REST));
            }
            CallResult::Failed(ErrorClass::Overloaded) => {
                self.resting.insert(model.clone(), now + REST);
            }
            CallResult::Failed(_) | CallResult::Abandoned => {}
        }
    }
}
