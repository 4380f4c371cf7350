//! What a person says to a session, whichever way it comes.

use mosaic_messages::SubmitTurn;
use mosaic_types::{Code, Failure, ModelRef, Principal, Seq, SessionId};
use serde::Deserialize;
use utoipa::ToSchema;

use super::attachments::NewAttachment;
use super::server::Gate;
use crate::submission::{hashed, mode, submission};

/// What is said to a session.
#[derive(Debug, Clone, PartialEq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewMessage, example = json!({"text": "what is for breakfast?"}))]
pub(super) struct Input {
    #[schema(min_length = 1, max_length = 100_000)]
    pub(super) text: String,
    /// What becomes of it while a turn runs; left out: what the agent does (`queue` unless it is configured).
    #[serde(default)]
    #[schema(value_type = Option<mosaic_types::QueueMode>)]
    pub(super) mode: Option<String>,
    /// As `provider/model`: answers in place of the agent's models, for this turn.
    #[serde(default)]
    #[schema(max_length = 321)]
    pub(super) model: Option<String>,
    /// The id of one of your messages, in whose place it stands: that one and all after it leave the dialogue.
    #[serde(default)]
    #[schema(example = json!("kitchen.12"), max_length = 84)]
    pub(super) replaces: Option<String>,
    /// What is to be read or looked at beside the text.
    #[serde(default)]
    #[schema(max_items = 8)]
    pub(super) attachments: Vec<NewAttachment>,
}

impl Input {
    /// The message to its session, without its files, checked as far as can be without asking it.
    ///
    /// # Errors
    /// What is wrong with it, in a sentence.
    pub(super) fn submission(
        self,
        gate: &Gate,
        session: SessionId,
        who: Principal,
        key: Option<&str>,
    ) -> Result<SubmitTurn, Failure> {
        let replaces = self.replaces.as_deref().map(|id| numbered(id, &session, "message of yours")).transpose()?;
        let model = self.model.as_deref().map(|name| named_model(gate, name)).transpose()?;
        let mode = mode(self.mode.as_deref())?;
        let ask = submission(&gate.doors.outside, session, who, self.text, model, key)?;
        let body_hash = replaces.map_or(ask.body_hash, |seq| hashed("replaces", seq, &ask.body_hash));
        Ok(SubmitTurn { mode, replaces, body_hash, ..ask })
    }
}

/// The number of the message with that id, which must be one of `session`.
pub(super) fn numbered(id: &str, session: &SessionId, what: &'static str) -> Result<Seq, Failure> {
    let read = || {
        let (of, seq) = id.rsplit_once('.')?;
        (of == session.as_str() && seq.bytes().all(|digit| digit.is_ascii_digit())).then(|| seq.parse().ok())?
    };
    read().ok_or_else(|| Failure::not_found(what))
}

/// The model that an input names.
pub(super) fn named_model(gate: &Gate, name: &str) -> Result<ModelRef, Failure> {
    let model: ModelRef = name.parse().map_err(|bad| Failure::new(Code::BadRequest, format!("model: {bad}.")))?;
    gate.doors.providers.check(&model)?;
    Ok(model)
}
