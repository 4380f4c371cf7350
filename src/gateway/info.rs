//! What the daemon says of itself.

use std::time::Duration;

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use mosaic_runtime::provider::KeyState;
use mosaic_supervise::ChildView;
use mosaic_types::outbox::{ItemCount, ItemState};
use mosaic_types::page::Page;
use mosaic_types::{AgentName, Code, ModelRef, Principal, ProviderName, Timestamp, UserId, UserRole};
use serde::Serialize;
use utoipa::ToSchema;

use super::auth::Bearing;
use super::principals::Principals;
use super::server::Gate;
use super::signin::cookie;
use crate::telemetry;

/// Whether an actor serves.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum State {
    Up,
    /// It spent its restarts and is tried again every minute.
    Down,
}

impl State {
    fn of(down: bool) -> Self {
        if down { Self::Down } else { Self::Up }
    }
}

/// A configured agent.
#[derive(Serialize, ToSchema)]
struct Agent {
    name: AgentName,
    /// In order of preference.
    models: Vec<ModelRef>,
    /// How its models are asked: `fallback`, `race`, `compare` or `panel`.
    strategy: &'static str,
    /// It answers where no agent is named.
    default: bool,
    /// Tokens of a conversation that its models are sent, at the most.
    context_tokens: usize,
    state: State,
}

/// How a call ended.
#[derive(Serialize, ToSchema)]
struct Ended {
    at: Timestamp,
    /// It was answered.
    ok: bool,
    /// Why it was not; null where it was.
    #[schema(required)]
    code: Option<Code>,
}

/// A place that answers model calls.
#[derive(Serialize, ToSchema)]
struct Provider {
    name: ProviderName,
    /// Those that the config names; others work too.
    models: Vec<String>,
    /// Calls under way at once, at the most.
    max_in_flight: usize,
    /// Of the actor that gives out its places.
    state: State,
    /// The newest one since the start; null where there was none. Says more of its health than `state` can.
    #[schema(required)]
    last_call: Option<Ended>,
    /// Those that are used in turn; empty where there is no more than one.
    keys: Vec<Key>,
}

/// One of several keys of a provider.
#[derive(Serialize, ToSchema)]
struct Key {
    /// Of the variable or the file that it is kept in.
    name: String,
    /// Why it rests; null: it is used.
    #[schema(required)]
    code: Option<Code>,
    /// For how long it rests still.
    rests_ms: u64,
}

impl From<KeyState> for Key {
    fn from(KeyState { name, rests }: KeyState) -> Self {
        let ms = |rest: Duration| u64::try_from(rest.as_millis()).unwrap_or(u64::MAX);
        Self { name, code: rests.map(|(code, _)| code), rests_ms: rests.map_or(0, |(_, rest)| ms(rest)) }
    }
}

/// A bridge to people.
#[derive(Serialize, ToSchema)]
struct Channel {
    /// As in `[channels.NAME]`.
    name: String,
    /// `discord` or `telegram`.
    kind: String,
    /// Who answers in new conversations there; null: nobody, since no default agent is set.
    #[schema(required)]
    agent: Option<AgentName>,
    /// Of the actor that keeps its connection.
    state: State,
    health: ChannelHealth,
    /// What the platform calls us; null until it has said so.
    #[schema(required)]
    identity: Option<String>,
    /// When the way in was last known to be open; null: never since the start.
    #[schema(required)]
    proven_at: Option<Timestamp>,
    /// What is the matter and what to do, in a sentence; null where nothing is.
    #[schema(required)]
    trouble: Option<String>,
    /// Null: the store does not say.
    #[schema(required)]
    outbox: Option<Undelivered>,
}

/// Whether people are heard.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum ChannelHealth {
    /// It has not connected yet.
    Connecting,
    /// The way in was proven in the last 90 seconds.
    Healthy,
    /// It is cut off, or has been silent for too long.
    Troubled,
}

