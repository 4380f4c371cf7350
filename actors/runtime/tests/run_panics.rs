//! A run that panics: its turn begins again, is given up after three deaths, and costs nobody else anything.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::{StreamExt, stream};
use mosaic_messages::{Accepted, SubmitTurn};
use mosaic_providers::{ChatStream, ModelInfo, Provider, ProviderError, Work as Working};
use mosaic_runtime::agent::run::{Piece, RunInput, RunOrder, Sink};
use mosaic_runtime::events::Interest;
use mosaic_runtime::provider::ProviderSettings;
use mosaic_runtime::session::config::SessionConfig;
use mosaic_runtime::{
    AgentProfile, Agents, Arbiters, Doors, Hub, Providers, Reader, RouterActor, SessionActor, Sessions, Work,
    WriterActor,
};
use mosaic_supervise::{Budget, ChildSpec, Family, Link, Parent, Restart, Scope, Supervisor};
use mosaic_types::chat::Sampling;
use mosaic_types::journal::{API_CHANNEL, InboxKey, NewSession, NewUser, Write};
use mosaic_types::page::Limit;
use mosaic_types::{
    AgentName, Chance, ChatEvent, ChatMessage, ChatRequest, Clock, Code, EventBody, ModelRef, Outside, Principal,
    ProviderName, Role, SessionEvent, SessionId, StopReason, Timestamp, UserRole,
};
use tokio::sync::{mpsc, watch};

const PATIENCE: Duration = Duration::from_secs(20);

/// Where a call panics.
#[derive(Debug, Clone, Copy, PartialEq)]
enum When {
    Asked,
    Streaming,
}

/// A provider that panics so many times and then says back what it hears; what a `neighbour` says waits at a gate.
struct Panic {
    name: ProviderName,
    when: When,
    left: AtomicUsize,
    calls: AtomicUsize,
    gate: watch::Receiver<bool>,
}

impl Provider for Panic {
    fn name(&self) -> &ProviderName {
        &self.name
    }

    fn models(&self) -> Working<Result<Vec<ModelInfo>, ProviderError>> {
        Box::pin(async { Ok(vec![ModelInfo { id: "m".into() }]) })
    }

    fn chat(&self, request: ChatRequest) -> Working<Result<ChatStream, ProviderError>> {
        let text = request.messages.last().map(|message| message.text.to_string()).unwrap_or_default();
        let text_of = |text: &str| Ok::<_, ProviderError>(ChatEvent::Text(text.to_owned()));
        let end = Ok(ChatEvent::Finished { stop_reason: StopReason::Stop, usage: None, model: None });
        if text == "neighbour" {
            let mut gate = self.gate.clone();
            let rest = stream::once(async move {
                gate.wait_for(|open| *open).await.expect("the test holds the gate");
                Ok(ChatEvent::Text("two".into()))
            });
            let answer = stream::iter([text_of("one ")]).chain(rest).chain(stream::iter([end]));
            return Box::pin(async { Ok(Box::pin(answer) as ChatStream) });
        }
        self.calls.fetch_add(1, Ordering::SeqCst);
        let less = self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        match (less.is_ok(), self.when) {
            (true, When::Asked) => Box::pin(async { panic!("planted where the call is made") }),
            (true, When::Streaming) => {
                let broken = stream::once(async { panic!("planted in mid-stream") });
                let answer = stream::iter([text_of("half ")]).chain(broken);
                Box::pin(async { Ok(Box::pin(answer) as ChatStream) })
            }
            (false, _) => {
                let answer = stream::iter([text_of(&format!("heard {text}")), end]);
                Box::pin(async { Ok(Box::pin(answer) as ChatStream) })
            }
        }
    }
}

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

/// The floor under test, wired as the daemon does it.
struct House {
    doors: Arc<Doors>,
    router: Link<RouterActor>,
    parents: Vec<Parent>,
    who: Principal,
    provider: Arc<Panic>,
    gate: watch::Sender<bool>,
    _arbiters: Arc<Arbiters>,
}

