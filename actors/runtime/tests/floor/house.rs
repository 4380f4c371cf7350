//! The second floor, wired as the daemon does it.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering};

use mosaic_messages::{Accepted, SubmitTurn};
use mosaic_runtime::events::Interest;
use mosaic_runtime::provider::ProviderSettings;
use mosaic_runtime::session::config::SessionConfig;
use mosaic_runtime::{
    AgentProfile, Agents, Alone, Arbiters, Budgets, Doors, Hub, Leases, Loads, Outbox, OutboxActor, Providers, Reader,
    RouterActor, SessionActor, Sessions, Till, Work, WriterActor,
};
use mosaic_supervise::{Budget, ChildSpec, Family, Link, Parent, Restart, Scope, Supervisor};
use mosaic_types::journal::{API_CHANNEL, InboxKey, NewSession, NewUser, Write};
use mosaic_types::page::Limit;
use mosaic_types::{
    AgentName, Chance, Clock, EventBody, ModelRef, Outside, Principal, ProviderName, QueueMode, SessionId, Timestamp,
    UserRole,
};
use tokio::sync::watch;

use crate::PATIENCE;
use crate::panic::{Panic, When};
use crate::platform::{Bridge, Platform};

/// Time and chance that never repeat.
#[derive(Default)]
struct Tick(AtomicI64, AtomicU64);

impl Clock for Tick {
    fn now(&self) -> Timestamp {
        Timestamp(1_700_000_000_000_000 + self.0.fetch_add(1_000, Ordering::Relaxed))
    }
}

impl Chance for Tick {
    fn fill(&self, bytes: &mut [u8]) {
        for part in bytes.chunks_mut(8) {
            let drawn = self.1.fetch_add(1, Ordering::Relaxed).to_be_bytes();
            part.copy_from_slice(&drawn[8 - part.len()..]);
        }
    }
}

/// A world of its own.
pub(crate) fn tick() -> Outside {
    let tick = Arc::new(Tick::default());
    Outside::new(tick.clone(), tick)
}

/// The floor under test.
pub(crate) struct House {
    pub(crate) doors: Arc<Doors>,
    pub(crate) router: Link<RouterActor>,
    pub(crate) sessions: Sessions,
    parents: Vec<Parent>,
    pub(crate) who: Principal,
    pub(crate) provider: Arc<Panic>,
    pub(crate) gate: watch::Sender<bool>,
    _arbiters: Arc<Arbiters>,
}

impl House {
    pub(crate) async fn start(when: When, times: usize) -> Self {
        Self::open("sqlite::memory:", Path::new("."), when, times).await
    }

    /// With a database in a file, each commit of which is a sync.
    pub(crate) async fn start_in(folder: &Path, when: When, times: usize) -> Self {
        Self::open("sqlite://mosaic.db", folder, when, times).await
    }