/// Answers that did not go out.
#[derive(Default, Serialize, ToSchema)]
struct Undelivered {
    /// They wait for their turn.
    pending: u64,
    /// The platform hears them now.
    sending: u64,
    /// Nobody can say whether they went out.
    unknown: u64,
    /// They never will.
    dead: u64,
}

/// Who the bearer of a token is.
#[derive(Serialize, ToSchema)]
struct Me {
    user: UserId,
    /// What they are called; null: the store does not say.
    #[schema(required)]
    name: Option<String>,
    /// What the token may do.
    role: UserRole,
    /// Of the daemon.
    version: &'static str,
    /// Told to a browser only: what its pages send as `X-CSRF-Token` with what changes something.
    #[serde(skip_serializing_if = "Option::is_none")]
    csrf: Option<String>,
}

/// A list that is short enough to be whole.
fn whole<T: Serialize>(items: Vec<T>) -> HttpResponse {
    HttpResponse::Ok().json(Page { items, next: None })
}

/// Lists the agents that answer
#[utoipa::path(
    get,
    path = "/api/v1/agents",
    operation_id = "list_agents",
    tag = "house",
    responses((status = 200, description = "All agents; `next` is always null.", body = Page<Agent>))
)]
pub(super) async fn agents(gate: Data<Gate>) -> HttpResponse {
    let agents = &gate.doors.agents;
    let profiles = agents.profiles();
    let shown = profiles.iter().map(|agent| Agent {
        name: agent.name.clone(),
        models: agent.models.clone(),
        strategy: agent.fanout.strategy.as_str(),
        default: agents.default_name() == Some(&agent.name),
        context_tokens: agent.context_tokens,
        state: State::of(agents.down(&agent.name).is_some()),
    });
    whole(shown.collect())
}

/// Lists the places that answer model calls
///
/// With the state of each one's actor and how its last call ended. Nobody is asked: `POST
/// /api/v1/providers/{name}/test` does that.
#[utoipa::path(
    get,
    path = "/api/v1/providers",
    operation_id = "list_providers",
    tag = "house",
    responses((status = 200, description = "All providers; `next` is always null.", body = Page<Provider>))
)]
pub(super) async fn providers(gate: Data<Gate>) -> HttpResponse {
    let providers = gate.doors.providers.all();
    let shown = providers.iter().map(|provider| {
        let mut models: Vec<_> = provider.settings.models.keys().map(ToString::to_string).collect();
        models.sort();
        Provider {
            name: provider.adapter.name().clone(),
            models,
            max_in_flight: provider.settings.max_in_flight,
            state: State::of(provider.link.down().is_some()),
            last_call: provider.last_call().map(|last| Ended {
                at: last.at,
                ok: last.failed.is_none(),
                code: last.failed,
            }),
            keys: provider.keys().into_iter().map(Key::from).collect(),
        }
    });
    whole(shown.collect())
}

/// Lists the bridges to people
///
/// Those of the config, with their health: a channel is healthy when its way in was proven lately.
#[utoipa::path(
    get,
    path = "/api/v1/channels",
    operation_id = "list_channels",
    tag = "house",
    responses((status = 200, description = "All channels; `next` is always null.", body = Page<Channel>))
)]
pub(super) async fn channels(gate: Data<Gate>) -> HttpResponse {
    // Without the store the rest of the list is wanted all the more.
    let counts = gate.doors.store.item_counts().await.ok();
    let shown = gate.channels.iter().map(|channel| Channel {
        name: channel.name.to_string(),
        kind: channel.kind.to_owned(),
        agent: channel.agent.clone().or_else(|| gate.doors.agents.default_name().cloned()),
        state: State::of(channel.link.down().is_some()),
        health: match channel.status.health() {
            mosaic_channels::Health::Connecting => ChannelHealth::Connecting,
            mosaic_channels::Health::Healthy => ChannelHealth::Healthy,
            mosaic_channels::Health::Troubled => ChannelHealth::Troubled,
        },
        identity: channel.status.identity(),
        proven_at: channel.status.proven_at(),
        trouble: channel.link.down().map(|why| format!("It is down: {why}")).or_else(|| channel.status.trouble()),
        outbox: counts.as_deref().map(|counts| waiting(counts, &channel.name)),
    });
    whole(shown.collect())
}