impl House {
    async fn start(when: When, times: usize) -> Self {
        let store = mosaic_store::open("sqlite::memory:", Path::new(".")).await.expect("a database in memory");
        let tick = Arc::new(Tick::default());
        let outside = Outside::new(tick.clone(), tick);
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
        let settings = ProviderSettings { max_in_flight: 64, idle: PATIENCE, models: Default::default() };
        let providers = Providers::start(&provider_family, vec![(provider.clone(), settings)]);
        let agent: AgentName = "assistant".parse().expect("valid");
        let profile = AgentProfile {
            name: agent.clone(),
            system: "".into(),
            models: vec![ModelRef { provider: name, model: "m".into() }],
            context_tokens: 4_096,
            max_output_tokens: None,
            temperature: None,
        };
        let agents = Agents::start(&agent_family, vec![profile], Some(agent));
        let (hub, work) = (Hub::default(), Work::default());
        let doors = Arc::new(Doors { outside: outside.clone(), store, writer, hub, agents, providers, work });
        let arbiters = Arc::new(Arbiters::start(2));
        let (lent, placed) = (doors.clone(), arbiters.clone());
        let sessions: Sessions = Family::new(
            session_family.clone(),
            Restart::Transient,
            SessionActor::MAILBOX,
            move |id| placed.of(id),
            move |id, birth| SessionActor::new(id, lent.clone(), &SessionConfig::default(), birth),
        );
        let lent = doors.clone();
        let router = root.adopt(ChildSpec::new("router", Restart::Permanent, RouterActor::MAILBOX, move |birth| {
            RouterActor::new(lent.clone(), sessions.clone(), birth.tether)
        }));
        let who = Principal { user: outside.user_id(), role: UserRole::Owner };
        let user = NewUser { id: who.user, name: "ada".into(), role: UserRole::Owner, at: outside.now() };
        doors.commit(Write::CreateUser(user)).await.expect("it is written");
        let parents = vec![root, provider_family, agent_family, session_family];
        Self { doors, router, parents, who, provider, gate, _arbiters: arbiters }
    }

