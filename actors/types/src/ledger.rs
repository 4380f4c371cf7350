//! What was spent, summed up.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::ids::{AgentName, ModelRef, SessionId, TurnId, UserId};
use crate::outside::Timestamp;
use crate::usage::Spent;

/// What the ledger is summed by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum UsageBy {
    /// Days of UTC.
    #[default]
    Day,
    Agent,
    /// `provider/model`, as the provider named the model that answered.
    Model,
    Session,
}

impl UsageBy {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Day, Self::Agent, Self::Model, Self::Session];

    /// Its name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Agent => "agent",
            Self::Model => "model",
            Self::Session => "session",
        }
    }
}

impl fmt::Display for UsageBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for UsageBy {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|by| by.as_str() == text)
            .ok_or_else(|| format!("{text:?} is nothing to sum by: day, agent, model or session"))
    }
}

/// How well it is known what calls used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Known {
    /// The provider said it.
    Said,
    /// The provider did not: reckoned by what was sent and heard.
    Reckoned,
    /// Written before the call, or for one of which nobody heard the end: what it was to be sent.
    Foreseen,
}

/// What model calls used that are not a turn's own answer: those that lost a race, sat on a panel, failed after they had
/// begun or were cut off, and those of no session.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Beside {
    /// Of the entry. A second one with the same id takes the place of one that was an estimate, unless it is
    /// [`Known::Foreseen`]; without calls, and better known than that, it strikes it out.
    pub id: uuid::Uuid,
    pub user: UserId,
    pub agent: AgentName,
    /// `None`: a call that leaves nothing else behind.
    pub of: Option<(SessionId, TurnId)>,
    pub model: ModelRef,
    pub calls: u64,
    pub spent: Spent,
    pub known: Known,
    pub at: Timestamp,
}

impl Beside {
    /// The id of the entry of a session's call: of the turn, which attempt, which of its steps, and which place in that
    /// step. So that whoever enters it, and when, it is the same entry.
    pub fn id_of(turn: TurnId, attempt: u32, step: u32, place: u32) -> uuid::Uuid {
        let call = (u128::from(attempt) << 32) | (u128::from(step & 0xffff) << 16) | u128::from(place & 0xffff);
        // Ids of turns are of version 7, and these are of version 8: one is never taken for the other.
        uuid::Builder::from_custom_bytes((turn.0.as_u128() ^ call).to_be_bytes()).into_uuid()
    }

    /// More calls of the same kind.
    pub fn join(&mut self, more: &Self) {
        self.calls += more.calls;
        self.spent = self.spent.and(more.spent);
    }

    /// The same entry where it turned out that nothing was used.
    pub fn void(self) -> Self {
        Self { calls: 0, spent: Spent::default(), known: Known::Said, ..self }
    }
}

/// Which part of the ledger is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct UsageQuery {
    /// Only what this user's turns cost; `None`: everyone's.
    pub user: Option<UserId>,
    /// Only what this agent's turns cost.
    pub agent: Option<AgentName>,
    /// Only what this session's turns cost.
    pub session: Option<SessionId>,
    pub by: UsageBy,
    /// Turns that ended then or later.
    pub since: Option<Timestamp>,
    /// Turns that ended before.
    pub until: Option<Timestamp>,
}

/// The turns of one day, agent, model or session together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct UsageSum {
    /// A day as in `2026-11-23`, an agent's name, `provider/model`, or a session's id, which may be of a session that
    /// was removed: what was spent stays spent. Empty: calls of no session.
    pub key: String,
    /// Turns that were answered.
    pub turns: u64,
    /// Model calls: one a turn, and those beside it (lost races, panels, what failed or was cut off, calls of no
    /// session).
    #[serde(default)]
    pub calls: u64,
    pub input_tokens: u64,
    pub output_tokens: u64,
    /// US dollars of the turns that have a price; null where none has.
    #[schema(required)]
    pub cost_usd: Option<f64>,
    /// Turns whose model has no price in the config; their cost is not part of the sum.
    pub unpriced_turns: u64,
}

impl UsageSum {
    /// Adds another sum to this one, under this one's key.
    pub fn add(&mut self, other: &Self) {
        self.turns += other.turns;
        self.calls += other.calls;
        self.input_tokens = self.input_tokens.saturating_add(other.input_tokens);
        self.output_tokens = self.output_tokens.saturating_add(other.output_tokens);
        self.cost_usd = self.cost_usd.map_or(other.cost_usd, |cost| Some(cost + other.cost_usd.unwrap_or_default()));
        self.unpriced_turns += other.unpriced_turns;
    }

    /// What it cost, for people, with what has no price.
    pub fn cost(&self) -> String {
        match (self.cost_usd, self.unpriced_turns) {
            (None, _) => "no price".to_owned(),
            (Some(cost), 0) => dollars(cost),
            (Some(cost), unpriced) => format!("{}, {unpriced} without a price", dollars(cost)),
        }
    }
}

/// To the cent where it is dollars, to a millionth where it is less than a cent.
pub fn dollars(cost: f64) -> String {
    if cost >= 1.0 {
        format!("${cost:.2}")
    } else if cost >= 0.01 || cost == 0.0 {
        format!("${cost:.4}")
    } else {
        format!("${cost:.6}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_call_of_a_turn_has_an_entry_of_its_own() {
        let turn = |number: u128| TurnId(uuid::Uuid::from_u128((0x0198_0000_0000_7000_8000 << 48) | number));
        let mut ids = std::collections::BTreeSet::new();
        for (turn, attempt) in [(turn(1), 1), (turn(1), 2), (turn(2), 1)] {
            for (step, place) in [(1, 0), (1, 1), (2, 0), (2, 64)] {
                let id = Beside::id_of(turn, attempt, step, place);
                assert_eq!(id, Beside::id_of(turn, attempt, step, place));
                assert!(id != turn.0 && ids.insert(id));
            }
        }
    }

    #[test]
    fn money_is_told_as_exactly_as_it_matters() {
        let told: Vec<_> = [0.0, 0.000_026, 0.012_34, 12.345].into_iter().map(dollars).collect();
        assert_eq!(told, ["$0.0000", "$0.000026", "$0.0123", "$12.35"]);
    }
}
