//! What a failed call means. Nothing of an error is shown as it came: an address that could not be reached holds the token.

use std::time::Duration;

use mosaic_types::outbox::Delivery;
use teloxide_core::types::ChatId;
use teloxide_core::{ApiError, RequestError};

use crate::channel::Cut;

/// A token that is refused is tried again after so long: somebody may put it right at BotFather.
const REFUSED: Duration = Duration::from_secs(300);

/// While another program polls with our token, each of us throws the other out; so we come back seldom.
const OTHER_POLLER: Duration = Duration::from_secs(30);

/// What became of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Trouble {
    /// Telegram wants silence for so long.
    Flood(Duration),
    /// It was not reached.
    Away,
    /// It could not, this time; nothing was taken.
    Failed,
    /// It was reached, and what it did is not known.
    CutOff,
    /// The message shows that already.
    Same,
    /// The message to edit is not there, or may not be edited.
    Lost,
    /// It could not read our markup.
    Markup,
    /// The group has another number now.
    Moved(ChatId),
    /// The token is refused.
    Token,
    /// Somebody else polls with our token, or a webhook is set.
    Conflict { webhook: bool },
    /// It calls another address than ours.
    Elsewhere,
    /// It will never be taken.
    Never(String),
    /// It was taken; only the answer could not be read. The message's id, where that could.
    Taken(Option<i32>),
}

impl From<RequestError> for Trouble {
    fn from(error: RequestError) -> Self {
        match error {
            RequestError::RetryAfter(wait) => Self::Flood(Duration::from_secs(wait.seconds().into())),
            RequestError::MigrateToChatId(chat) => Self::Moved(chat),
            RequestError::Network(error) if error.is_connect() => Self::Away,
            RequestError::Network(_) | RequestError::Io(_) => Self::CutOff,
            RequestError::InvalidJson { raw, .. } => unread(&raw),
            RequestError::Api(error) => refused(error),
        }
    }
}

/// What lies at the bottom of a call that did not get through, in brackets; nothing where that is not known. What lies
/// above it names the whole address.
pub(super) fn cause(error: &RequestError) -> String {
    let RequestError::Network(error) = error else { return String::new() };
    let layers = std::iter::successors(std::error::Error::source(&**error), |layer| layer.source());
    layers.last().filter(|last| !last.to_string().contains("://")).map(|last| format!(" ({last})")).unwrap_or_default()
}

/// An answer that is not what the library expects.
fn unread(raw: &str) -> Trouble {
    match serde_json::from_str::<serde_json::Value>(raw) {
        Ok(answer) if answer["ok"] == true => {
            let id = answer["result"]["message_id"].as_i64();
            Trouble::Taken(id.and_then(|id| i32::try_from(id).ok()))
        }
        _ => Trouble::CutOff,
    }
}

fn refused(error: ApiError) -> Trouble {
    match error {
        ApiError::MessageNotModified => Trouble::Same,
        ApiError::MessageToEditNotFound | ApiError::MessageIdInvalid | ApiError::MessageCantBeEdited => Trouble::Lost,
        ApiError::CantParseEntities(_) => Trouble::Markup,
        ApiError::InvalidToken => Trouble::Token,
        ApiError::TerminatedByOtherGetUpdates => Trouble::Conflict { webhook: false },
        ApiError::CantGetUpdates => Trouble::Conflict { webhook: true },
        other => {
            let text = match &other {
                ApiError::Unknown(text) => text.clone(),
                known => known.to_string(),
            };
            if text.starts_with("Conflict") {
                Trouble::Conflict { webhook: text.contains("webhook") }
            } else if text.contains("message is not modified") {
                Trouble::Same
            } else if text.contains("can't parse entities") {
                Trouble::Markup
            } else if text.contains("message to edit not found") {
                Trouble::Lost
            } else if text.starts_with("Bad Request")
                || text.starts_with("Forbidden")
                || text.starts_with("Unauthorized")
            {
                Trouble::Never(text)
            } else if text.starts_with("Too Many Requests") {
                // Without its seconds, which it seldom leaves out.
                Trouble::Flood(Duration::from_secs(1))
            } else {
                // An error of its own: "Internal Server Error", "Bad Gateway".
                Trouble::Failed
            }
        }
    }
}

