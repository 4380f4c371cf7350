//! One call of a model: waits for leave, sends it, passes on what it says, and sees that it is paid for.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use mosaic_messages::CallResult;
use mosaic_providers::ProviderError;
use mosaic_types::event::FinishedTurn;
use mosaic_types::{
    ChatEvent, ChatRequest, Classify, Code, Failure, ModelRef, Point, Spent, StopReason, ToolCall, Usage, poison,
};
use tokio::time::{Instant, timeout};
use tracing::{Instrument, Span, field};

use super::again;
use super::asked::Calls;
use super::bill::{Bill, Progress, price};
use super::books::{Books, Place};
use super::course::Ended;
use super::fare;
use super::lanes::Voice;
use super::order::{RunInput, RunOrder};
use super::prompt;
use super::sink::{Left, Sink};
use crate::agent::AgentProfile;
use crate::provider::{ProviderHandle, Providers};

/// Tokens that an answer may have where nobody bounds it, for limits a minute.
const UNKNOWN_OUTPUT: u64 = 1_024;

/// What calls of a run have in common.
#[derive(Clone, Copy)]
pub(super) struct Ask<'a> {
    pub(super) profile: &'a AgentProfile,
    pub(super) providers: &'a Providers,
    pub(super) order: &'a RunOrder,
    pub(super) input: &'a RunInput,
    pub(super) books: &'a Books,
}

/// A call that was answered.
#[derive(Debug)]
pub(super) struct Answer {
    /// Empty where the caller puts it together itself.
    pub(super) text: String,
    /// Tools of ours that it asks for.
    pub(super) asked: Vec<ToolCall>,
    /// As its provider names it.
    pub(super) model: ModelRef,
    pub(super) stop_reason: StopReason,
    pub(super) spent: Spent,
    /// Of its call in the books.
    pub(super) place: Place,
    /// How long ago the same was answered so: there was no call.
    pub(super) again: Option<Duration>,
}

impl Answer {
    /// What the run came to by it.
    pub(super) fn into_ended(mut self, route_reason: String) -> Ended {
        let asked = std::mem::take(&mut self.asked);
        Ended { turn: self.into_turn(route_reason), asked }
    }

    /// The turn that this is the end of.
    pub(super) fn into_turn(self, route_reason: String) -> FinishedTurn {
        FinishedTurn {
            text: self.text,
            model: self.model.model.to_string(),
            provider: self.model.provider,
            route_reason,
            stop_reason: self.stop_reason.as_str().to_owned(),
            usage: self.spent.usage,
            cost_usd: self.spent.cost_usd,
        }
    }
}

/// How far one call came.
#[derive(Debug)]
pub(super) enum CallFailure {
    /// The provider's fault; `shown`: part of the answer was passed on.
    Provider {
        error: ProviderError,
        shown: bool,
    },
    /// Refused before it was sent.
    Refused(Failure),
    Left,
}

impl From<Left> for CallFailure {
    fn from(_: Left) -> Self {
        Self::Left
    }
}

impl CallFailure {
    /// The failure, and whether part of the answer was passed on; `None`: nobody wants to know.
    pub(super) fn told(self) -> Option<(Failure, bool)> {
        match self {
            Self::Provider { error, shown } => Some((error.failure(), shown)),
            Self::Refused(failure) => Some((failure, false)),
            Self::Left => None,
        }
    }
}

/// Calls `model` once.
pub(super) async fn call(ask: Ask<'_>, model: &ModelRef, voice: Voice<'_>) -> Result<Answer, CallFailure> {
    let Some(provider) = ask.providers.get(&model.provider) else {
        let sentence = format!("There is no provider {}. `mosaic providers list` shows them.", model.provider);
        return Err(CallFailure::Refused(Failure::new(Code::ModelNotFound, sentence)));
    };
    let result = admitted(ask, &provider, model, voice).await;
    let failed = match &result {
        Ok(answer) if answer.again.is_some() => None,
        Ok(_) => Some(None),
        Err(CallFailure::Provider { error, .. }) => Some(Some(error.failure().code)),
        Err(_) => None,
    };
    if let Some(failed) = failed {
        provider.ended(ask.order.outside.now(), failed);
    }
    result
}

