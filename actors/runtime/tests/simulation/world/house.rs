//! One life of the process: the second floor, wired as the daemon does it, on this one thread.

use std::sync::Arc;
use std::time::Duration;

use actix::Arbiter;
use mosaic_runtime::agent::config::ToolUse;
use mosaic_runtime::provider::ProviderSettings;
use mosaic_runtime::session::config::SessionConfig;
use mosaic_runtime::{
    AgentProfile, Agents, Alone, Budgets, Doors, Hub, Leases, Loads, Outbox, OutboxActor, Providers, RecoveryActor,
    RouterActor, SessionActor, Sessions, Till, TillActor, Work, WriterActor,
};
use mosaic_store::{Store, StoreError};
use mosaic_supervise::{
    Budget, ChildSpec, ChildState, ChildView, Family, Link, Parent, Restart, Scope, Supervisor, SupervisorSpec,
};
use mosaic_types::{AgentName, ModelRef, Principal, ProviderName, UserId, UserRole};
use tokio::sync::watch;

use super::World;
use super::model::Models;
use super::store::{MemoryStore, lock};
use super::tools;

/// The name of an agent.
pub(crate) fn agent(number: usize) -> AgentName {
    format!("agent-{number}").parse().expect("a valid name")
}

/// The name of a provider.
pub(crate) fn provider(number: usize) -> ProviderName {
    format!("provider-{number}").parse().expect("a valid name")
}

/// For so long nothing may come of a model.
const SILENCE: Duration = Duration::from_secs(5);

/// A running house.
pub(crate) struct House {
    pub(crate) doors: Arc<Doors>,
    pub(crate) router: Link<RouterActor>,
    pub(crate) sessions: Sessions,
    pub(crate) root: Parent,
    pub(crate) who: Principal,
    /// Whether the root's budget is spent.
    pub(crate) spent: watch::Receiver<bool>,
}

impl House {
    /// Starts every actor and wakes the sessions whose turns were cut off.
    ///
    /// # Errors
    /// The store cannot be read: the process could not start.
    pub(crate) async fn start(world: &Arc<World>) -> Result<Self, StoreError> {
        let outside = world.outside();
        let store: Arc<dyn Store> = Arc::new(MemoryStore::new(world.tables.clone(), Some(world.clone())));
        let seed = u64::from_le_bytes(outside.bytes());
        let (tell, spent) = watch::channel(false);
        let root = Supervisor::start_root("root", Scope::Shared(Budget::default()), seed, move |_| {
            tell.send_replace(true);
        });
        let family = |name| SupervisorSpec::new(name, Scope::Each(Budget::default())).seed(seed);

        let written = store.clone();
        let writer = root.adopt(ChildSpec::new("writer", Restart::Permanent, WriterActor::MAILBOX, move |birth| {
            WriterActor::new(written.clone(), birth.tether)
        }));
        let plan = &world.plan;
        let built = (0..plan.providers).map(|number| {
            let settings = ProviderSettings {
                max_in_flight: plan.places,
                idle: SILENCE,
                models: Default::default(),
                limits: Default::default(),
            };
            (Arc::new(Models::new(provider(number), world.clone())) as Arc<dyn mosaic_providers::Provider>, settings)
        });
        let providers = Providers::start(&root.adopt_supervisor(family("providers")), built.collect());
        let allowed = if plan.tools > 0 { tools::NAMES.map(str::to_owned).into() } else { Vec::new() };
        let profiles = (0..plan.agents).map(|number| AgentProfile {
            tools: ToolUse { allowed: allowed.clone(), max_steps: tools::STEPS },
            name: agent(number),
            system: "".into(),
            // Every other agent has a model to fall back to.
            models: (number..=number + 1 - number % 2).map(|first| model(first % plan.providers)).collect(),
            fanout: Default::default(),
            queue: plan.agents_modes[number % plan.agents_modes.len()],
            context_tokens: 256,
            max_output_tokens: None,
            temperature: None,
            reuse: None,
        });
        let agents = Agents::start(&root.adopt_supervisor(family("agents")), profiles.collect(), None);
        let (hub, leases, work) = (Hub::default(), Leases::default(), Work::default());
        let (alone, loads, till) = (Alone::default(), Loads::default(), Till::default());
        let outbox = Outbox::new(&outside);
        let budgets = Budgets::default();
        let doors = Arc::new(Doors {
            tools: tools::all(world),
            outside,
            store,
            writer,
            hub,
            leases,
            alone,
            loads,
            outbox,
            agents,
            providers,
            work,
            till,
            budgets,
            routing: mosaic_runtime::Routing::default(),
        });
        let (lent, config) = (doors.clone(), SessionConfig { idle: plan.idle, debounce: plan.debounce });
        let sessions: Sessions = Family::new(
            root.adopt_supervisor(family("sessions")),
            Restart::Transient,
            SessionActor::MAILBOX,
            |_| Arbiter::current(),
            move |id, birth| SessionActor::new(id, lent.clone(), &config, birth),
        );
        let (lent, woken) = (doors.clone(), sessions.clone());
        let router = root.adopt(ChildSpec::new("router", Restart::Permanent, RouterActor::MAILBOX, move |birth| {
            RouterActor::new(lent.clone(), woken.clone(), birth.tether)
        }));
        let who = Principal { user: UserId(uuid::Uuid::from_u128(1)), role: UserRole::Owner };
        for session in doors.store.unfinished().await? {
            sessions.open(&session);
        }
        let (lent, woken) = (doors.clone(), sessions.clone());
        root.adopt(ChildSpec::new("recovery", Restart::Permanent, RecoveryActor::MAILBOX, move |birth| {
            RecoveryActor::new(lent.clone(), woken.clone(), birth.tether)
        }));
        let lent = doors.clone();
        root.adopt(ChildSpec::new("ledger", Restart::Permanent, TillActor::MAILBOX, move |birth| {
            TillActor::new(lent.clone(), birth.tether)
        }));
        let lent = doors.clone();
        root.adopt(ChildSpec::new("outbox", Restart::Permanent, OutboxActor::MAILBOX, move |birth| {
            OutboxActor::new(lent.clone(), birth.tether)
        }));
        Ok(Self { doors, router, sessions, root, who, spent })
    }

