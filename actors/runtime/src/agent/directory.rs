//! The agents there are, and the way to a run of one.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use mosaic_messages::{RunBegan, RunId};
use mosaic_supervise::{ChildExited, ChildId, ChildSpec, Link, Parent, Restart, Tether};
use mosaic_types::{AgentName, Code, Failure};
use tokio::sync::watch;

use super::actor::AgentActor;
use super::profile::AgentProfile;
use super::run::{RunActor, RunOrder};
use crate::doors::unreached;
use crate::provider::Providers;

struct AgentHandle {
    profile: Arc<watch::Sender<Arc<AgentProfile>>>,
    link: Link<AgentActor>,
}

/// The agents there are; cheap to clone.
#[derive(Clone, Default)]
pub struct Agents {
    by_name: Arc<BTreeMap<AgentName, AgentHandle>>,
    default: Option<AgentName>,
    next_run: Arc<AtomicU64>,
}

impl Agents {
    /// Starts an actor for each agent under `family`.
    pub fn start(family: &Parent, profiles: Vec<AgentProfile>, default: Option<AgentName>) -> Self {
        let by_name = profiles.into_iter().map(|profile| {
            let name = profile.name.clone();
            let published = Arc::new(watch::channel(Arc::new(profile)).0);
            let publish = published.clone();
            let spec = ChildSpec::new(name.as_str(), Restart::Permanent, AgentActor::MAILBOX, move |birth| {
                AgentActor::new(publish.clone(), birth.tether)
            });
            (name, AgentHandle { profile: published, link: family.adopt(spec) })
        });
        Self { by_name: Arc::new(by_name.collect()), default, next_run: Arc::default() }
    }

    /// The agent that answers where none is named.
    pub fn default_name(&self) -> Option<&AgentName> {
        self.default.as_ref()
    }

    /// Gives agents that there are another profile each, from their next run on. One that there is not is passed over.
    pub fn publish(&self, profiles: Vec<AgentProfile>) {
        for profile in profiles {
            if let Some(agent) = self.by_name.get(&profile.name) {
                agent.profile.send_replace(Arc::new(profile));
            }
        }
    }

    /// The present profile of an agent.
    pub fn profile(&self, name: &AgentName) -> Option<Arc<AgentProfile>> {
        self.by_name.get(name).map(|agent| agent.profile.borrow().clone())
    }

    /// The present profiles, in the order of their names.
    pub fn profiles(&self) -> Vec<Arc<AgentProfile>> {
        self.by_name.values().map(|agent| agent.profile.borrow().clone()).collect()
    }

    /// The agent of that name, or the default one.
    ///
    /// # Errors
    /// `agent_not_found`, with those there are.
    pub fn choose(&self, wish: Option<AgentName>) -> Result<AgentName, Failure> {
        match wish {
            Some(name) if self.by_name.contains_key(&name) => Ok(name),
            Some(name) => Err(self.unknown(&name)),
            None => self.default.clone().ok_or_else(|| {
                let sentence = "No default agent is set: name one, or set default_agent in the config.";
                Failure::new(Code::AgentNotFound, sentence)
            }),
        }
    }

    fn unknown(&self, name: &AgentName) -> Failure {
        let known: Vec<_> = self.by_name.keys().map(AgentName::as_str).collect();
        let sentence = format!("There is no agent {name}. Those there are: {}.", known.join(", "));
        Failure::new(Code::AgentNotFound, sentence)
    }

    /// Why an agent cannot take work; `None`: it can.
    pub fn down(&self, name: &AgentName) -> Option<Arc<str>> {
        self.by_name.get(name).and_then(|agent| agent.link.down())
    }

    /// A number for a run to come.
    pub fn next_run(&self) -> RunId {
        RunId(self.next_run.fetch_add(1, Ordering::Relaxed))
    }

    /// Starts a run on this thread's arbiter, as a child of its agent.
    ///
    /// # Errors
    /// The agent is not configured, or it is down.
    pub async fn run(&self, name: &AgentName, providers: Providers, order: RunOrder) -> Result<(), Failure> {
        let agent = self.by_name.get(name).ok_or_else(|| self.unknown(name))?;
        agent.link.up().await.map_err(|error| unreached(&format!("The agent {name}"), &error))?;
        let run = order.run;
        let tether = match agent.link.recipient::<ChildExited>() {
            Some(parent) => Tether::new(ChildId(run.0), 1, parent),
            None => Tether::loose(),
        };
        let profile = agent.profile.borrow().routed(order.route.as_deref());
        // Told past the bound: the work itself is bounded by the sessions' and the gateway's own queues.
        let _ = agent.link.control(RunBegan { run });
        RunActor::begin(profile, providers, order, tether);
        Ok(())
    }
}
