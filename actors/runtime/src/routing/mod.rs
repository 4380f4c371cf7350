//! Which models answer a turn, and why: rules, looked at once as it begins.
//!
//! A model that a message or its session names goes before every rule. Then come the rules of whoever asks, then those of
//! the config; the first that holds and whose models can take the turn decides, else the agent's own list stands. What was
//! decided is journaled with the turn's start, so that each of its attempts, in whatever life, goes the same way. All
//! rules are in memory: nobody is asked on the way of a turn, and where there are none nothing is looked at.

mod classify;
pub mod config;
mod cues;
mod explain;
mod language;
mod own;
#[cfg(test)]
mod tests;
mod weigh;

use std::fmt;
use std::sync::Arc;

use mosaic_providers::Provider;
use mosaic_store::Store;
use mosaic_types::attachment::AttachmentRow;
use mosaic_types::routing::{Need, Route, Rule, RuleSource, Task};
use mosaic_types::{AgentName, ChatMessage, ModelRef, UserId};

use crate::agent::{AgentProfile, Agents};
use crate::budget::{Budgets, Payer};
use crate::meters::meters;
use crate::provider::{ModelFacts, ProviderSettings, Providers};

pub use classify::{Classified, Classifier, Cues};
pub use explain::explain_alone;
use own::Own;
pub use weigh::Asked;
use weigh::{Facts, reason};

/// Bytes that are taken for a token, as for the prompt.
const TOKEN_BYTES: usize = 4;

/// The rules of this process, and what is known of the models that they name; clones share them.
#[derive(Clone, Default)]
pub struct Routing {
    shared: Option<Arc<Shared>>,
}

struct Shared {
    config: Vec<Rule>,
    own: Own,
    classifier: Box<dyn Classifier>,
    profiles: Profiles,
    providers: Providers,
    budgets: Budgets,
}

/// Finds an agent's profile.
type Profiles = Box<dyn Fn(&AgentName) -> Option<Arc<AgentProfile>> + Send + Sync>;

impl Shared {
    fn new(config: Vec<Rule>, profiles: Profiles, providers: Providers, budgets: Budgets) -> Self {
        Self { config, own: Own::default(), classifier: Box::new(Cues), profiles, providers, budgets }
    }
}

impl fmt::Debug for Routing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Routing")
    }
}

impl Routing {
    /// Decides by the rules of the config.
    pub fn new(config: Vec<Rule>, agents: Agents, providers: Providers, budgets: Budgets) -> Self {
        let profiles: Profiles = Box::new(move |name| agents.profile(name));
        Self { shared: Some(Arc::new(Shared::new(config, profiles, providers, budgets))) }
    }

    /// Decides by these rules for agents that no actor answers for, of whose models nothing is known.
    #[cfg(test)]
    pub(crate) fn of(
        config: Vec<Rule>,
        profiles: impl Fn(&AgentName) -> Option<Arc<AgentProfile>> + Send + Sync + 'static,
    ) -> Self {
        let (providers, budgets, profiles) = (Providers::default(), Budgets::default(), Box::new(profiles));
        Self { shared: Some(Arc::new(Shared::new(config, profiles, providers, budgets))) }
    }

    /// Whether there is any rule for this person.
    pub fn has_rules(&self, user: UserId) -> bool {
        self.shared.as_ref().is_some_and(|shared| !shared.config.is_empty() || shared.own.of(user).is_some())
    }

    /// Finds out what must be asked of the store before rules can be looked at: what became of a change of which nobody
    /// heard, and what was spent from budgets where a rule speaks of them. Where that cannot be read, such a rule does not
    /// hold.
    pub async fn look(&self, store: &dyn Store, payer: &Payer) {
        let Some(shared) = &self.shared else { return };
        if let Err(error) = shared.own.settle(store, payer.user).await {
            tracing::warn!(%error, "whether rules were changed is not known, so they hold as they were");
        }
        let own = shared.own.of(payer.user);
        let mut rules = own.iter().flat_map(|own| own.iter().map(|own| &own.rule)).chain(&shared.config);
        if rules.any(|rule| rule.budget_left_below.is_some())
            && let Err(failure) = shared.budgets.left(payer).await
        {
            tracing::warn!(%failure, "what is left of budgets is not known, so rules that speak of it do not hold");
        }
    }

    /// Decides which models answer; `None`: those of the agent.
    pub fn route(&self, asked: Asked<'_>) -> Option<Box<Route>> {
        let (route, task) = self.would(asked)?;
        meters().routed(route.as_ref().map(|route| route.source), task);
        route.map(Box::new)
    }

