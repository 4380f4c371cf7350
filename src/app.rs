//! The only wiring: which actors there are, who answers for them, and in which order they start and stop.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use actix::Arbiter;
use mosaic_providers::config::ProviderConfig;
use mosaic_providers::registry;
use mosaic_runtime::provider::{Limits, ModelFacts, ProviderSettings};
use mosaic_runtime::session::config::SessionConfig;
use mosaic_runtime::{
    AgentProfile, Agents, Alone, Arbiters, Budgets, Doors, Hub, Leases, Loads, Outbox, OutboxActor, Providers,
    RecoveryActor, Reuse, RouterActor, Routing, SessionActor, Sessions, Till, TillActor, Work, WriterActor,
};
use mosaic_store::{Store, StoreError};
use mosaic_supervise::{Budget, ChildSpec, Family, Link, Parent, Restart, Scope, Supervisor, SupervisorSpec, Watchdog};
use mosaic_tools::Tools;
use mosaic_tools::registry::Ground;
use mosaic_types::journal::{NewUser, Write};
use mosaic_types::{Failure, ModelRef, Outside, Point, Principal, ProviderName, UserId, UserRole};
use tokio::sync::watch;

use crate::channels::{self, Channel};
use crate::config::{Config, Env};
use crate::detect;
use crate::gateway::{Before, Gate, Listed, Principals};
use crate::owner::HomeOwner;
use crate::setup::Setup;

/// Why the daemon could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("{0}")]
    Refused(#[from] Failure),
    #[error("provider {name}: {why}")]
    Provider { name: String, why: String },
    #[error("the notes of calls that are not in the ledger yet, {path}: {source}")]
    Till { path: PathBuf, source: io::Error },
}

/// Where calls are noted in the home until they are in the ledger.
const TILL: &str = "till";

/// A running house: every actor but the listener.
pub struct App {
    pub doors: Arc<Doors>,
    pub router: Link<RouterActor>,
    pub sessions: Sessions,
    /// Whose the home is.
    pub owner: HomeOwner,
    /// How the providers were found, where none was configured; in sentences.
    pub found: Vec<String>,
    /// The supervisor above all.
    pub root: Parent,
    /// How a provider is added while the house runs.
    setup: Arc<Setup>,
    /// The bridges to people, where they are open.
    channels: Arc<[Channel]>,
    fatal: watch::Receiver<Option<Arc<str>>>,
    /// Names the handler that holds a thread; none where the system gave no thread for it.
    _watchdog: Option<Watchdog>,
    /// Threads of the sessions; they end with the house.
    _arbiters: Arc<Arbiters>,
}

impl App {
    /// Opens the store and starts every actor. Nothing is resumed yet, see [`App::recover`].
    ///
    /// # Errors
    /// The store cannot be opened, or a provider cannot be built.
    pub async fn start(config: &Config, env: &Env, outside: Outside) -> Result<Self, StartError> {
        let store = config.store.place.open().await?;
        let (providers, found, first) = providers(config, env).await?;

        let seed = u64::from_le_bytes(outside.bytes());
        let (tell, fatal) = watch::channel(None);
        let root = Supervisor::start_root("root", Scope::Shared(Budget::default()), seed, move |why| {
            tell.send_replace(Some(why));
        });
        let family = |name| SupervisorSpec::new(name, Scope::Each(Budget::default())).seed(seed);

        let written = store.clone();
        let writer = root.adopt(ChildSpec::new("writer", Restart::Permanent, WriterActor::MAILBOX, move |birth| {
            let writer = WriterActor::new(written.clone(), birth.tether);
            // What group commit is worth is measured against batches of one.
            #[cfg(feature = "chaos")]
            if let Some(most) = std::env::var("MOSAIC_COMMIT_BATCH").ok().and_then(|most| most.parse().ok()) {
                return writer.in_batches_of(most);
            }
            writer
        }));
        let providers = Providers::start(&root.adopt_supervisor(family("providers")), providers);
        let profiles = profiles(config, &first);
        let agents = root.adopt_supervisor(family("agents"));
        let agents = Agents::start(&agents, profiles, Some(config.default_agent.clone()));
        let budgets = Budgets::new(&config.budgets, store.clone(), outside.clone());
        let rules = config.routing.rules.clone();
        let routing = Routing::new(rules, agents.clone(), providers.clone(), budgets.clone());
        routing.load(&*store).await?;
        let path = config.home.join(TILL);
        let (till, left) = Till::noted_at(&path).map_err(|source| StartError::Till { path, source })?;
        let tools = Tools::all(&Ground { outside: &outside, home: &config.home });
        let doors = Arc::new(Doors {
            outbox: Outbox::new(&outside),
            outside,
            store,
            writer,
            hub: Hub::default(),
            leases: Leases::default(),
            alone: Alone::default(),
            loads: Loads::default(),
            agents,
            providers,
            work: Work::default(),
            till,
            budgets,
            routing,
            tools,
        });
        // Before budgets look at what was spent.
        Till::enter_left(&doors, left).await;
        // Before the sessions, so that it is there when their last runs have ended.
        let paid = doors.clone();
        root.adopt(ChildSpec::new("ledger", Restart::Permanent, TillActor::MAILBOX, move |birth| {
            TillActor::new(paid.clone(), birth.tether)
        }));
        let arbiters = Arc::new(Arbiters::start(config.gateway.workers));
        let watchdog = watchdog(&arbiters);
        let sessions = root.adopt_supervisor(family("sessions"));
        let sessions = self::sessions(sessions, &doors, &arbiters, &config.session);
        let (routed, woken) = (doors.clone(), sessions.clone());
        let router = root.adopt(ChildSpec::new("router", Restart::Permanent, RouterActor::MAILBOX, move |birth| {
            RouterActor::new(routed.clone(), woken.clone(), birth.tether)
        }));
        let (lent, watched) = (doors.clone(), sessions.clone());
        root.adopt(ChildSpec::new("recovery", Restart::Permanent, RecoveryActor::MAILBOX, move |birth| {
            RecoveryActor::new(lent.clone(), watched.clone(), birth.tether)
        }));
        let delivered = doors.clone();
        root.adopt(ChildSpec::new("outbox", Restart::Permanent, OutboxActor::MAILBOX, move |birth| {
            OutboxActor::new(delivered.clone(), birth.tether)
        }));
        let setup = Arc::new(Setup::new(config, env));
        let owner = HomeOwner::new(owner(&*doors.store, &doors.outside).await?);
        let channels = Arc::new([]);
        Ok(Self {
            doors,
            router,
            sessions,
            owner,
            found,
            root,
            setup,
            channels,
            fatal,
            _watchdog: watchdog,
            _arbiters: arbiters,
        })
    }

