//! Slash commands, carried out for whoever typed them, wherever that was.
//!
//! `types/src/command.rs` reads them; `words.rs` makes what is known into text. A command does nothing that a route or a
//! frame could not do.

mod words;

use std::sync::Arc;
use std::time::Duration;

use mosaic_messages::{CancelTurn, Change, CommandDone, ExecuteCommand, SubmitTurn};
use mosaic_types::command::{ASKED_AGAIN, CANCELLED, ModelWish, OVER, Request, WENT_ON};
use mosaic_types::journal::{API_CHANNEL, InboxKey, SessionPhase, SessionRow};
use mosaic_types::ledger::{UsageBy, UsageQuery, UsageSum};
use mosaic_types::outbox::Conversation;
use mosaic_types::page::Limit;
use mosaic_types::{AgentName, Code, Failure, ModelRef, Principal, Seq, SessionId, Timestamp, TurnId};
use sha2::{Digest, Sha256};

use crate::again::last_asked;
use crate::budget::Payer;
use crate::provider::Providers;
use crate::router::Way;

const DAY: Duration = Duration::from_secs(24 * 3600);

/// Days that `/cost` sums up, this one among them.
const DAYS: u32 = 30;

/// For so long a provider may take to list its models while somebody waits for the answer to `/model`.
const LISTING: Duration = Duration::from_secs(3);

/// Carries out a command.
pub(crate) async fn execute(way: Way, ask: ExecuteCommand) -> Result<CommandDone, Failure> {
    let ExecuteCommand { session, from, line, typed } = ask;
    line.command.check(from.role)?;
    let row = way.visible(&session, from).await?;
    let text = match line.request {
        Request::Help(which) => words::help(which, from.role),
        Request::New(wish) => return new(&way, &row, from, wish, typed).await,
        Request::Status => status(&way, row),
        Request::Agent(None) => format!("{} answers here.", row.agent),
        Request::Agent(Some(name)) => agent(&way, row, from, name).await?,
        Request::Agents => words::agents(&way.doors.agents.profiles(), &row.agent),
        Request::Model(wish) => model(&way, row, from, wish).await?,
        Request::Retry(turn) => retry(&way, row, from, turn, typed).await?,
        Request::Stop(turn) => stop(&way, row, from, turn, typed).await?,
        Request::History(count) => {
            let limit = Limit::new(Some(count)).unwrap_or_default();
            words::history(&way.doors.store.latest(&row.id, Seq::MAX, limit).await?)
        }
        Request::Cost => cost(&way, &row, from).await?,
    };
    Ok(CommandDone { session, text })
}

async fn new(
    way: &Way,
    row: &SessionRow,
    from: Principal,
    wish: Option<AgentName>,
    typed: Option<(Conversation, Arc<str>)>,
) -> Result<CommandDone, Failure> {
    way.doors.work.refuse_new()?;
    let agent = way.doors.agents.choose(wish.or_else(|| Some(row.agent.clone())))?;
    // A platform may tell it twice: it is the same session then.
    let (session, channel) = match typed {
        Some((at, event)) => (named(&at, &event), at.channel),
        None => (way.doors.outside.session_id(), API_CHANNEL.into()),
    };
    way.make(&session, from, &agent, &channel).await?;
    let text = format!("A new session with {agent}: {session}");
    Ok(CommandDone { session, text })
}

/// The session that a message makes, by that message's own name.
fn named(at: &Conversation, event: &str) -> SessionId {
    let hash = Sha256::digest(format!("{at}\n{event}"));
    let hex: String = hash.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    hex.parse().expect("32 hex digits are a valid session id")
}

fn status(way: &Way, mut row: SessionRow) -> String {
    let down = way.sessions.find(&row.id).and_then(|link| link.down());
    if down.is_some() {
        row.state = SessionPhase::Down;
    }
    let profile = way.doors.agents.profile(&row.agent);
    words::status(&row, profile.as_deref(), down.as_deref(), way.doors.work.is_draining())
}

async fn agent(way: &Way, row: SessionRow, from: Principal, name: AgentName) -> Result<String, Failure> {
    let agent = way.doors.agents.choose(Some(name))?;
    let change = Change { agent: Some(agent), ..Change::nothing(row.id.clone(), from) };
    let changed = way.ask(&row.id, from, None, false, change).await?;
    Ok(format!("{} answers here from the next turn on.", changed.agent))
}

async fn model(way: &Way, row: SessionRow, from: Principal, wish: Option<ModelWish>) -> Result<String, Failure> {
    let told = |row: &SessionRow| match &row.model {
        Some(model) => format!("{model} answers here, and no other, until /model auto."),
        None => format!("The models of {} answer here.", row.agent),
    };
    let Some(wish) = wish else { return Ok(told(&row)) };
    if let ModelWish::Only(model) = &wish {
        way.doors.providers.check(model)?;
    }
    let change = Change { model: Some(wish), ..Change::nothing(row.id.clone(), from) };
    let row = way.ask(&row.id, from, None, false, change).await?;
    // Asked for when it holds already: what is said next must not overtake it.
    let doubt = match &row.model {
        Some(model) => unlisted(&way.doors.providers, model).await,
        None => None,
    };
    Ok(doubt.map_or_else(|| told(&row), |doubt| format!("{} {doubt}", told(&row))))
}

