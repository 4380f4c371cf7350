//! One call of the Bot API, with the library's types. The library's own way waits ten seconds after a server's error and
//! has everyone who waits for that call wait too; here each failure is told at once, and who called decides when to try again.

use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use teloxide_core::requests::Payload;
use teloxide_core::types::ResponseParameters;
use teloxide_core::{ApiError, Bot, RequestError};

use super::Inner;
use super::trouble::Trouble;

#[derive(Deserialize)]
struct Done<T> {
    result: T,
}

#[derive(Deserialize)]
struct Refused {
    description: ApiError,
    #[serde(default)]
    parameters: serde_json::Value,
}

impl Inner {
    /// Where it is called, as people are told: without the token.
    pub(super) fn origin(&self) -> String {
        self.bot.api_url().origin().ascii_serialization()
    }

    /// Calls a method that is answered at once.
    pub(super) async fn ask<P>(&self, payload: P) -> Result<P::Output, Trouble>
    where
        P: Payload + Serialize,
        P::Output: DeserializeOwned,
    {
        Ok(ask_by(&self.bot, &payload).await?)
    }
}

/// Calls a method by this bot's client, with its patience.
pub(super) async fn ask_by<P>(bot: &Bot, payload: &P) -> Result<P::Output, RequestError>
where
    P: Payload + Serialize,
    P::Output: DeserializeOwned,
{
    let mut url = bot.api_url();
    url.path_segments_mut()
        .expect("it was looked at when the settings were read")
        .pop_if_empty()
        .push(&format!("bot{}", bot.token()))
        .push(P::NAME);
    let body = serde_json::to_vec(payload).expect("the library's payloads are plain data");
    let sent = bot.client().post(url).header("content-type", "application/json").body(body).send().await?;
    read(&sent.text().await?)
}

/// What an answer says, whatever its status: an error of Telegram's is a sentence of its own.
fn read<T: DeserializeOwned>(text: &str) -> Result<T, RequestError> {
    let unread = match serde_json::from_str::<Done<T>>(text) {
        Ok(done) => return Ok(done.result),
        Err(error) => error,
    };
    let Ok(Refused { description, parameters }) = serde_json::from_str(text) else {
        return Err(RequestError::InvalidJson { source: Arc::new(unread), raw: text.into() });
    };
    Err(match serde_json::from_value(parameters) {
        Ok(ResponseParameters::RetryAfter(wait)) => RequestError::RetryAfter(wait),
        Ok(ResponseParameters::MigrateToChatId(chat)) => RequestError::MigrateToChatId(chat),
        Err(_) => RequestError::Api(description),
    })
}

#[cfg(test)]
mod tests {
    use teloxide_core::types::{ChatId, Seconds, Update, UpdateKind};

    use super::*;

    #[test]
    fn an_answer_is_its_result_or_what_stands_in_its_way() {
        assert!(read::<bool>(r#"{"ok":true,"result":true}"#).expect("it is done"));
        let refused = |text| read::<bool>(text).expect_err("it is refused");
        let wait = refused(r#"{"ok":false,"error_code":429,"description":"x","parameters":{"retry_after":149}}"#);
        assert!(matches!(wait, RequestError::RetryAfter(wait) if wait == Seconds::from_seconds(149)));
        let moved = refused(r#"{"ok":false,"description":"x","parameters":{"migrate_to_chat_id":-1005}}"#);
        assert!(matches!(moved, RequestError::MigrateToChatId(ChatId(-1005))));
        for sentence in
            [r#"{"ok":false,"description":"Unauthorized"}"#, r#"{"ok":false,"description":"x","parameters":{}}"#]
        {
            assert!(matches!(refused(sentence), RequestError::Api(_)), "{sentence}");
        }
        assert!(matches!(refused("<html>Bad Gateway</html>"), RequestError::InvalidJson { .. }));
    }

    #[test]
    fn an_update_that_cannot_be_read_does_not_take_its_neighbours_with_it() {
        let text = r#"{"ok":true,"result":[{"update_id":1,"message":{"odd":true}},{"update_id":2,"new_in_2030":{}}]}"#;
        let updates: Vec<Update> = read(text).expect("they are read");
        assert_eq!(updates.iter().map(|update| update.id.0).collect::<Vec<_>>(), [1, 2]);
        assert!(matches!(updates[0].kind, UpdateKind::Error(_)));
    }
}
