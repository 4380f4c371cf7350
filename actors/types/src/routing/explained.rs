//! Why a text would go where it goes, for people to look at.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Language, Need, Rule, RuleSource, Strategy, Task};
use crate::ids::{AgentName, ModelRef, RuleId};
use crate::outside::Timestamp;

/// What became of a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// It holds, and is the first that does: it decides.
    Decides,
    /// It holds too, and another came before it.
    Holds,
    /// A condition does not hold.
    Fails,
    /// It holds, and none of its models can take the turn.
    Unfit,
    /// It is switched off.
    Off,
}

impl Verdict {
    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Decides => "decides",
            Self::Holds => "holds",
            Self::Fails => "fails",
            Self::Unfit => "unfit",
            Self::Off => "off",
        }
    }
}

/// A rule, looked at for one text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Weighed {
    pub rule: String,
    pub source: RuleSource,
    pub verdict: Verdict,
    /// Why: what holds, or the first condition that does not.
    pub why: String,
}

/// Why a text would go where it goes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = RoutingExplained)]
pub struct Explained {
    /// What the text asks for.
    pub task: Task,
    /// How sure that is, of 100.
    pub confidence: u8,
    /// What it was seen by.
    pub cues: Vec<String>,
    /// The language of the text; null: not known.
    #[schema(required)]
    pub language: Option<Language>,
    /// Characters of the text.
    pub chars: usize,
    pub needs: Vec<Need>,
    pub agent: AgentName,
    pub channel: String,
    pub at: Timestamp,
    /// The least that is left of a budget that it would be paid from, from 0 to 1; null: there is none, or nothing was
    /// spent from it since the start.
    #[schema(required)]
    pub budget_left: Option<f64>,
    /// Every rule, in the order in which they are looked at.
    pub rules: Vec<Weighed>,
    /// What would answer, in order of preference.
    pub models: Vec<ModelRef>,
    pub strategy: Strategy,
    /// What the answer would say of it.
    pub reason: String,
}

/// A rule, where it stands among all that hold for someone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = EffectiveRoutingRule)]
pub struct EffectiveRule {
    /// 1 is the first to be looked at.
    pub position: usize,
    pub source: RuleSource,
    /// By which it is changed; null: it stands in the config.
    #[schema(required)]
    pub id: Option<RuleId>,
    pub rule: Rule,
    /// What it does where it holds, in words.
    pub does: String,
    /// Why it never holds as things are; null: it may.
    #[schema(required)]
    pub off: Option<String>,
}

impl EffectiveRule {
    /// A rule in its place. `missing`: why a model that it names cannot be asked.
    pub fn of(
        position: usize,
        source: RuleSource,
        id: Option<RuleId>,
        rule: &Rule,
        missing: impl Fn(&ModelRef) -> Option<String>,
    ) -> Self {
        let mut gone = rule.models.iter().map(missing);
        let off = match rule.enabled {
            false => Some("it is switched off".to_owned()),
            // One that is there is enough.
            true if rule.models.is_empty() => None,
            true => gone.try_fold(None, |_, why| why.map(Some)).flatten(),
        };
        Self { position, source, id, rule: rule.clone(), does: does(rule), off }
    }
}

fn does(rule: &Rule) -> String {
    let models: Vec<String> = rule.models.iter().map(ToString::to_string).collect();
    match (models.is_empty(), rule.strategy) {
        (true, strategy) => format!("asks the agent's models by {}", strategy.unwrap_or_default()),
        (false, None) => format!("asks {}", models.join(", then ")),
        (false, Some(strategy)) => format!("asks {} by {strategy}", models.join(", ")),
    }
}
