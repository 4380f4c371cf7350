//! What would become of a text, rule by rule.

use std::sync::Arc;

use mosaic_providers::Provider;
use mosaic_types::routing::{EffectiveRule, Explained, Need, Rule, RuleSource, Verdict, Weighed};
use mosaic_types::{Code, Failure, ModelRef, UserId};

use super::classify::Cues;
use super::weigh::{Asked, Facts, Lacks};
use super::{Routing, decide, lacks, lacks_of};
use crate::agent::AgentProfile;
use crate::provider::ProviderSettings;

impl Routing {
    /// The rules that hold for a person, in the order in which they are looked at.
    pub fn effective(&self, user: UserId) -> Vec<EffectiveRule> {
        let Some(shared) = &self.shared else { return Vec::new() };
        let missing = |model: &ModelRef| {
            shared.providers.get(&model.provider).is_none().then(|| format!("there is no provider {}", model.provider))
        };
        let own = shared.own.of(user);
        let own = own.iter().flat_map(|own| own.iter().map(|own| (RuleSource::User, Some(own.id), &own.rule)));
        let placed = own.chain(shared.config.iter().map(|rule| (RuleSource::Config, None, rule))).enumerate();
        placed.map(|(at, (source, id, rule))| EffectiveRule::of(at + 1, source, id, rule, missing)).collect()
    }

    /// Says where a text would go and why, as it is decided for turns.
    ///
    /// # Errors
    /// There is no such agent.
    pub fn explain(&self, asked: Asked<'_>) -> Result<Explained, Failure> {
        let profile = self.shared.as_ref().and_then(|shared| (shared.profiles)(asked.agent));
        let (Some(shared), Some(profile)) = (&self.shared, profile) else {
            return Err(Failure::new(Code::AgentNotFound, format!("There is no agent {}.", asked.agent)));
        };
        let budget = || shared.budgets.least(&asked.payer());
        let facts = Facts::new(asked, &*shared.classifier, &budget);
        let own = shared.own.of(asked.user);
        let own = own.iter().flat_map(|own| own.iter().map(|own| (RuleSource::User, &own.rule)));
        let rules: Vec<_> = own.chain(shared.config.iter().map(|rule| (RuleSource::Config, rule))).collect();
        let lacks = |model: &ModelRef, needs: &[Need], tokens| lacks(&shared.providers, model, needs, tokens);
        Ok(explain(&facts, &rules, &profile, &lacks))
    }
}

/// The same of a config that no daemon runs with: its rules, one of its agents, and its providers, of which nobody is
/// asked anything.
pub fn explain_alone(
    rules: &[Rule],
    profile: &AgentProfile,
    providers: &[(Arc<dyn Provider>, ProviderSettings)],
    asked: Asked<'_>,
) -> Explained {
    let budget = || None;
    let facts = Facts::new(asked, &Cues, &budget);
    let rules: Vec<_> = rules.iter().map(|rule| (RuleSource::Config, rule)).collect();
    let lacks = |model: &ModelRef, needs: &[Need], tokens| lacks_of(providers, model, needs, tokens);
    explain(&facts, &rules, profile, &lacks)
}

pub(super) fn explain(
    facts: &Facts<'_>,
    rules: &[(RuleSource, &Rule)],
    profile: &AgentProfile,
    lacks: Lacks<'_>,
) -> Explained {
    let route = decide(facts, rules.iter().copied(), profile, lacks);
    let mut decided = false;
    let weighed = rules.iter().map(|(source, rule)| {
        let (verdict, why) = weigh(facts, rule, profile, lacks);
        let holds = verdict == Verdict::Holds;
        let verdict = if holds && !decided { Verdict::Decides } else { verdict };
        decided |= holds;
        Weighed { rule: rule.name.to_string(), source: *source, verdict, why }
    });
    let rules = weighed.collect();
    let task = facts.task().clone();
    let asked = &facts.asked;
    let (models, strategy, reason) = match route {
        Some(route) => (route.models, route.strategy, route.reason),
        None => {
            let reason = format!("no rule decides, so the agent {} does", profile.name);
            (profile.models.clone(), profile.fanout.strategy, reason)
        }
    };
    Explained {
        task: task.task,
        confidence: task.confidence,
        cues: task.cues.into_iter().map(Into::into).collect(),
        language: facts.language(),
        chars: facts.chars(),
        needs: asked.needs.to_vec(),
        agent: asked.agent.clone(),
        channel: asked.channel.to_owned(),
        at: asked.at,
        budget_left: facts.budget_left(),
        rules,
        models,
        strategy,
        reason,
    }
}

/// What becomes of one rule, were it alone.
fn weigh(facts: &Facts<'_>, rule: &Rule, profile: &AgentProfile, lacks: Lacks<'_>) -> (Verdict, String) {
    if !rule.enabled {
        return (Verdict::Off, "it is switched off".to_owned());
    }
    if let Some(failed) = facts.fails(rule) {
        return (Verdict::Fails, facts.why_not(rule, failed));
    }
    if rule.models.is_empty() {
        return match profile.models.is_empty() {
            true => (Verdict::Unfit, format!("the agent {} has no models", profile.name)),
            false => (Verdict::Holds, facts.why(rule)),
        };
    }
    let (fit, unfit) = facts.fit(&rule.models, lacks);
    if fit.is_empty() {
        return (Verdict::Unfit, unfit.join("; "));
    }
    let left_out: String = unfit.iter().map(|why| format!("; {why}")).collect();
    (Verdict::Holds, format!("{}{left_out}", facts.why(rule)))
}