    /// What is not zero though nobody works any more; `None`: all is.
    pub(crate) async fn left_over(&self, world: &World) -> Option<String> {
        let Doors { hub, leases, alone, work, providers, till, .. } = &*self.doors;
        let counts = [
            ("sessions awake", self.sessions.len()),
            ("leases", leases.len()),
            ("turns that wait to begin alone", alone.waiting().len()),
            ("readers", hub.readers()),
            ("sessions in the hub", hub.len()),
            ("sessions in doubt", hub.doubted().len()),
            ("work under way", work.running()),
            ("entries that are not in the ledger", till.len()),
            ("sessions with open turns", lock(&world.tables).unfinished().len()),
        ];
        if let Some((what, count)) = counts.into_iter().find(|(_, count)| *count > 0) {
            return Some(format!("{count} {what}"));
        }
        if !world.is_silent() {
            return Some("a model that is still at work".to_owned());
        }
        let nobodys: Arc<str> = "nobody's".into();
        for provider in providers.all() {
            let mut permits = Vec::new();
            for _ in 0..world.plan.places {
                let asked =
                    tokio::time::timeout(Duration::from_millis(1), provider.permit(&nobodys, nobodys.clone(), 0));
                match asked.await {
                    Ok(Ok(permit)) => permits.push(permit),
                    _ => return Some(format!("a place of {} is not free", provider.adapter.name())),
                }
            }
        }
        uneven(&self.root.tree().await)
    }
}

/// A child that has not come back, or with which something waits.
fn uneven(view: &ChildView) -> Option<String> {
    if view.state != ChildState::Up || view.depth > 0 {
        return Some(format!("{}: {:?} with a depth of {}", view.name, view.state, view.depth));
    }
    view.children().iter().find_map(uneven)
}

fn model(of: usize) -> ModelRef {
    ModelRef { provider: provider(of), model: "m".into() }
}
