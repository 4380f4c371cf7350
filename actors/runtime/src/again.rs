//! What was asked last, to be asked once more.

use std::sync::Arc;

use mosaic_store::Store;
use mosaic_types::journal::MessageRow;
use mosaic_types::page::Limit;
use mosaic_types::{Attachment, Code, Failure, Outside, Role, Seq, SessionId, TurnId, limits};

/// The inputs of the newest turn of a dialogue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Again {
    pub turn: TurnId,
    /// How many there are.
    pub inputs: usize,
    /// Seq of the first of them, whose place the next input takes.
    pub replaces: Seq,
    /// What they say, one after the other.
    pub text: String,
    /// What came with them, as files of the next input.
    pub attachments: Arc<[Attachment]>,
}

/// Finds what was asked last, however its turn went.
///
/// # Errors
/// `not_found` where nothing was asked yet, or the store cannot be read.
pub async fn last_asked(store: &dyn Store, outside: &Outside, session: &SessionId) -> Result<Again, Failure> {
    // No turn has more messages: its inputs are bounded, and each step answers at least one.
    let all = store.latest(session, Seq::MAX, Limit::new(Some(limits::PAGE.1)).unwrap_or_default()).await?;
    let turn = all.iter().rev().find(|message| message.role == Role::User).map(|message| message.turn);
    let of_turn = |message: &&MessageRow| message.role == Role::User && Some(message.turn) == turn;
    let inputs: Vec<_> = all.iter().filter(of_turn).collect();
    let Some(first) = inputs.first() else {
        return Err(Failure::new(Code::NotFound, "Nothing was asked here yet, so there is nothing to ask again."));
    };
    let texts: Vec<_> = inputs.iter().map(|input| input.text.as_str()).collect();
    let mut attachments = Vec::new();
    // Of several inputs the first ones': together they are one message, which has so many at the most.
    for file in inputs.iter().flat_map(|input| &input.attachments).take(limits::ATTACHMENTS) {
        if let Some(mut file) = store.attachment(session, file.id).await? {
            file.row.id = outside.attachment_id();
            attachments.push(file);
        }
    }
    let (turn, inputs, replaces) = (first.turn, inputs.len(), first.seq);
    Ok(Again { turn, inputs, replaces, text: texts.join("\n\n"), attachments: attachments.into() })
}