impl Trouble {
    /// What becomes of a delivery that met it, where nothing else can be done.
    pub(super) fn delivery(self) -> Delivery {
        match self {
            Self::Flood(wait) => Delivery::Later { after: Some(wait), all: false },
            Self::Away | Self::Conflict { .. } | Self::Elsewhere => Delivery::Later { after: None, all: true },
            Self::Token => Delivery::Later { after: Some(Duration::from_secs(60)), all: true },
            Self::CutOff => Delivery::NotKnown,
            Self::Never(why) => Delivery::Refused { why },
            Self::Failed | Self::Lost | Self::Markup | Self::Moved(_) => Delivery::Later { after: None, all: false },
            Self::Same => Delivery::Done(mosaic_types::outbox::Shown::default()),
            Self::Taken(id) => {
                let platform_id = id.map(|id| id.to_string());
                Delivery::Done(mosaic_types::outbox::Shown { platform_id, up_to: None })
            }
        }
    }

    /// What it means for the way in. `me` is our name, where it is known; `at` the address that was called.
    pub(super) fn cut(&self, me: &str, at: &str) -> Cut {
        match self {
            Self::Flood(wait) => Cut::new("Telegram asks for a pause.").after(*wait),
            Self::Token => Cut::new(
                "Telegram refuses the token. Ask BotFather for it with /token, and put it where the channel's table says.",
            )
            .after(REFUSED),
            Self::Conflict { webhook: false } => Cut::new(format!(
                "Another program polls with the token of {me}: it gets messages that are meant for this one. Stop it, or \
                 have BotFather make a new token with /revoke."
            ))
            .after(OTHER_POLLER),
            Self::Conflict { webhook: true } => Cut::new(format!(
                "A webhook is set for {me}, so Telegram tells its news there. Take it away with the method deleteWebhook."
            ))
            .after(OTHER_POLLER),
            Self::Elsewhere => Cut::new(format!(
                "Another program has Telegram call it with the token of {me}. Stop it, or have BotFather make a new token \
                 with /revoke."
            ))
            .after(OTHER_POLLER),
            Self::Never(why) => Cut::new(format!("Telegram refuses to tell what is new: {why}")),
            _ => Cut::new(format!(
                "Telegram cannot be reached at {at}, or breaks off. Is this machine online, and is that the address (api_url \
                 in the channel's table)?"
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn api(text: &str) -> Trouble {
        let error = serde_json::from_value::<ApiError>(serde_json::json!(text)).expect("every text is an error");
        RequestError::Api(error).into()
    }

    #[test]
    fn each_refusal_has_its_consequence() {
        assert_eq!(api("Bad Request: can't parse entities: Unmatched end tag at byte offset 3"), Trouble::Markup);
        assert_eq!(api("Bad Request: message to edit not found"), Trouble::Lost);
        assert_eq!(api("Unauthorized"), Trouble::Token);
        assert_eq!(
            api("Conflict: terminated by other getUpdates request; make sure that only one bot instance is running"),
            Trouble::Conflict { webhook: false }
        );
        assert_eq!(
            api(
                "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook \
                 first"
            ),
            Trouble::Conflict { webhook: true }
        );
        assert_eq!(api("Internal Server Error"), Trouble::Failed);
        assert_eq!(api("Too Many Requests: retry later"), Trouble::Flood(Duration::from_secs(1)));
        for gone in [
            "Forbidden: bot was blocked by the user",
            "Forbidden: bot was kicked from the group chat",
            "Bad Request: chat not found",
            "Bad Request: not enough rights to send text messages to the chat",
        ] {
            assert!(matches!(api(gone).delivery(), Delivery::Refused { .. }), "{gone}");
        }
    }

    #[test]
    fn a_pause_of_149_seconds_is_asked_for_in_full() {
        let flood: Trouble = RequestError::RetryAfter(teloxide_core::types::Seconds::from_seconds(149)).into();
        let wait = Duration::from_secs(149);
        assert_eq!(flood.clone().delivery(), Delivery::Later { after: Some(wait), all: false });
        assert_eq!(flood.cut("@bot", "https://api.telegram.org").after, Some(wait));
    }

    #[test]
    fn an_answer_that_cannot_be_read_is_not_taken_for_a_refusal() {
        let raw = |raw: &str| {
            let source = serde_json::from_str::<u8>("x").expect_err("no number");
            Trouble::from(RequestError::InvalidJson { source: source.into(), raw: raw.into() })
        };
        assert_eq!(raw(r#"{"ok":true,"result":{"message_id":7,"new":1}}"#), Trouble::Taken(Some(7)));
        assert_eq!(raw("<html>Bad Gateway</html>"), Trouble::CutOff);
    }
}
