//! Makes a person's words into a message to their session; the gateway and the command line both do.

use std::sync::Arc;

use mosaic_messages::SubmitTurn;
use mosaic_types::journal::{API_CHANNEL, InboxKey};
use mosaic_types::{Code, Failure, ModelRef, Outside, Principal, QueueMode, Seq, SessionId, limits};
use sha2::{Digest, Sha256};

/// Checks a text and makes the message to its session.
///
/// `model`: in place of the agent's own; `key`: the client's idempotency key; without one the input is new, unless `repeats_last`.
pub fn submission(
    outside: &Outside,
    session: SessionId,
    from: Principal,
    text: String,
    model: Option<ModelRef>,
    key: Option<&str>,
) -> Result<SubmitTurn, Failure> {
    if text.trim().is_empty() {
        return Err(Failure::new(Code::BadRequest, "The message is empty."));
    }
    if text.len() > limits::TEXT_CHARS && text.chars().count() > limits::TEXT_CHARS {
        let sentence = format!("A message has at most {} characters.", limits::TEXT_CHARS);
        return Err(Failure::new(Code::TextTooLong, sentence));
    }
    if key.is_some_and(|key| key.is_empty() || key.len() > 255) {
        let sentence = "An Idempotency-Key has 1 to 255 characters.";
        return Err(Failure::new(Code::BadRequest, sentence));
    }
    let turn = outside.turn_id();
    let span = tracing::info_span!("turn", session.id = %session, turn.id = %turn);
    let event: Arc<str> = key.map_or_else(|| format!("turn:{turn}").into(), |key| format!("key:{key}").into());
    Ok(SubmitTurn {
        inbox: InboxKey {
            channel: API_CHANNEL.into(),
            account: from.user.to_string().into(),
            conversation: session.as_str().into(),
            event,
        },
        reply_to: None,
        session,
        from,
        turn,
        body_hash: hash(&text, model.as_ref()),
        text: text.into(),
        attachments: Arc::default(),
        replaces: None,
        model,
        mode: None,
        create: None,
        repeats_last: false,
        span,
    })
}

/// The mode that a client asks for by its name.
pub fn mode(name: Option<&str>) -> Result<Option<QueueMode>, Failure> {
    let named = name.map(|name| name.parse::<QueueMode>()).transpose();
    named.map_err(|why| Failure::new(Code::BadRequest, format!("mode: {why}.")))
}

/// The hash of what is asked in a way of its own, so that it is not taken for the plain message.
pub fn hashed(way: &str, seq: Seq, body: &[u8; 32]) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(format!("{way}\n{seq}\n"));
    hash.update(body);
    hash.finalize().into()
}

/// What tells one request from another under the same key. The mode does not: it says how a message is taken in, and a
/// repeat is not taken in again.
fn hash(text: &str, model: Option<&ModelRef>) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(text.as_bytes());
    if let Some(model) = model {
        // No text holds this byte, so that no text and model read as another text.
        hash.update([0xff]);
        hash.update(model.to_string().as_bytes());
    }
    hash.finalize().into()
}