    /// Opens the bridges to people: a daemon does, a command that takes one turn does not.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn open_channels(&mut self, config: &Config) -> Result<(), StoreError> {
        let known = self.doors.store.pairings().await?;
        let each = SupervisorSpec::new("channels", Scope::Each(Budget::default()));
        let family = self.root.adopt_supervisor(each.seed(u64::from_le_bytes(self.doors.outside.bytes())));
        self.channels =
            channels::start(&family, &config.channels, &self.doors, &self.router, &self.owner, &known).into();
        Ok(())
    }

    /// Wakes the sessions with turns that were cut off; each resumes by itself. Answers how many there are.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn recover(&self) -> Result<usize, StoreError> {
        let unfinished = self.doors.store.unfinished().await?;
        Point::RecoverBefore.pass();
        for session in &unfinished {
            self.sessions.open(session);
        }
        Ok(unfinished.len())
    }

    /// What the listener's handlers may use.
    pub fn gate(&self, principals: Principals) -> Gate {
        Gate {
            doors: self.doors.clone(),
            owner: self.owner.clone(),
            router: self.router.clone(),
            sessions: self.sessions.clone(),
            principals,
            setup: self.setup.clone(),
            channels: self.channels.clone(),
            began: self.doors.outside.now(),
            before: Before::default(),
            listed: Listed::default(),
            root: self.root.clone(),
        }
    }

    /// The one whose home this is.
    pub fn owner(&self) -> Principal {
        self.owner.principal()
    }

    /// Resolves with the reason when the root's restart budget is spent.
    pub async fn failed(&self) -> Arc<str> {
        let mut fatal = self.fatal.clone();
        match fatal.wait_for(Option::is_some).await {
            Ok(why) => why.clone().unwrap_or_default(),
            Err(_) => "the root supervisor ended".into(),
        }
    }

    /// Refuses new work and gives what runs `grace` to finish. Answers how many turns were left.
    pub async fn drain(&self, grace: Duration) -> usize {
        self.doors.work.drain();
        Point::DrainBegun.pass();
        let _ = tokio::time::timeout(grace, self.doors.work.idle()).await;
        Point::DrainOver.pass();
        self.doors.work.running()
    }

    /// Stops every actor, the last started first. What was running resumes after the next start.
    pub async fn stop(&self) {
        self.root.stop().await;
        // Who still waits for a turn is told now that it does not end in this life.
        self.doors.hub.close_all();
        // The writer has stopped, and nobody else writes: the last that was spent is entered from here.
        while let entries = self.doors.till.take()
            && !entries.is_empty()
        {
            if let Err(error) = self.doors.store.commit(vec![Write::Spend(entries)]).await {
                tracing::warn!(%error, "what was spent last could not be entered into the ledger");
                break;
            }
            self.doors.till.entered();
        }
        Point::DrainStopped.pass();
    }
}

/// Providers, built and with what the config says of each.
pub(crate) type Built = Vec<(Arc<dyn mosaic_providers::Provider>, ProviderSettings)>;

