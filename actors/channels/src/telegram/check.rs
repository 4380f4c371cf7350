//! Looks at a bot as its owner would: the token, what stands in the way of hearing, and a message that arrives.

use teloxide_core::payloads::{GetMe, GetWebhookInfo, SendMessage};
use teloxide_core::types::{ChatId, WebhookInfo};

use super::Inner;
use super::ask::ask_by;
use super::hook::uncalled;
use super::trouble::{Trouble, cause};
use crate::allow::Mark;
use crate::channel::Note;

impl Inner {
    /// What was looked at, each with what to do where it is not well.
    pub(super) async fn look_at(&self, allow: &[Mark], mention: bool) -> Vec<Note> {
        let me = match ask_by(&self.bot, &GetMe::new()).await {
            Ok(me) => me,
            Err(error) => {
                let cause = cause(&error);
                return vec![match Trouble::from(error) {
                    Trouble::Away | Trouble::CutOff | Trouble::Failed => Note::bad(format!(
                        "{} cannot be reached, or breaks off{cause}. Is this machine online, and is that the address \
                         (api_url in the channel's table)?",
                        self.origin()
                    )),
                    trouble => Note::bad(trouble.cut("this bot", &self.origin()).why),
                }];
            }
        };
        let name = format!("@{}", me.user.username.clone().unwrap_or_default());
        let mut notes = vec![Note::good(format!("The token is that of {name}."))];
        match self.ask(GetWebhookInfo::new()).await {
            Ok(info) if self.hook.is_some() => notes.push(self.called_well(&info)),
            Ok(info) if info.url.is_some() => {
                notes.push(Note::bad(Trouble::Conflict { webhook: true }.cut(&name, &self.origin()).why))
            }
            Ok(_) => notes.push(Note::good("No webhook stands in the way of polling.")),
            Err(_) => notes.push(Note::bad("Telegram did not say whether a webhook is set. Try again.")),
        }
        if !me.can_join_groups {
            let sentence = "It cannot be added to groups; where that is wanted: BotFather, /setjoingroups, Enable.";
            notes.push(Note::good(sentence));
        }
        match (mention, me.can_read_all_group_messages) {
            (false, false) => notes.push(Note::bad(
                "mention is false, and yet Telegram tells it only of messages that address it: its privacy mode is on. \
                 BotFather, /setprivacy, this bot, Disable; then add it to each group anew.",
            )),
            (true, true) => {
                notes.push(Note::good("In groups it is told of every message, and answers where it is addressed."))
            }
            (true, false) => notes.push(Note::good("In groups it is told of messages that address it.")),
            (false, true) => notes.push(Note::good("In groups it is told of every message, and answers each.")),
        }
        let someone = allow.iter().find_map(|mark| match mark {
            Mark::User(id) | Mark::Chat(id) => id.parse().ok().map(|id| (ChatId(id), mark)),
            Mark::Role(_) | Mark::Guild(_) => None,
        });
        notes.push(match someone {
            None => Note::good(format!(
                "Nobody is named in allow: whoever writes to {name} in private is given a code for `mosaic pair approve`. \
                 No test message was sent."
            )),
            Some((chat, mark)) => self.greet(chat, mark, &name).await,
        });
        notes
    }

    /// Whether Telegram calls where it is to.
    fn called_well(&self, info: &WebhookInfo) -> Note {
        let url = self.hook.as_ref().map_or("", |(url, _)| url);
        match &info.url {
            Some(at) if at.as_str() != url => Note::bad(format!("Telegram calls {at} and not {url}.")),
            None => Note::bad(format!("Telegram does not call {url} yet; the channel's state says why.")),
            Some(_) if info.last_error_date.is_some() && info.pending_update_count > 0 => {
                Note::bad(uncalled(url, info))
            }
            Some(_) => Note::good(format!("Telegram calls {url}.")),
        }
    }

    /// Sends the test message.
    async fn greet(&self, chat: ChatId, mark: &Mark, name: &str) -> Note {
        let text = "This is a test message of Mosaic: what it sends arrives here.";
        match self.ask(SendMessage::new(chat, text)).await {
            Ok(_) | Err(Trouble::Taken(_)) => Note::good(format!("A test message went to {mark}.")),
            Err(Trouble::Never(why)) if chat.is_user() => Note::bad(format!(
                "A test message to {mark} is refused ({why}). A bot may write only to whoever wrote to it first: open \
                 https://t.me/{} and press Start.",
                name.trim_start_matches('@')
            )),
            Err(Trouble::Never(why)) => Note::bad(format!(
                "A test message to {mark} is refused ({why}). Add {name} to that group, and let it write there; the \
                 group's number is negative and begins with -100 where it is a supergroup."
            )),
            Err(Trouble::Flood(wait)) => {
                Note::bad(format!("Telegram asks for a pause of {} s before it takes a message.", wait.as_secs()))
            }
            Err(trouble) => Note::bad(trouble.cut(name, &self.origin()).why),
        }
    }
}
