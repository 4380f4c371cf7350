//! What a socket has done by others: by the router, and through it by sessions.

use actix_web::web::Data;
use mosaic_messages::{Accepted, CommandDone, ExecuteCommand};
use mosaic_runtime::doors::unreached;
use mosaic_types::{AgentName, Code, Failure, Principal, SessionId, TurnId};
use sha2::{Digest, Sha256};
use tracing::Span;

use crate::detect::NO_PROVIDER;
use crate::gateway::attachments;
use crate::gateway::input::Input;
use crate::gateway::server::Gate;
use crate::gateway::sessions::visible;
use crate::telemetry::context::{Caller, continue_trace};

/// The session that an input makes for itself: the same for each repeat of it.
fn own_session(who: Principal, id: &str) -> SessionId {
    let hash = Sha256::digest(format!("message.send\n{}\n{id}", who.user));
    let hex: String = hash.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    hex.parse().expect("32 hex digits are a valid session id")
}

/// The span of an input, until it is acknowledged; its turn hangs below it. Not below the upgrade's: that lasts as long
/// as the socket, and one trace would hold all that was ever said on it.
pub(super) fn input_span(caller: Option<&Caller>) -> Span {
    let span = tracing::debug_span!(parent: None, "message.send", otel.kind = "server");
    continue_trace(&span, |name| caller?.get(name));
    span
}

/// Hands an input to its session, which it makes where none is named.
pub(super) async fn submit(
    gate: Data<Gate>,
    who: Principal,
    id: String,
    session: Option<SessionId>,
    wished: Option<AgentName>,
    mut input: Input,
) -> Result<(SessionId, Accepted), Failure> {
    let create = match (&session, wished) {
        (Some(_), Some(_)) => {
            let sentence = "agent is for an input that makes its session; one that exists has an agent already.";
            return Err(Failure::new(Code::BadRequest, sentence));
        }
        (Some(_), None) => None,
        // A session in which nobody could answer is not begun.
        (None, _) if gate.doors.providers.is_empty() => return Err(Failure::new(Code::NoProvider, NO_PROVIDER)),
        (None, wished) => Some(gate.doors.agents.choose(wished)?),
    };
    let session = session.unwrap_or_else(|| own_session(who, &id));
    let files = attachments::take(std::mem::take(&mut input.attachments), gate.doors.outside.clone()).await;
    let files = files.map_err(|error| error.0)?;
    let mut ask = files.put(input.submission(&gate, session.clone(), who, Some(&id))?);
    ask.create = create;
    let accepted = gate.ask(ask).await.map_err(|error| error.0)?;
    let accepted = gate.settled(accepted).await.map_err(|error| error.0)?;
    Ok((session, accepted))
}

/// Cancels what runs in a session, or only that `turn`.
pub(super) async fn cancel(
    gate: Data<Gate>,
    who: Principal,
    session: SessionId,
    turn: Option<TurnId>,
) -> Result<Option<TurnId>, Failure> {
    visible(&gate, &session, who).await.map_err(|error| error.0)?;
    gate.cancel(session, turn, who).await.map_err(|error| error.0)
}

/// Has a slash command carried out.
pub(super) async fn execute(gate: Data<Gate>, ask: ExecuteCommand) -> Result<CommandDone, Failure> {
    let asked = if ask.overtakes() { gate.router.urge(ask).await } else { gate.router.ask(ask).await };
    asked.unwrap_or_else(|error| Err(unreached("The router", &error)))
}
