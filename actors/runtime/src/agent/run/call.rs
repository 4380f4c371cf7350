//! Takes an order to an answer: calls a model, passes on what it says, and follows the plan when a call fails.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use mosaic_messages::{CallResult, RunId};
use mosaic_providers::ProviderError;
use mosaic_types::chat::{Sampling, ToolOffer};
use mosaic_types::event::FinishedTurn;
use mosaic_types::failure::NO_PROVIDER;
use mosaic_types::{
    ChatEvent, ChatMessage, ChatRequest, Classify, Code, Failure, ModelRef, Outside, Point, StopReason, Usage,
};
use tokio::time::{Instant, timeout};
use tracing::{Instrument, Span, field};

use super::actor::Keeper;
use super::plan::{Next, Plan};
use super::prompt;
use super::sink::{Left, Sink};
use crate::agent::AgentProfile;
use crate::lease::Lease;
use crate::provider::{ProviderHandle, Providers};

/// The dialogue to answer.
#[derive(Debug, Clone)]
pub enum RunInput {
    /// A session's: the agent's system prompt goes before it, and it is cut to what fits.
    Dialogue(Vec<ChatMessage>),
    /// A client's own: sent as it is.
    Verbatim(Arc<[ChatMessage]>),
}

/// A model in place of an agent's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chosen {
    pub model: ModelRef,
    /// Whose choice it was, in words.
    pub why: &'static str,
}

impl Chosen {
    /// Named by the input itself.
    pub fn by_input(model: ModelRef) -> Self {
        Self { model, why: "asked for by name" }
    }

    /// Set for the session until it is taken back.
    pub fn by_session(model: ModelRef) -> Self {
        Self { model, why: "chosen for this session" }
    }
}

/// What is wanted of a run.
pub struct RunOrder {
    pub run: RunId,
    pub input: RunInput,
    /// Instead of the agent's own models.
    pub model: Option<Chosen>,
    pub tools: Arc<[ToolOffer]>,
    pub sampling: Sampling,
    pub stream: bool,
    pub sink: Sink,
    pub outside: Outside,
    /// Who is told of the end, and what ends the run early.
    pub keeper: Option<Keeper>,
    /// The run's hold of its session, kept for as long as it lives.
    pub lease: Option<Lease>,
    pub span: Span,
}

