//! A completion that is a durable turn of a session.

use std::convert::Infallible;

use actix_web::HttpRequest;
use actix_web::web::Bytes;
use futures_util::stream;
use mosaic_runtime::events::Interest;
use mosaic_types::{Code, EventBody, Failure, FinishedTurn, Principal, Role, SessionId};

use super::Target;
use super::stateless::{Head, event_stream, failure_line};
use super::wire::{Completion, Delta};
use crate::gateway::attachments::{self, NewAttachment};
use crate::gateway::error::{Answer, ApiError};
use crate::gateway::events::{Following, failed};
use crate::gateway::messages::key_of;
use crate::gateway::server::Gate;
use crate::submission::submission;

/// Appends the last user message to the session and answers with the turn's final. What else the client sent of the
/// dialogue is ignored: the session knows it.
pub(super) async fn answer(
    gate: &Gate,
    who: Principal,
    id: SessionId,
    target: Target,
    mut wish: Completion,
    request: &HttpRequest,
) -> Answer {
    // A model asked for by its own name answers in place of the agent's models, for this turn.
    let (agent, model) = match target {
        Target::Agent(agent) => (agent, None),
        Target::Model(model) => (gate.doors.agents.choose(None)?, Some(model)),
    };
    let last = wish.messages()?.into_iter().rev().find(|message| message.role == Role::User).ok_or_else(|| {
        ApiError(Failure::new(Code::BadRequest, "There is no user message to append to the session."))
    })?;
    let pictures = last.images.iter().enumerate().map(|(index, image)| NewAttachment::picture(index + 1, image));
    let files = attachments::take(pictures.collect(), gate.doors.outside.clone()).await?;
    let ask = submission(&gate.doors.outside, id, who, last.text.to_string(), model, key_of(request)?)?;
    let mut ask = files.put(ask);
    ask.create = Some(agent);
    // Official clients repeat without a key; the repeat says so in a header.
    ask.repeats_last = request
        .headers()
        .get("x-stainless-retry-count")
        .and_then(|count| count.to_str().ok()?.parse::<u32>().ok())
        .is_some_and(|count| count > 0);
    let usage_wanted = wish.wants_usage();
    let head = Head::new(gate, wish.model);
    if !wish.stream {
        let mut following = Following::begin(gate, ask, Interest::Journaled).await?;
        return match following.end().await?.body.clone() {
            EventBody::TurnFinished(end) => Ok(head.completed(Some(&end.text), &[], &end.stop_reason, end.usage)),
            EventBody::TurnFailed { code, message, .. } => Ok(failed(code, message)),
            _ => Err(ApiError(Failure::new(Code::Cancelled, "The turn was cancelled."))),
        };
    }
    let following = Following::begin(gate, ask, Interest::All).await?;
    let speech = Speech { head, following, usage_wanted, step: 1, said: 0, begun: false, over: false };
    let pieces = stream::unfold(speech, |mut speech| async move {
        let bytes = speech.next().await?;
        Some((Ok::<_, Infallible>(bytes), speech))
    });
    Ok(event_stream().streaming(pieces))
}

/// A turn on its way out as chunks.
struct Speech {
    head: Head,
    following: Following,
    usage_wanted: bool,
    /// The step whose text is being sent: a turn that is steered has several.
    step: u32,
    /// Characters of it sent.
    said: usize,
    begun: bool,
    over: bool,
}

impl Speech {
    async fn next(&mut self) -> Option<Bytes> {
        if self.over {
            return None;
        }
        loop {
            let event = match self.following.next().await {
                Ok(Some(event)) => event,
                Ok(None) => return None,
                Err(error) => return Some(self.fail(&error.0)),
            };
            match &event.body {
                EventBody::TurnDelta { step, offset, text, .. }
                    if (*step > self.step && *offset == 0) || (*step == self.step && *offset == self.said) =>
                {
                    let mut out = Vec::with_capacity(512);
                    self.enter(&mut out, *step);
                    self.say(&mut out, text);
                    return Some(out.into());
                }
                // What was sent cannot be taken back on this wire.
                EventBody::TurnDelta { .. } | EventBody::TurnRestarted { .. } if self.begun => {
                    let sentence = "The answer was cut off and begins again. Repeat the request to get it whole.";
                    return Some(self.fail(&Failure::new(Code::Unavailable, sentence)));
                }
                EventBody::TurnFinished(end) => return Some(self.finish(end)),
                EventBody::TurnFailed { code, message, .. } => {
                    return Some(self.fail(&Failure::new(*code, message.clone())));
                }
                EventBody::TurnCancelled { .. } => {
                    return Some(self.fail(&Failure::new(Code::Cancelled, "The turn was cancelled.")));
                }
                _ => {}
            }
        }
    }

    /// What a step says is a paragraph of its own.
    fn enter(&mut self, out: &mut Vec<u8>, step: u32) {
        if step > self.step && self.begun {
            self.say(out, "\n\n");
        }
        if step > self.step {
            (self.step, self.said) = (step, 0);
        }
    }

    fn say(&mut self, out: &mut Vec<u8>, text: &str) {
        let role = (!self.begun).then_some("assistant");
        self.begun = true;
        self.said += text.chars().count();
        self.head.delta(out, Delta { role, content: Some(text), ..Delta::default() }, None);
    }

    fn fail(&mut self, failure: &Failure) -> Bytes {
        self.over = true;
        let mut out = Vec::new();
        failure_line(&mut out, failure);
        out.into()
    }

    /// What was not sent yet and the end, in one write.
    fn finish(&mut self, end: &FinishedTurn) -> Bytes {
        self.over = true;
        let mut out = Vec::new();
        let rest: String = end.text.chars().skip(self.said).collect();
        if !rest.is_empty() {
            self.say(&mut out, &rest);
        }
        self.head.finish(&mut out, &end.stop_reason, self.usage_wanted.then_some(end.usage));
        out.into()
    }
}