fn waiting(counts: &[ItemCount], channel: &str) -> Undelivered {
    let mut waiting = Undelivered::default();
    for count in counts.iter().filter(|count| count.channel == channel) {
        match count.state {
            ItemState::Pending => waiting.pending = count.items,
            ItemState::Sending => waiting.sending = count.items,
            ItemState::Unknown => waiting.unknown = count.items,
            ItemState::Dead => waiting.dead = count.items,
            ItemState::Sent => {}
        }
    }
    waiting
}

/// What the tree says of a session whose turn waits for its place.
const ALONE: &str = "its turn begins alone, one such every 5 s";

/// What the tree says of an outbox that cannot write down what it did.
const STUCK: &str = "the store refuses to keep what became of answers, and their conversations wait; run mosaic doctor";

/// Shows the supervision tree
///
/// The root with all that hangs below it: what is up, restarting or down, how often each was restarted, how much waits
/// in its mailbox, and its last error.
#[utoipa::path(
    get,
    path = "/api/v1/tree",
    operation_id = "show_tree",
    tag = "house",
    responses((status = 200, description = "The root.", body = ChildView))
)]
pub(super) async fn tree(gate: Data<Gate>) -> HttpResponse {
    let (tree, waiting) = (gate.root.tree().await, gate.doors.alone.waiting());
    let stuck = gate.doors.outbox.stuck();
    if waiting.is_empty() && stuck == 0 {
        return HttpResponse::Ok().json(tree);
    }
    let mut tree = serde_json::json!(tree);
    if stuck > 0 {
        let below = tree["children"].as_array_mut().into_iter().flatten();
        below.filter(|child| child["name"] == "outbox").for_each(|child| {
            child["last_error"] = format!("{STUCK} ({stuck} of them)").into();
        });
    }
    for (session, deaths) in waiting {
        let below = tree["children"].as_array_mut().into_iter().flatten().filter(|child| child["name"] == "sessions");
        let children = below.filter_map(|sessions| sessions["children"].as_array_mut()).flatten();
        for child in children.filter(|child| child["name"] == session.as_str()) {
            child["last_error"] = format!("{ALONE} (the process died {deaths} times while it worked)").into();
        }
    }
    HttpResponse::Ok().json(tree)
}

/// Tells the metrics of this daemon
///
/// Totals over all users, as Prometheus reads them.
#[utoipa::path(
    get,
    path = "/metrics",
    operation_id = "show_metrics",
    tag = "health",
    responses((status = 200, description = "The text format of Prometheus, version 0.0.4.", body = String,
        content_type = "text/plain"))
)]
pub(super) async fn metrics(gate: Data<Gate>) -> HttpResponse {
    let root = gate.root.tree().await;
    // Without the store the rest of the page is wanted all the more.
    let items = gate.doors.store.item_counts().await.ok();
    let page = telemetry::metrics::page(&gate.doors, &root, items.as_deref());
    HttpResponse::Ok().content_type("text/plain; version=0.0.4").body(page)
}

/// Says whom this API takes you for
#[utoipa::path(
    get,
    path = "/api/v1/me",
    operation_id = "show_me",
    tag = "house",
    responses((status = 200, description = "You.", body = Me))
)]
pub(super) async fn me(gate: Data<Gate>, Bearing(by): Bearing, request: HttpRequest) -> HttpResponse {
    let Principal { user, role } = by.principal;
    // Without the store the rest is wanted all the more.
    let users = gate.doors.store.users().await.unwrap_or_default();
    let name = users.into_iter().find(|known| known.id == user).map(|known| known.name);
    let cookie = by.browser.and_then(|_| cookie::sent(&request));
    let csrf = cookie.map(|cookie| Principals::csrf_of(&cookie));
    HttpResponse::Ok().json(Me { user, name, role, version: env!("CARGO_PKG_VERSION"), csrf })
}