/// The configured providers, or those that can be found. Answers also the models for agents that name none.
pub(crate) async fn providers(config: &Config, env: &Env) -> Result<(Built, Vec<String>, Vec<ModelRef>), StartError> {
    let mut configured = config.providers.clone();
    let mut found = Vec::new();
    let mut first: Vec<ModelRef> = Vec::new();
    if configured.is_empty() && config.detect {
        for detected in detect::detect(env, detect::KEYS, detect::LOCALS).await {
            first.push(detected.model_ref());
            configured.insert(detected.name.clone(), detected.provider());
            found.push(detected.found_by);
        }
    } else {
        first = first_models(config);
    }
    let mut built = Vec::new();
    for (name, provider) in configured {
        built.push(build(name, provider)?);
    }
    Ok((built, found, first))
}

/// One provider as its table says.
pub(crate) fn build(
    name: ProviderName,
    provider: ProviderConfig,
) -> Result<(Arc<dyn mosaic_providers::Provider>, ProviderSettings), StartError> {
    let spec = provider.spec(name.clone());
    let adapter =
        registry::build(provider.kind, spec).map_err(|why| StartError::Provider { name: name.to_string(), why })?;
    let facts = |model: mosaic_providers::config::ModelConfig| ModelFacts {
        window: model.context_tokens.and_then(|tokens| usize::try_from(tokens).ok()),
        output_tokens: model.output_tokens,
        price: model.price,
        vision: model.vision,
        ..ModelFacts::default()
    };
    let models = provider.models.into_iter().map(|(name, model)| (name.into(), facts(model))).collect();
    let limits =
        Limits { requests_per_minute: provider.requests_per_minute, tokens_per_minute: provider.tokens_per_minute };
    let (max_in_flight, idle) = (provider.max_in_flight, provider.idle_timeout);
    Ok((adapter, ProviderSettings { max_in_flight, idle, models, limits }))
}

/// What agents that name no models have, where the config names providers: the first model of each.
pub(crate) fn first_models(config: &Config) -> Vec<ModelRef> {
    let first = |(name, provider): (&ProviderName, &ProviderConfig)| ModelRef {
        provider: name.clone(),
        model: provider.models.keys().next().map_or(ModelRef::AUTO, String::as_str).into(),
    };
    config.providers.iter().map(first).collect()
}

/// The configured agents; one that names no models has those of `first`.
pub(crate) fn profiles(config: &Config, first: &[ModelRef]) -> Vec<AgentProfile> {
    // Of all agents together: what they are told apart by is part of what is asked.
    let reuse = Reuse::new(config.reuse);
    let profile =
        |(name, agent): (&mosaic_types::AgentName, &mosaic_runtime::agent::config::AgentConfig)| AgentProfile {
            name: name.clone(),
            system: agent.system.as_str().into(),
            models: if agent.models.is_empty() { first.to_vec() } else { agent.models.clone() },
            fanout: agent.fanout.clone(),
            queue: agent.queue,
            context_tokens: usize::try_from(agent.context_tokens).unwrap_or(usize::MAX),
            max_output_tokens: agent.max_output_tokens,
            temperature: agent.temperature,
            reuse: agent.reuse.then(|| reuse.clone()),
            tools: agent.tools.clone(),
        };
    config.agents.iter().map(profile).collect()
}

/// Watches every thread on which actors live.
fn watchdog(arbiters: &Arbiters) -> Option<Watchdog> {
    let started = Watchdog::start(|_| {});
    let watchdog =
        started.inspect_err(|error| tracing::warn!(%error, "no watchdog: a held thread is not named")).ok()?;
    watchdog.watch("main", &Arbiter::current());
    for (number, arbiter) in arbiters.all().enumerate() {
        watchdog.watch(format!("sessions-{number}"), &arbiter);
    }
    Some(watchdog)
}

fn sessions(parent: Parent, doors: &Arc<Doors>, arbiters: &Arc<Arbiters>, config: &SessionConfig) -> Sessions {
    let (doors, config, arbiters) = (doors.clone(), config.clone(), arbiters.clone());
    Family::new(
        parent,
        Restart::Transient,
        SessionActor::MAILBOX,
        move |id| arbiters.of(id),
        move |id, birth| SessionActor::new(id, doors.clone(), &config, birth),
    )
}

/// The owner, made at the first start.
pub(crate) async fn owner(store: &dyn Store, outside: &Outside) -> Result<UserId, StoreError> {
    if let Some(owner) = store.owner().await? {
        return Ok(owner);
    }
    let id = outside.user_id();
    let user = NewUser { id, name: "owner".to_owned(), role: UserRole::Owner, at: outside.now() };
    store.commit(vec![Write::CreateUser(user)]).await?.into_iter().collect::<Result<Vec<_>, _>>()?;
    Ok(id)
}