    async fn open(url: &str, folder: &Path, when: When, times: usize) -> Self {
        let store = mosaic_store::open(url, folder).await.expect("a database");
        let outside = tick();
        let (gate, closed) = watch::channel(false);
        let name: ProviderName = "lab".parse().expect("valid");
        let (left, calls) = (AtomicUsize::new(times), AtomicUsize::new(0));
        let provider = Arc::new(Panic { name: name.clone(), when, left, calls, gate: closed });

        let root = Supervisor::start_root("root", Scope::Shared(Budget::default()), 7, |why| panic!("{why}"));
        let family = |name| Supervisor::start_root(name, Scope::Each(Budget::default()), 7, |_| {});
        let (provider_family, agent_family, session_family) =
            (family("providers"), family("agents"), family("sessions"));
        let written = store.clone();
        let writer = root.adopt(ChildSpec::new("writer", Restart::Permanent, WriterActor::MAILBOX, move |birth| {
            WriterActor::new(written.clone(), birth.tether)
        }));
        let settings = ProviderSettings {
            max_in_flight: 64,
            idle: PATIENCE,
            models: Default::default(),
            limits: Default::default(),
        };
        let providers = Providers::start(&provider_family, vec![(provider.clone(), settings)]);
        let agent: AgentName = "assistant".parse().expect("valid");
        let profile = AgentProfile {
            tools: Default::default(),
            name: agent.clone(),
            system: "".into(),
            models: vec![ModelRef { provider: name, model: "m".into() }],
            fanout: Default::default(),
            queue: QueueMode::Queue,
            context_tokens: 4_096,
            max_output_tokens: None,
            temperature: None,
            reuse: None,
        };
        let agents = Agents::start(&agent_family, vec![profile], Some(agent));
        let (hub, work) = (Hub::default(), Work::default());
        let doors = Arc::new(Doors {
            tools: Default::default(),
            outside: outside.clone(),
            store,
            writer,
            hub,
            leases: Leases::default(),
            alone: Alone::default(),
            outbox: Outbox::new(&outside),
            loads: Loads::default(),
            agents,
            providers,
            work,
            till: Till::default(),
            budgets: Budgets::default(),
            routing: mosaic_runtime::Routing::default(),
        });
        let arbiters = Arc::new(Arbiters::start(2));
        let (lent, placed) = (doors.clone(), arbiters.clone());
        let sessions: Sessions = Family::new(
            session_family.clone(),
            Restart::Transient,
            SessionActor::MAILBOX,
            move |id| placed.of(id),
            move |id, birth| SessionActor::new(id, lent.clone(), &SessionConfig::default(), birth),
        );
        let (lent, routed) = (doors.clone(), sessions.clone());
        let router = root.adopt(ChildSpec::new("router", Restart::Permanent, RouterActor::MAILBOX, move |birth| {
            RouterActor::new(lent.clone(), routed.clone(), birth.tether)
        }));
        let lent = doors.clone();
        root.adopt(ChildSpec::new("outbox", Restart::Permanent, OutboxActor::MAILBOX, move |birth| {
            OutboxActor::new(lent.clone(), birth.tether)
        }));
        let who = Principal { user: outside.user_id(), role: UserRole::Owner };
        let user = NewUser { id: who.user, name: "ada".into(), role: UserRole::Owner, at: outside.now() };
        doors.commit(Write::CreateUser(user)).await.expect("it is written");
        let parents = vec![root, provider_family, agent_family, session_family];
        Self { doors, router, sessions, parents, who, provider, gate, _arbiters: arbiters }
    }

    /// A channel to a platform.
    pub(crate) fn channel(&self, name: &str, platform: &Arc<Platform>) {
        let lent = platform.clone();
        let spec = ChildSpec::new(name, Restart::Permanent, Bridge::MAILBOX, move |birth| {
            Bridge::new(lent.clone(), birth.tether)
        });
        self.doors.outbox.connect(name, Arc::new(self.parents[0].adopt(spec)));
    }

    pub(crate) async fn session(&self) -> SessionId {
        let id = self.doors.outside.session_id();
        let new = NewSession {
            id: id.clone(),
            user: self.who.user,
            channel: API_CHANNEL.into(),
            agent: "assistant".parse().expect("valid"),
            title: String::new(),
            at: self.doors.outside.now(),
        };
        self.doors.commit(Write::CreateSession(new)).await.expect("it is written");
        id
    }

    /// An input that is like no other.
    pub(crate) fn input(&self, session: &SessionId, text: &str) -> SubmitTurn {
        let turn = self.doors.outside.turn_id();
        SubmitTurn {
            session: session.clone(),
            from: self.who,
            turn,
            inbox: InboxKey {
                channel: API_CHANNEL.into(),
                account: "ada".into(),
                conversation: session.as_str().into(),
                event: turn.to_string().into(),
            },
            reply_to: None,
            body_hash: [0; 32],
            text: text.into(),
            attachments: Arc::default(),
            replaces: None,
            model: None,
            mode: None,
            create: None,
            repeats_last: false,
            span: tracing::Span::none(),
        }
    }

    pub(crate) async fn say(&self, session: &SessionId, text: &str) -> Accepted {
        let ask = self.input(session, text);
        self.router.ask(ask).await.expect("the router answers").expect("it is accepted")
    }

    pub(crate) fn read(&self, session: &SessionId) -> Reader {
        self.doors.hub.subscribe(session, Interest::All)
    }

    /// How often each child of the house was started.
    pub(crate) async fn lives(&self) -> Vec<(Arc<str>, u64)> {
        let mut lives = Vec::new();
        for parent in &self.parents {
            lives.extend(parent.tree().await.children().iter().map(|view| (view.name.clone(), view.incarnation)));
        }
        lives
    }

    pub(crate) async fn journaled(&self, session: &SessionId, wanted: fn(&EventBody) -> bool) -> usize {
        let limit = Limit::new(Some(200)).expect("a good limit");
        let events = self.doors.store.events(session, 0, limit).await.expect("it can be read");
        events.iter().filter(|event| wanted(&event.body)).count()
    }
}
