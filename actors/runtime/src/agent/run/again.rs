//! Answers that were given to the same before, where the agent wants them given again.

use mosaic_types::{ChatEvent, ChatRequest, ModelRef, SessionId, Spent, StopReason, Usage};
use tokio::time::Instant;

use super::call::{Answer, Ask, CallFailure};
use super::foresee;
use super::lanes::Voice;
use crate::reuse::{Kept, Reuse, ReuseKey};

/// One request and the place where its answer may be kept.
pub(super) struct Again<'a> {
    reuse: &'a Reuse,
    key: ReuseKey,
    session: Option<&'a SessionId>,
}

/// Where the answer to a request is looked for and kept; `None`: it is to be one of its own. One of several calls is.
pub(super) fn key<'a>(ask: Ask<'a>, called: &ModelRef, request: &ChatRequest, voice: Voice<'_>) -> Option<Again<'a>> {
    let reuse = ask.profile.reuse.as_ref().filter(|_| voice.lane().is_none())?;
    let payer = ask.books.payer();
    let key = Reuse::key(payer.user, called, request)?;
    Some(Again { reuse, key, session: payer.session.as_ref() })
}

impl Again<'_> {
    pub(super) fn find(&self) -> Option<Kept> {
        self.reuse.find(self.key, self.session, Instant::now())
    }

    /// Keeps an answer that came to its natural end: what was cut off, held back or is no text is none to be given again.
    pub(super) fn keep(&self, answer: &Answer) {
        if answer.stop_reason == StopReason::Stop {
            self.reuse.keep(self.key, &answer.text, self.session, Instant::now());
        }
    }
}

/// Gives an answer again. It costs nothing.
pub(super) async fn say(called: &ModelRef, kept: Kept, voice: Voice<'_>) -> Result<Answer, CallFailure> {
    voice.call_began(called);
    voice.answering(called).await?;
    voice.event(ChatEvent::Text(kept.text.as_ref().to_owned())).await?;
    let (stop_reason, usage) = (StopReason::Stop, Some(Usage::default()));
    voice.event(ChatEvent::Finished { stop_reason, usage, model: None }).await?;
    Ok(Answer {
        text: kept.text.as_ref().to_owned(),
        model: called.clone(),
        stop_reason,
        asked: Vec::new(),
        spent: Spent::default(),
        place: foresee::FIRST,
        again: Some(kept.age),
    })
}
