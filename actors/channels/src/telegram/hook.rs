//! The other way in: Telegram calls us. What it says is confirmed by the answer to its call, so it is kept there until it
//! is done with; of one chat it tells the next only then.

use std::convert::Infallible;
use std::time::Duration;

use teloxide_core::payloads::{DeleteWebhook, GetWebhookInfo, SetWebhook, SetWebhookSetters};
use teloxide_core::types::{Update, WebhookInfo};
use tokio::time::sleep;

use super::Inner;
use super::poll::ALLOWED;
use super::trouble::Trouble;
use crate::channel::Hearing;
use crate::config::HOOKS;
use crate::talk::Talk;

/// How often Telegram is asked how its calls go. Within the span in which a way in must be proven.
const LOOK: Duration = Duration::from_secs(30);

/// Calls at once, at the most.
const CALLS: u8 = 20;

/// What is called before we know our own name is told again after so long.
const SOON: Duration = Duration::from_secs(1);

impl Inner {
    /// Has Telegram call `url`, and sees to it that it does.
    pub(super) async fn be_called(&self, url: &str, secret: &str, talk: &Talk) -> Result<Infallible, Trouble> {
        let at = url.parse().expect("it was looked at when the settings were read");
        let set = SetWebhook::new(at).secret_token(secret).allowed_updates(ALLOWED).max_connections(CALLS);
        self.ask(set).await?;
        let mut failed = None;
        loop {
            let info = self.ask(GetWebhookInfo::new()).await?;
            if info.url.as_ref().is_none_or(|at| at.as_str() != url) {
                return Err(Trouble::Elsewhere);
            }
            let failure = info.last_error_date.filter(|_| info.pending_update_count > 0);
            match failure.filter(|at| failed.replace(*at).is_none_or(|before| before != *at)) {
                Some(_) => talk.status().cut(uncalled(url, &info)),
                None if failure.is_none() => talk.proven(),
                None => {}
            }
            if info.pending_update_count == 0 {
                talk.caught_up().await;
            }
            sleep(LOOK).await;
        }
    }

    /// Takes in what a call says.
    pub(super) async fn take_call(&self, body: &[u8], talk: &Talk) -> Hearing {
        let Some(me) = self.me.borrow().clone() else { return Hearing::Again(SOON) };
        // From text, as the library's types want it.
        let update = std::str::from_utf8(body).ok().and_then(|text| serde_json::from_str::<Update>(text).ok());
        let Some(update) = update else {
            tracing::warn!("a call of Telegram's cannot be read and is passed over");
            return Hearing::Done;
        };
        talk.proven();
        match self.sort(vec![update], &me).pop() {
            Some((_, said)) => self.hear_all(said, talk).await.map_or(Hearing::Done, |(_, wait)| Hearing::Again(wait)),
            None => Hearing::Done,
        }
    }

    /// Takes back the wish to be called, where it was one of ours: the channel is polled now.
    pub(super) async fn take_back(&self) -> Result<bool, Trouble> {
        let info = self.ask(GetWebhookInfo::new()).await?;
        let ours = info.url.is_some_and(|at| at.path().ends_with(&format!("{HOOKS}{}", self.name)));
        if ours {
            self.ask(DeleteWebhook::new()).await?;
            tracing::info!(channel.name = %self.name, "Telegram no longer calls this channel: it is polled");
        }
        Ok(ours)
    }
}

/// What is the matter with its calls, in a sentence.
pub(super) fn uncalled(url: &str, info: &WebhookInfo) -> String {
    let why = info.last_error_message.as_deref().unwrap_or("it does not say why");
    format!(
        "Telegram's calls of {url} fail: {why}. {} messages wait there. The address must be reached from the internet by \
         https, and lead to this daemon's own.",
        info.pending_update_count
    )
}