async fn admitted(
    ask: Ask<'_>,
    provider: &ProviderHandle,
    model: &ModelRef,
    voice: Voice<'_>,
) -> Result<Answer, CallFailure> {
    let name = provider.resolve(model).await.map_err(|error| CallFailure::Provider { error, shown: false })?;
    let called = ModelRef { provider: model.provider.clone(), model: name };
    let mut request = request(ask, provider, &called, voice).await?;
    let reuse = again::key(ask, &called, &request, voice);
    if let Some(kept) = reuse.as_ref().and_then(again::Again::find) {
        return again::say(&called, kept, voice).await;
    }
    let input_tokens = prompt::estimate(&request.messages);
    let foreseen = input_tokens.saturating_add(request.sampling.max_tokens.unwrap_or(UNKNOWN_OUTPUT));
    let facts = provider.facts(&called.model);
    let reservation = ask.order.budgets.reserve(ask.books.payer(), || fare::quote(&request, facts)).await;
    let reservation = reservation.map_err(CallFailure::Refused)?;
    let short = reservation.answer().is_some_and(|tokens| fare::bound(&mut request, facts, tokens));
    let sent = Usage::new(input_tokens, 0);
    let sent = Spent { usage: sent, cost_usd: price(facts.price, Some(sent)) };
    // Before it takes a place at its provider: it may wait for the store, and others need not wait for that.
    let place = ask.books.intend(voice.lane().map(|lane| lane.number), &called, sent).await;
    let asker = ask.books.asker();
    let permit = provider.permit(&called.model, asker, foreseen).await.map_err(CallFailure::Refused)?;
    ask.books.begin(place, &called, sent);
    // Names of fields as OpenTelemetry's conventions for generative AI have them. What is said is not among them.
    let span = tracing::debug_span!(
        "model.call",
        otel.name = %format_args!("chat {}", called.model),
        otel.kind = "client",
        otel.status_code = field::Empty,
        provider.name = %called.provider,
        gen_ai.operation.name = "chat",
        gen_ai.provider.name = %called.provider,
        gen_ai.request.model = %called.model,
        gen_ai.response.model = field::Empty,
        gen_ai.response.finish_reasons = field::Empty,
        gen_ai.usage.input_tokens = field::Empty,
        gen_ai.usage.output_tokens = field::Empty,
        error.type = field::Empty,
    );
    let mut bill = Bill::open(provider, &called, ask.books, place, voice);
    (bill.input_tokens, bill.foreseen, bill.reservation) = (input_tokens, foreseen, Some(reservation));
    bill.short = short;
    let whole = reuse.is_some() || voice.keeps_text();
    let result = answer(ask, provider, &called, request, voice, whole, &mut bill).instrument(span.clone()).await;
    if let (Some(reuse), Ok(answer)) = (&reuse, &result) {
        reuse.keep(answer);
    }
    bill.result = match &result {
        Ok(_) => CallResult::Answered,
        Err(CallFailure::Provider { error, .. }) => {
            let code = error.failure().code;
            span.record("otel.status_code", "ERROR").record("error.type", code.as_str());
            bill.cause = Some(code);
            voice.call_failed(&called);
            CallResult::Failed(error.class())
        }
        Err(_) => CallResult::Abandoned,
    };
    drop(permit);
    result
}

/// What is sent.
async fn request(
    ask: Ask<'_>,
    provider: &ProviderHandle,
    called: &ModelRef,
    voice: Voice<'_>,
) -> Result<ChatRequest, CallFailure> {
    let (order, profile) = (ask.order, ask.profile);
    let facts = provider.facts(&called.model);
    let mut messages = match ask.input {
        RunInput::Verbatim(messages) => messages.clone(),
        RunInput::Dialogue(dialogue) => {
            prompt::messages(&profile.system, dialogue, prompt::budget(profile.context_tokens, facts.window))
        }
    };
    if let Some(shelf) = &order.shelf {
        messages = shelf.fill(messages, facts.vision != Some(false)).await.map_err(CallFailure::Refused)?;
    }
    // A model that is known to call none is asked all the same where there is no other.
    let tools = if facts.tools == Some(false) && matches!(order.sink, Sink::Session { .. }) {
        Arc::default()
    } else {
        order.tools.clone()
    };
    if matches!(ask.input, RunInput::Dialogue(_)) {
        messages = prompt::with_tools(messages, !tools.is_empty());
    }
    let mut sampling = order.sampling.clone();
    if order.last && !tools.is_empty() {
        sampling.tool_choice = Some("none".into());
    }
    Ok(ChatRequest {
        model: called.model.clone(),
        messages,
        tools,
        sampling,
        stream: order.stream || matches!(voice, Voice::Lane(..)),
    })
}

