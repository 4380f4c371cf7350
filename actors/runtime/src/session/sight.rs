//! Whether anybody would see the pictures that come with an input.

use mosaic_messages::SubmitTurn;
use mosaic_types::attachment::AttachmentRow;
use mosaic_types::journal::SessionRow;
use mosaic_types::routing::Need;
use mosaic_types::{Code, Failure, ModelRef};

use crate::agent::run::is_blind;
use crate::doors::Doors;
use crate::routing::{Asked, attached, read_of, tokens_of};

/// Refuses pictures that no model which could answer takes, before anything is stored. What is not known of a model is
/// taken for a yes: its provider will say.
///
/// # Errors
/// `invalid`, with what to do.
pub(super) fn check(doors: &Doors, row: &SessionRow, ask: &SubmitTurn) -> Result<(), Failure> {
    if !ask.attachments.iter().map(|file| &file.row).any(AttachmentRow::is_picture) {
        return Ok(());
    }
    let models = match ask.model.as_ref().or(row.model.as_ref()) {
        Some(model) => vec![model.clone()],
        None => routed(doors, row, ask)
            .unwrap_or_else(|| doors.agents.profile(&row.agent).map(|agent| agent.models.clone()).unwrap_or_default()),
    };
    if models.is_empty() || models.iter().any(|model| !is_blind(&doors.providers, model)) {
        return Ok(());
    }
    let names: Vec<_> = models.iter().map(ToString::to_string).collect();
    let sentence = format!(
        "{} cannot see pictures. Send the message without them, or choose a model that can: `/model PROVIDER/MODEL`, or \
         \"model\" beside the text. (`vision = true` in the config says that a model can.)",
        names.join(" and ")
    );
    Err(Failure::new(Code::Invalid, sentence))
}

/// The models that a rule would choose if the input were answered now.
fn routed(doors: &Doors, row: &SessionRow, ask: &SubmitTurn) -> Option<Vec<ModelRef>> {
    let texts = [&*ask.text];
    let (user, session, agent, channel) = (row.user, Some(&row.id), &row.agent, row.channel.as_str());
    let attached = attached(ask.attachments.iter().map(|file| &file.row));
    let tokens = tokens_of(texts.into_iter()) + read_of(attached);
    let (needs, at) = (&[Need::Vision][..], doors.outside.now());
    let asked = Asked { user, session, texts: &texts, attached, agent, channel, needs, tokens, at };
    doors.routing.would(asked)?.0.map(|route| route.models)
}
