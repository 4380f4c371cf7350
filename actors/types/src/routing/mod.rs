//! Which models answer a turn, as a rule says it: plain data, read from the config, from the API and from the store.
//!
//! A [`Rule`] holds where all its conditions hold; the first that does says which models answer, or how they are used.
//! What came of it is a [`Route`], which is journaled with the turn's start. Whoever decides sits in the runtime.

mod change;
mod explained;
mod moment;
mod rule;
mod words;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::ids::{ModelRef, RuleId};
use crate::outside::Timestamp;

pub use change::RuleChange;
pub use explained::{EffectiveRule, Explained, Verdict, Weighed};
pub use moment::{Hours, Zone};
pub use rule::{BadRule, Rule};
pub use words::{Day, Language, Need, Strategy, Task};

/// Whose rule it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum RuleSource {
    /// Of the person who asks; such rules go first.
    User,
    /// Of the config, for everyone.
    Config,
}

impl RuleSource {
    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Config => "config",
        }
    }
}

/// A rule of a person's own, as it is kept.
#[derive(Debug, Clone, PartialEq)]
pub struct OwnRule {
    pub id: RuleId,
    pub rule: Rule,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// What a rule decided for a turn, once and for all its attempts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Route {
    /// The rule's name.
    pub rule: String,
    pub source: RuleSource,
    /// Why, in words, as it is shown with the answer.
    pub reason: String,
    /// What answers, in order of preference.
    pub models: Vec<ModelRef>,
    /// How they are used.
    pub strategy: Strategy,
    /// The kind of task that the turn was taken for; not there where no rule asked for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<Task>,
}