    /// What would be decided, and the task that was seen where a rule asked for it; `None`: no rules were looked at.
    pub(crate) fn would(&self, asked: Asked<'_>) -> Option<(Option<Route>, Option<Task>)> {
        let shared = self.shared.as_ref()?;
        let own = shared.own.of(asked.user);
        if shared.config.is_empty() && own.is_none() {
            return None;
        }
        let profile = (shared.profiles)(asked.agent)?;
        let own = own.iter().flat_map(|own| own.iter().map(|own| (RuleSource::User, &own.rule)));
        let rules = own.chain(shared.config.iter().map(|rule| (RuleSource::Config, rule)));
        let budget = || shared.budgets.least(&asked.payer());
        let facts = Facts::new(asked, &*shared.classifier, &budget);
        let lacks = |model: &ModelRef, needs: &[Need], tokens| lacks(&shared.providers, model, needs, tokens);
        let route = decide(&facts, rules, &profile, &lacks);
        Some((route, facts.task_seen()))
    }
}

/// The first rule that holds and whose models can take the turn.
fn decide<'r>(
    facts: &Facts<'_>,
    rules: impl Iterator<Item = (RuleSource, &'r Rule)>,
    profile: &AgentProfile,
    lacks: weigh::Lacks<'_>,
) -> Option<Route> {
    for (source, rule) in rules.filter(|(_, rule)| rule.enabled) {
        if facts.fails(rule).is_some() {
            continue;
        }
        let own = rule.models.is_empty();
        let (models, unfit) = if own { (profile.models.clone(), Vec::new()) } else { facts.fit(&rule.models, lacks) };
        if models.is_empty() {
            continue;
        }
        return Some(Route {
            rule: rule.name.to_string(),
            source,
            reason: reason(source, rule, &facts.why(rule), &unfit),
            models,
            strategy: rule.strategy.unwrap_or(profile.fanout.strategy),
            task: facts.task_seen(),
        });
    }
    None
}

/// What must be read of a turn at the least, in tokens.
pub fn tokens_of<'a>(texts: impl Iterator<Item = &'a str>) -> u64 {
    u64::try_from(texts.map(|text| text.len().div_ceil(TOKEN_BYTES)).sum::<usize>()).unwrap_or(u64::MAX)
}

/// As [`tokens_of`], of so many bytes of text that are attached.
pub fn read_of(attached: usize) -> u64 {
    u64::try_from(attached.div_ceil(TOKEN_BYTES)).unwrap_or(u64::MAX)
}

/// What messages need of a model by themselves.
pub fn needs_of<'a>(messages: impl IntoIterator<Item = &'a ChatMessage>) -> Vec<Need> {
    let sees =
        |message: &ChatMessage| !message.images.is_empty() || message.files.iter().any(AttachmentRow::is_picture);
    if messages.into_iter().any(sees) { vec![Need::Vision] } else { Vec::new() }
}

/// The text in files that are attached, in bytes.
pub fn attached<'a>(files: impl IntoIterator<Item = &'a AttachmentRow>) -> usize {
    let texts = files.into_iter().filter(|file| !file.is_picture());
    texts.map(|file| usize::try_from(file.size_bytes).unwrap_or(usize::MAX)).fold(0, usize::saturating_add)
}

/// Why a model of a running house cannot take a turn.
fn lacks(providers: &Providers, model: &ModelRef, needs: &[Need], tokens: u64) -> Option<String> {
    short(providers.get(&model.provider)?.facts(&model.model), needs, tokens)
}

/// Why a model of a provider that was only built cannot take a turn.
fn lacks_of(
    built: &[(Arc<dyn Provider>, ProviderSettings)],
    model: &ModelRef,
    needs: &[Need],
    tokens: u64,
) -> Option<String> {
    let (adapter, settings) = built.iter().find(|(adapter, _)| *adapter.name() == model.provider)?;
    short(settings.facts(&**adapter, &model.model), needs, tokens)
}

/// What a model is known to be short of. A need of which nothing is known is taken to be met, and so is JSON, which any
/// model writes.
fn short(facts: ModelFacts, needs: &[Need], tokens: u64) -> Option<String> {
    let missing = needs.iter().find_map(|need| match need {
        Need::Vision => (facts.vision == Some(false)).then_some("does not see pictures"),
        Need::Tools => (facts.tools == Some(false)).then_some("does not call tools"),
        Need::Thinking => (facts.reasoning == Some(false)).then_some("does not reason"),
        Need::Json => None,
    });
    if let Some(missing) = missing {
        return Some(missing.to_owned());
    }
    let window = facts.window.and_then(|tokens| u64::try_from(tokens).ok())?;
    // As for the prompt: an answer must fit too.
    (tokens > window / 5 * 4).then(|| format!("reads {window} tokens at once, too few for this"))
}