/// A doubt about a model that its provider does not list; none where the list cannot be had, or the config names it.
async fn unlisted(providers: &Providers, model: &ModelRef) -> Option<String> {
    let provider = providers.get(&model.provider)?;
    if model.is_auto() || provider.settings.models.contains_key(&model.model) {
        return None;
    }
    let listed = tokio::time::timeout(LISTING, provider.adapter.models()).await.ok()?.ok()?;
    let known = listed.iter().any(|known| known.id.strip_prefix("models/").unwrap_or(&known.id) == &*model.model);
    let doubt = || format!("It is not in the list of {}; it is asked all the same.", model.provider);
    (!known && !listed.is_empty()).then(doubt)
}

/// Asks once more what was asked last; `meant`: only where that was this turn.
async fn retry(
    way: &Way,
    row: SessionRow,
    from: Principal,
    meant: Option<TurnId>,
    typed: Option<(Conversation, Arc<str>)>,
) -> Result<String, Failure> {
    way.doors.work.refuse_new()?;
    let outside = &way.doors.outside;
    let turn = outside.turn_id();
    let (inbox, body_hash) = match typed {
        // A platform may tell it twice, and its answer goes back there.
        Some((Conversation { channel, account, name }, event)) => {
            let key = InboxKey { channel, account, conversation: name, event };
            // Told again, it would find its own turn to be the last one.
            if way.doors.store.known(&key).await?.is_some() {
                return Ok(ASKED_AGAIN.to_owned());
            }
            (key, [0; 32])
        }
        // Elsewhere a command has no key: each is a wish of its own, like no other.
        None => (
            InboxKey {
                channel: API_CHANNEL.into(),
                account: from.user.to_string().into(),
                conversation: row.id.as_str().into(),
                event: format!("turn:{turn}").into(),
            },
            outside.bytes(),
        ),
    };
    let again = match last_asked(&*way.doors.store, outside, &row.id).await {
        Ok(again) if meant.is_some_and(|meant| meant != again.turn) => return Ok(WENT_ON.to_owned()),
        Ok(again) => again,
        Err(nothing) if nothing.code == Code::NotFound => {
            return Ok(meant.map_or_else(|| nothing.message.into_owned(), |_| WENT_ON.to_owned()));
        }
        Err(failure) => return Err(failure),
    };
    let ask = SubmitTurn {
        inbox,
        session: row.id.clone(),
        from,
        turn,
        body_hash,
        text: again.text.into(),
        attachments: again.attachments,
        reply_to: None,
        replaces: Some(again.replaces),
        model: None,
        mode: None,
        create: None,
        repeats_last: false,
        span: tracing::info_span!("turn", session.id = %row.id, turn.id = %turn),
    };
    way.ask(&row.id, from, None, false, ask).await?;
    Ok(ASKED_AGAIN.to_owned())
}

/// Cancels what runs; `meant`: this turn and no other, also where its conversation has gone on in another session since.
async fn stop(
    way: &Way,
    row: SessionRow,
    from: Principal,
    meant: Option<TurnId>,
    typed: Option<(Conversation, Arc<str>)>,
) -> Result<String, Failure> {
    let session = match meant {
        Some(turn) => open_here(way, turn, &row.id, typed).await?,
        // Nothing runs in a session that sleeps.
        None => Some(row.id).filter(|id| way.sessions.find(id).is_some()),
    };
    let cancelled = match session {
        Some(id) => way.ask(&id, from, None, true, CancelTurn::now(id.clone(), from).only(meant)).await?,
        None => None,
    };
    let nothing = if meant.is_some() { OVER } else { "Nothing runs here." };
    Ok(if cancelled.is_some() { CANCELLED } else { nothing }.to_owned())
}

/// The session of a turn that is open, where it may be cut short from here: it is this session's, or its answer grows in
/// this conversation. Who names a turn may have made it up.
async fn open_here(
    way: &Way,
    turn: TurnId,
    here: &SessionId,
    typed: Option<(Conversation, Arc<str>)>,
) -> Result<Option<SessionId>, Failure> {
    let store = &way.doors.store;
    let Some(found) = store.turn(turn).await?.filter(|found| !found.state.is_end()) else { return Ok(None) };
    let ours = match typed {
        _ if found.session == *here => true,
        Some((at, _)) => store.preview(turn, &at).await?.is_some(),
        None => false,
    };
    Ok(ours.then_some(found.session))
}

async fn cost(way: &Way, row: &SessionRow, from: Principal) -> Result<String, Failure> {
    let (now, day) = (way.doors.outside.now().0, i64::try_from(DAY.as_micros()).unwrap_or(i64::MAX));
    let today = now - now.rem_euclid(day);
    let first = Timestamp(today - day * i64::from(DAYS - 1));
    let sums = async |since, limit| {
        let ask = UsageQuery { user: Some(from.user), since: Some(since), ..UsageQuery::default() };
        way.doors.store.usage(ask, None, limit).await
    };
    let today = sums(Timestamp(today), Limit::default()).await?.items.pop();
    let mut days: Vec<UsageSum> = sums(first, Limit::new(Some(DAYS)).unwrap_or_default()).await?.items;
    let month = days.pop().map(|mut all| {
        days.iter().for_each(|sum| all.add(sum));
        all
    });
    let here = UsageQuery { session: Some(row.id.clone()), by: UsageBy::Session, ..UsageQuery::default() };
    let here = way.doors.store.usage(here, None, Limit::default()).await?.items.pop();
    let payer = Payer { user: row.user, agent: row.agent.clone(), session: Some(row.id.clone()) };
    let left = way.doors.budgets.left(&payer).await?;
    let spans =
        [("This session".to_owned(), here), ("Today (UTC)".to_owned(), today), (format!("Last {DAYS} days"), month)];
    Ok(words::cost(&spans, &left))
}