    async fn session(&self) -> SessionId {
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

    async fn say(&self, session: &SessionId, text: &str) -> Accepted {
        let turn = self.doors.outside.turn_id();
        let ask = SubmitTurn {
            session: session.clone(),
            from: self.who,
            turn,
            inbox: InboxKey {
                channel: API_CHANNEL.into(),
                account: "ada".into(),
                conversation: session.as_str().into(),
                event: turn.to_string().into(),
            },
            body_hash: [0; 32],
            text: text.into(),
            model: None,
            create: None,
            repeats_last: false,
            span: tracing::Span::none(),
        };
        self.router.ask(ask).await.expect("the router answers").expect("it is accepted")
    }

    fn read(&self, session: &SessionId) -> Reader {
        self.doors.hub.subscribe(session, Interest::All)
    }

    /// How often each child of the house was started.
    async fn lives(&self) -> Vec<(Arc<str>, u64)> {
        let mut lives = Vec::new();
        for parent in &self.parents {
            lives.extend(parent.tree().await.into_iter().map(|view| (view.name, view.incarnation)));
        }
        lives
    }

    async fn journaled(&self, session: &SessionId, wanted: fn(&EventBody) -> bool) -> usize {
        let limit = Limit::new(Some(200)).expect("a good limit");
        let events = self.doors.store.events(session, 0, limit).await.expect("it can be read");
        events.iter().filter(|event| wanted(&event.body)).count()
    }
}

/// Reads up to the first event that is wanted.
async fn until(reader: &mut Reader, wanted: fn(&EventBody) -> bool) -> Arc<SessionEvent> {
    let reading = async {
        loop {
            let event = reader.next().await.expect("nothing is missed");
            if wanted(&event.body) {
                return event;
            }
        }
    };
    tokio::time::timeout(PATIENCE, reading).await.expect("the event comes")
}

fn is_delta(body: &EventBody) -> bool {
    matches!(body, EventBody::TurnDelta { .. })
}

fn is_restart(body: &EventBody) -> bool {
    matches!(body, EventBody::TurnRestarted { .. })
}

fn text_of(end: &SessionEvent) -> &str {
    match &end.body {
        EventBody::TurnFinished(finished) => &finished.text,
        other => panic!("no answer: {other:?}"),
    }
}

/// Plants `times` panics in a turn, with a neighbour in mid-stream, and answers how the turn ended.
async fn with_panics(when: When, times: usize) -> EventBody {
    let house = House::start(when, times).await;
    let (session, neighbour) = (house.session().await, house.session().await);
    let mut next_door = house.read(&neighbour);
    house.say(&neighbour, "neighbour").await;
    until(&mut next_door, is_delta).await;

    let mut reader = house.read(&session);
    house.say(&session, "hello").await;
    for attempt in 2..=times.min(2) + 1 {
        let restarted = until(&mut reader, is_restart).await;
        assert_eq!(restarted.body, EventBody::TurnRestarted { attempt: u32::try_from(attempt).expect("small") });
    }
    let end = until(&mut reader, EventBody::is_end).await;
    assert_eq!(house.provider.calls.load(Ordering::SeqCst), times.min(2) + 1);

    // The session goes on, whatever became of that turn, and no other child was touched.
    house.provider.left.store(0, Ordering::SeqCst);
    house.say(&session, "again").await;
    assert_eq!(text_of(&*until(&mut reader, EventBody::is_end).await), "heard again");
    assert_eq!(house.journaled(&session, EventBody::is_end).await, 2, "each turn ended once");
    let lives = house.lives().await;
    assert!(lives.iter().all(|(_, lives)| *lives == 1), "{lives:?}");
    house.gate.send_replace(true);
    assert_eq!(text_of(&*until(&mut next_door, EventBody::is_end).await), "one two");
    assert_eq!(house.journaled(&neighbour, is_restart).await, 0);
    end.body.clone()
}

#[actix::test]
async fn a_turn_whose_run_panics_begins_again_and_readers_are_told() {
    for when in [When::Asked, When::Streaming] {
        for times in [1, 2] {
            let EventBody::TurnFinished(end) = with_panics(when, times).await else { panic!("{when:?}: no answer") };
            assert_eq!(end.text, "heard hello", "{when:?}");
        }
    }
}

#[actix::test]
async fn a_turn_whose_run_dies_three_times_is_given_up_and_the_session_goes_on() {
    for when in [When::Asked, When::Streaming] {
        let end = with_panics(when, 3).await;
        assert!(matches!(&end, EventBody::TurnFailed { code: Code::Crashed, .. }), "{when:?}: {end:?}");
    }
}

#[actix::test]
async fn a_stateless_caller_sees_that_its_run_died() {
    for (when, told) in [(When::Asked, 0), (When::Streaming, 2)] {
        let house = House::start(when, 1).await;
        let agent: AgentName = "assistant".parse().expect("valid");
        let agents = &house.doors.agents;
        let order = |sink| RunOrder {
            run: agents.next_run(),
            input: RunInput::Verbatim([ChatMessage::new(Role::User, "hello")].into()),
            model: None,
            tools: Arc::default(),
            sampling: Sampling::default(),
            stream: true,
            sink,
            outside: house.doors.outside.clone(),
            keeper: None,
            span: tracing::Span::none(),
        };
        let mut lives = Vec::new();
        for _ in 0..2 {
            let (pieces, mut heard) = mpsc::channel(8);
            agents.run(&agent, house.doors.providers.clone(), order(Sink::Caller(pieces))).await.expect("it begins");
            let mut all = Vec::new();
            while let Some(piece) = tokio::time::timeout(PATIENCE, heard.recv()).await.expect("it ends") {
                all.push(piece);
            }
            lives.push(all);
        }
        let finished = |all: &Vec<Piece>| matches!(all.last(), Some(Piece::Event(ChatEvent::Finished { .. })));
        assert!(lives[0].len() == told && !finished(&lives[0]), "{when:?}: it breaks off: {:?}", lives[0]);
        assert!(finished(&lives[1]), "{when:?}: the next one is answered: {:?}", lives[1]);
    }
}