async fn answer(
    ask: Ask<'_>,
    provider: &ProviderHandle,
    called: &ModelRef,
    request: ChatRequest,
    voice: Voice<'_>,
    whole: bool,
    bill: &mut Bill<'_>,
) -> Result<Answer, CallFailure> {
    let facts = provider.facts(&called.model);
    let idle = provider.settings.idle;
    let unseen = |error| CallFailure::Provider { error, shown: false };
    voice.call_began(called);
    Point::RunBeforeCall.pass();
    poison::taste(request.messages.last().map_or("", |message| &message.text));
    let sent = Instant::now();
    bill.progress = Progress::Sent;
    bill.sent = Some(sent);
    let mut stream = within(idle, provider, provider.chat(request)).await.map_err(unseen)?;
    bill.progress = Progress::Begun;
    voice.answering(called).await?;
    let mut text = String::new();
    let mut calls = Calls::default();
    // Who has no tools, or asked for enough of them, is to answer in words.
    let takes_tools = voice.has_caller() || (!ask.order.tools.is_empty() && !ask.order.last);
    let mut shown = false;
    loop {
        let event = within(idle, provider, async { stream.next().await.transpose() }).await;
        let event = event.and_then(|event| {
            event.ok_or_else(|| ProviderError::Truncated {
                provider: provider.adapter.name().clone(),
                detail: "no last event".to_owned(),
            })
        });
        match event {
            Ok(ChatEvent::Finished { stop_reason, usage, model: says }) => {
                bill.said = usage;
                if ask.order.last && !calls.is_empty() {
                    return Err(CallFailure::Refused(super::tools::too_many(ask.profile)));
                }
                let none = calls.is_empty() || !takes_tools;
                if !voice.has_caller() && none && text.is_empty() && stop_reason == StopReason::ToolCalls {
                    let detail = "a call of a tool that was not offered".to_owned();
                    let error = ProviderError::Undecodable { provider: provider.adapter.name().clone(), detail };
                    return Err(CallFailure::Provider { error, shown });
                }
                Span::current().record("gen_ai.response.model", says.as_deref());
                // Who does not say what was used is paid all the same.
                let used = usage.unwrap_or_else(|| bill.reckoned());
                let spent = Spent { usage: used, cost_usd: price(facts.price, Some(used)) };
                bill.progress = Progress::Answered;
                if stop_reason == StopReason::Length {
                    bill.cut_short();
                }
                bill.cost_usd = spent.cost_usd;
                bill.used = spent.usage.input_tokens.saturating_add(spent.usage.output_tokens);
                Span::current()
                    .record("gen_ai.response.finish_reasons", stop_reason.as_str())
                    .record("gen_ai.usage.input_tokens", spent.usage.input_tokens)
                    .record("gen_ai.usage.output_tokens", spent.usage.output_tokens);
                provider.meter.used(spent.usage, spent.cost_usd);
                if voice.lane().is_none() {
                    ask.books.pay_answer(bill.place, called, spent);
                }
                voice.event(ChatEvent::Finished { stop_reason, usage, model: says }).await?;
                Point::RunAfterAnswer.pass();
                let asked = if takes_tools { calls.done(ask.input) } else { Vec::new() };
                let (model, place) = (called.clone(), bill.place);
                return Ok(Answer { text, asked, model, stop_reason, spent, place, again: None });
            }
            Ok(event) => {
                match &event {
                    ChatEvent::Text(piece) | ChatEvent::Thinking(piece) => bill.heard_bytes += piece.len(),
                    ChatEvent::ToolCall { arguments, .. } => bill.heard_bytes += arguments.len(),
                    ChatEvent::Finished { .. } => {}
                }
                if !voice.has_caller() {
                    calls.hear(&event);
                }
                if let (ChatEvent::Text(piece), true) = (&event, whole) {
                    text.push_str(piece);
                }
                if !std::mem::replace(&mut shown, true) {
                    let after = sent.elapsed();
                    provider.meter.first_token(after);
                    bill.first = Some(after);
                }
                voice.event(event).await?;
                Point::RunMidStream.pass();
            }
            Err(error) => return Err(CallFailure::Provider { error, shown }),
        }
    }
}

/// Waits for a provider, as long as its idle limit allows.
async fn within<T>(
    idle: Duration,
    provider: &ProviderHandle,
    work: impl Future<Output = Result<T, ProviderError>>,
) -> Result<T, ProviderError> {
    timeout(idle, work).await.unwrap_or_else(|_| Err(provider.stalled()))
}
