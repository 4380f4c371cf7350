//! Looks at a bot as its owner would: the token, what it may read, and a message that arrives.

use reqwest::Method;
use serde_json::json;

use super::Inner;
use super::gateway::MAY_READ;
use super::outbound::{nobody, number};
use super::trouble::{CONTENT_SWITCH, Trouble};
use crate::allow::Mark;
use crate::channel::Note;

impl Inner {
    /// What was looked at, each with what to do where it is not well.
    pub(super) async fn look_at(&self, allow: &[Mark], mention: bool) -> Vec<Note> {
        let me = match self.rest.get("users/@me").await {
            Ok(me) => me,
            Err(trouble) => return vec![Note::bad(trouble.cut(self.rest.origin()).why)],
        };
        let name = format!("@{}", me["username"].as_str().unwrap_or_default());
        let mut notes = vec![Note::good(format!("The token is that of {name}."))];
        match self.rest.get("applications/@me").await {
            Ok(application) => {
                let reads = application["flags"].as_u64().unwrap_or(0) & MAY_READ != 0;
                notes.push(match (reads, mention) {
                    (true, _) => Note::good("Discord tells it what messages say: the Message Content intent is on."),
                    (false, true) => Note::good(format!(
                        "Discord tells it only what is said to it. That will do; replies that do not call it by name come \
                         without words, unless the intent is switched on: {CONTENT_SWITCH}."
                    )),
                    (false, false) => Note::bad(format!(
                        "mention is false, and yet Discord does not tell it what messages say. Switch that on: \
                         {CONTENT_SWITCH}; then start Mosaic again."
                    )),
                });
                let id = application["id"].as_str().unwrap_or_default();
                // View channels, send messages and files, also in threads, open threads, and read the history of all.
                notes.push(Note::good(format!(
                    "This address adds it to a guild: https://discord.com/oauth2/authorize?client_id={id}\
                     &scope=bot+applications.commands&permissions=309237746688"
                )));
            }
            Err(trouble) => {
                notes.push(Note::bad(format!("What it may read is not known. {}", trouble.cut(self.rest.origin()).why)))
            }
        }
        match self.rest.get("gateway/bot").await {
            Ok(gateway) => {
                let left = gateway["session_start_limit"]["remaining"].as_u64().unwrap_or_default();
                notes.push(Note::good(format!("It may begin {left} more sessions today.")));
            }
            Err(trouble) => notes.push(Note::bad(trouble.cut(self.rest.origin()).why)),
        }
        let someone = allow.iter().find(|mark| matches!(mark, Mark::User(_) | Mark::Chat(_)));
        notes.push(match someone {
            Some(mark) => self.greet(mark, &name).await,
            None => Note::good(format!(
                "No user and no channel is named in allow: whoever writes to {name} in private is given a code for `mosaic \
                 pair approve`. No test message was sent."
            )),
        });
        notes
    }

    /// Sends the test message.
    async fn greet(&self, mark: &Mark, name: &str) -> Note {
        let room = match mark {
            Mark::User(id) => self.open(id).await,
            Mark::Chat(id) => number(id).ok_or(Trouble::Lost),
            Mark::Role(_) | Mark::Guild(_) => Err(Trouble::Lost),
        };
        let text = "This is a test message of Mosaic: what it sends arrives here.";
        let message = json!({"content": text, "allowed_mentions": nobody()});
        let sent = match room {
            Ok(room) => self.rest.call(Method::POST, &format!("channels/{room}/messages"), Some(&message)).await,
            Err(trouble) => Err(trouble),
        };
        match (sent, mark) {
            (Ok(_), _) => Note::good(format!("A test message went to {mark}.")),
            (Err(Trouble::Never { code, why }), Mark::User(_)) => Note::bad(format!(
                "A test message to {mark} is refused: {why} ({code}). A bot may write to somebody only while they share a \
                 guild and let its members write to them: Privacy Settings of the guild, Direct Messages."
            )),
            (Err(Trouble::Never { code, why }), _) => Note::bad(format!(
                "A test message to {mark} is refused: {why} ({code}). Add {name} to that guild by the address above, and let \
                 it see the channel and write there."
            )),
            (Err(Trouble::Flood { wait, .. }), _) => {
                Note::bad(format!("Discord asks for a pause of {} s before it takes a message.", wait.as_secs() + 1))
            }
            (Err(trouble), _) => Note::bad(trouble.cut(self.rest.origin()).why),
        }
    }

    /// The room in which we are alone with somebody.
    pub(super) async fn open(&self, user: &str) -> Result<u64, Trouble> {
        let room = self.rest.call(Method::POST, "users/@me/channels", Some(&json!({"recipient_id": user}))).await?;
        room["id"].as_str().and_then(number).ok_or(Trouble::CutOff)
    }
}
