//! The calls that a step of a session begins with. They follow from what is stored (the agent, the dialogue, the parts that
//! are known), so the journaled start of the step is the intent of all of them, and after a crash it is known what may have
//! been spent. Calls beyond them are entered into the ledger before they are made.

use std::collections::BTreeMap;

use mosaic_types::event::EventBody;
use mosaic_types::ledger::{Beside, Known};
use mosaic_types::routing::Route;
use mosaic_types::{AgentName, ChatMessage, ModelRef, SessionId, Spent, Timestamp, TurnId, Usage, UserId};

use super::order::Chosen;
use super::prompt;
use crate::agent::AgentProfile;
use crate::agent::config::Strategy;
use crate::provider::Providers;

/// The place of a call that is the only one, or the first.
pub(super) const FIRST: u32 = 0;

/// Models that are asked without anything having happened first, each by its place in the step.
pub(super) fn first_calls(
    profile: &AgentProfile,
    chosen: Option<&Chosen>,
    parts: &[EventBody],
) -> BTreeMap<u32, ModelRef> {
    if let Some(chosen) = chosen {
        return BTreeMap::from([(FIRST, chosen.model.clone())]);
    }
    let (models, fanout) = (&profile.models, &profile.fanout);
    let asked = match fanout.strategy {
        // Who may ask for tools is one model at a time, as in `course`.
        Strategy::Compare | Strategy::Panel if profile.tools.allowed.is_empty() => models.len(),
        Strategy::Race if fanout.race_after.is_zero() => fanout.race_width.max(1),
        Strategy::Race | Strategy::Fallback | Strategy::Compare | Strategy::Panel => 1,
    };
    let known = |place: u32| {
        let of = |event: &EventBody| matches!(event, EventBody::StepFinished { part: Some(part), ok: true, .. } if part.number == place + 1);
        parts.iter().any(of)
    };
    (FIRST..)
        .zip(models)
        .take(asked)
        .filter(|(place, _)| !known(*place))
        .map(|(place, model)| (place, model.clone()))
        .collect()
}

/// A step of a turn that was cut off.
#[derive(Debug)]
pub(crate) struct CutOff {
    pub(crate) user: UserId,
    pub(crate) session: SessionId,
    pub(crate) turn: TurnId,
    pub(crate) attempt: u32,
    pub(crate) step: u32,
    pub(crate) agent: AgentName,
    pub(crate) chosen: Option<Chosen>,
    /// What a rule decided for the turn.
    pub(crate) route: Option<Box<Route>>,
    pub(crate) parts: Vec<EventBody>,
    pub(crate) dialogue: Vec<ChatMessage>,
}

/// What a step that was cut off may have cost: what its first calls were to be sent. Nobody knows whether they were, or
/// what was answered.
pub(crate) fn may_have_cost(profile: &AgentProfile, providers: &Providers, cut: &CutOff, at: Timestamp) -> Vec<Beside> {
    let calls = first_calls(profile, cut.chosen.as_ref(), &cut.parts).into_iter();
    calls
        .filter_map(|(place, model)| {
            let provider = providers.get(&model.provider)?;
            let model = provider.known_name(&model);
            let facts = provider.facts(&model.model);
            let budget = prompt::budget(profile.context_tokens, facts.window);
            let sent = prompt::estimate(&prompt::messages(&profile.system, &cut.dialogue, budget));
            let usage = Usage::new(sent, 0);
            Some(Beside {
                id: Beside::id_of(cut.turn, cut.attempt, cut.step, place),
                user: cut.user,
                agent: cut.agent.clone(),
                of: Some((cut.session.clone(), cut.turn)),
                model,
                calls: 1,
                spent: Spent { usage, cost_usd: facts.price.map(|price| price.of(usage)) },
                known: Known::Foreseen,
                at,
            })
        })
        .collect()
}