/// How far one call came.
enum CallFailure {
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

/// Runs `order`; `None`: the caller left.
pub(super) async fn run(
    profile: &AgentProfile,
    providers: &Providers,
    order: &mut RunOrder,
) -> Option<Result<FinishedTurn, Failure>> {
    let mut plan = match order.model.clone() {
        Some(Chosen { model, why }) => Plan::only(model, why),
        None => Plan::new(profile.models.clone()),
    };
    loop {
        let Some(model) = plan.model().cloned() else {
            return Some(Err(Failure::new(Code::NoProvider, NO_PROVIDER)));
        };
        let Some(provider) = providers.get(&model.provider) else {
            let sentence = format!("There is no provider {}. `mosaic providers list` shows them.", model.provider);
            return Some(Err(Failure::new(Code::ModelNotFound, sentence)));
        };
        let (failure, shown) = match call(profile, provider, &model, order).await {
            Ok(mut finished) => {
                provider.ended(order.outside.now(), None);
                finished.route_reason = plan.reason();
                return Some(Ok(finished));
            }
            Err(CallFailure::Left) => return None,
            Err(CallFailure::Provider { error, shown }) => {
                let failure = error.failure();
                provider.ended(order.outside.now(), Some(failure.code));
                (failure, shown)
            }
            Err(CallFailure::Refused(failure)) => (failure, false),
        };
        let roll = f64::from(order.outside.bytes::<1>()[0]) / 255.0;
        let next = plan.failed(failure.class(), failure.code, shown, roll);
        tracing::info!(provider.name = %model.provider, model = %model.model, code = failure.code.as_str(), ?next, "call failed");
        match next {
            Next::GiveUp => return Some(Err(failure)),
            Next::Switch => {}
            Next::Again { after } => tokio::time::sleep(after).await,
        }
    }
}

async fn call(
    profile: &AgentProfile,
    provider: &ProviderHandle,
    model: &ModelRef,
    order: &mut RunOrder,
) -> Result<FinishedTurn, CallFailure> {
    let name = provider.resolve(model).await.map_err(|error| CallFailure::Provider { error, shown: false })?;
    let permit = provider.permit(&name).await.map_err(CallFailure::Refused)?;
    let mut report = Report { provider, model: name.clone(), result: CallResult::Abandoned, since: Instant::now() };
    // Names of fields as OpenTelemetry's conventions for generative AI have them. What is said is not among them.
    let span = tracing::debug_span!(
        "model.call",
        otel.name = %format_args!("chat {name}"),
        otel.kind = "client",
        otel.status_code = field::Empty,
        provider.name = %model.provider,
        gen_ai.operation.name = "chat",
        gen_ai.provider.name = %model.provider,
        gen_ai.request.model = %name,
        gen_ai.response.model = field::Empty,
        gen_ai.response.finish_reasons = field::Empty,
        gen_ai.usage.input_tokens = field::Empty,
        gen_ai.usage.output_tokens = field::Empty,
        error.type = field::Empty,
    );
    let result = answer(profile, provider, model, name, order).instrument(span.clone()).await;
    report.result = match &result {
        Ok(_) => CallResult::Answered,
        Err(CallFailure::Provider { error, .. }) => {
            span.record("otel.status_code", "ERROR").record("error.type", error.failure().code.as_str());
            CallResult::Failed(error.class())
        }
        Err(_) => CallResult::Abandoned,
    };
    if matches!(result, Err(CallFailure::Provider { .. })) {
        let called = ModelRef { provider: model.provider.clone(), model: report.model.clone() };
        order.sink.call_failed(&called);
    }
    drop(permit);
    result
}

async fn answer(
    profile: &AgentProfile,
    provider: &ProviderHandle,
    model: &ModelRef,
    name: Arc<str>,
    order: &mut RunOrder,
) -> Result<FinishedTurn, CallFailure> {
    let facts = provider.facts(&name);
    let messages = match &order.input {
        RunInput::Verbatim(messages) => messages.clone(),
        RunInput::Dialogue(dialogue) => {
            prompt::messages(&profile.system, dialogue, prompt::budget(profile.context_tokens, facts.window))
        }
    };
    let request = ChatRequest {
        model: name.clone(),
        messages,
        tools: order.tools.clone(),
        sampling: order.sampling.clone(),
        stream: order.stream,
    };
    let idle = provider.settings.idle;
    let unseen = |error| CallFailure::Provider { error, shown: false };
    let resolved = ModelRef { provider: model.provider.clone(), model: name };
    order.sink.call_began(&resolved).await?;
    Point::RunBeforeCall.pass();
    let sent = Instant::now();
    let mut stream = within(idle, provider, provider.adapter.chat(request)).await.map_err(unseen)?;
    order.sink.answering(&resolved).await?;
    let mut text = String::new();
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
                if matches!(order.sink, Sink::Session { .. }) && text.is_empty() && stop_reason == StopReason::ToolCalls
                {
                    let detail = "a call of a tool that was not offered".to_owned();
                    let error = ProviderError::Undecodable { provider: provider.adapter.name().clone(), detail };
                    return Err(CallFailure::Provider { error, shown });
                }
                Span::current().record("gen_ai.response.model", says.as_deref());
                order.sink.event(ChatEvent::Finished { stop_reason, usage, model: says }).await?;
                let spent = usage.unwrap_or_default();
                let cost_usd = price(facts.price, usage);
                Span::current()
                    .record("gen_ai.response.finish_reasons", stop_reason.as_str())
                    .record("gen_ai.usage.input_tokens", spent.input_tokens)
                    .record("gen_ai.usage.output_tokens", spent.output_tokens);
                provider.meter.used(spent, cost_usd);
                Point::RunAfterAnswer.pass();
                return Ok(FinishedTurn {
                    text,
                    model: resolved.model.to_string(),
                    provider: resolved.provider,
                    route_reason: String::new(),
                    stop_reason: stop_reason.as_str().to_owned(),
                    usage: spent,
                    cost_usd,
                });
            }
            Ok(event) => {
                if let (ChatEvent::Text(piece), Sink::Session { .. }) = (&event, &order.sink) {
                    text.push_str(piece);
                }
                if !std::mem::replace(&mut shown, true) {
                    provider.meter.first_token(sent.elapsed());
                }
                order.sink.event(event).await?;
                Point::RunMidStream.pass();
            }
            Err(error) => return Err(CallFailure::Provider { error, shown }),
        }
    }
}

/// `None` where the price or what was used is not known.
fn price(price: Option<mosaic_types::Price>, usage: Option<Usage>) -> Option<f64> {
    Some(price?.of(usage?))
}

/// Waits for a provider, as long as its idle limit allows.
async fn within<T>(
    idle: Duration,
    provider: &ProviderHandle,
    work: impl Future<Output = Result<T, ProviderError>>,
) -> Result<T, ProviderError> {
    timeout(idle, work).await.unwrap_or_else(|_| Err(provider.stalled()))
}

/// Tells the provider's actor how a call went, also when the run is dropped in the middle of it.
struct Report<'a> {
    provider: &'a ProviderHandle,
    model: Arc<str>,
    result: CallResult,
    since: Instant,
}

impl Drop for Report<'_> {
    fn drop(&mut self) {
        self.provider.meter.ended(self.result, self.since.elapsed());
        self.provider.report(self.model.clone(), self.result);
    }
}
