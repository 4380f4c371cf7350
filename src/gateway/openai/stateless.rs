//! A call that leaves nothing behind: straight from the client to a run of an agent and back.

use std::convert::Infallible;

use actix_web::HttpResponse;
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::web::Bytes;
use futures_util::stream;
use mosaic_runtime::agent::run::{Chosen, Piece, RunInput, RunOrder, Sink, died};
use mosaic_runtime::drain::Busy;
use mosaic_runtime::routing::{Asked, needs_of, tokens_of};
use mosaic_types::chat::{Effort, Sampling, ToolOffer};
use mosaic_types::journal::API_CHANNEL;
use mosaic_types::routing::{Need, Route};
use mosaic_types::{AgentName, ChatEvent, ChatMessage, Failure, Role, Timestamp, Usage, UserId};
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TryRecvError;

use super::Target;
use super::wire::{
    CallKind, CallPiece, Choice, Chunk, ChunkChoice, Completed, Completion, Delta, Extra, FunctionPiece, Said, SaidCall,
};
use crate::gateway::error::{Answer, ApiError, ErrorBody};
use crate::gateway::server::Gate;

/// Pieces of an answer that may wait for a slow client before the provider is made to wait too.
const PIECES: usize = 64;

/// The fields that all chunks of one answer share.
pub(super) struct Head {
    pub(super) id: String,
    pub(super) created: i64,
    pub(super) model: String,
}

impl Head {
    pub(super) fn new(gate: &Gate, model: String) -> Self {
        let outside = &gate.doors.outside;
        Self { id: format!("chatcmpl-{}", outside.uuid().simple()), created: outside.now().unix_seconds(), model }
    }

    fn chunk(&self, out: &mut Vec<u8>, choices: Vec<ChunkChoice<'_>>, usage: Option<Usage>) {
        let chunk = Chunk {
            id: &self.id,
            object: "chat.completion.chunk",
            created: self.created,
            model: &self.model,
            choices,
            usage: usage.map(Into::into),
        };
        line(out, &chunk);
    }

    /// A piece of the answer.
    pub(super) fn delta(&self, out: &mut Vec<u8>, delta: Delta<'_>, finish_reason: Option<&str>) {
        self.chunk(out, vec![ChunkChoice { index: 0, delta, finish_reason }], None);
    }

    /// The end of a stream: why it stopped, the usage where it was asked for, and the closing line.
    pub(super) fn finish(&self, out: &mut Vec<u8>, stop_reason: &str, usage: Option<Usage>) {
        self.delta(out, Delta::default(), Some(stop_reason));
        if usage.is_some() {
            self.chunk(out, Vec::new(), usage);
        }
        out.extend_from_slice(b"data: [DONE]\n\n");
    }

    /// A whole answer.
    pub(super) fn completed(
        &self,
        text: Option<&str>,
        calls: &[SaidCall],
        finish_reason: &str,
        usage: Usage,
    ) -> HttpResponse {
        let message = Said { role: "assistant", content: text, tool_calls: calls };
        HttpResponse::Ok().json(Completed {
            id: &self.id,
            object: "chat.completion",
            created: self.created,
            model: &self.model,
            choices: [Choice { index: 0, message, finish_reason }],
            usage: usage.into(),
        })
    }
}

/// A value as one server-sent event.
fn line(out: &mut Vec<u8>, value: &impl serde::Serialize) {
    out.extend_from_slice(b"data: ");
    // Our own shapes always serialise: no map with odd keys, no number out of range.
    let _ = serde_json::to_writer(&mut *out, value);
    out.extend_from_slice(b"\n\n");
}

/// A failure in the middle of a stream, as a server-sent event.
pub(super) fn failure_line(out: &mut Vec<u8>, failure: &Failure) {
    line(out, &ErrorBody::new(failure));
}

pub(super) async fn answer(gate: &Gate, payer: UserId, target: Target, mut wish: Completion) -> Answer {
    // Held to the last piece, so that a daemon that stops lets it finish.
    let busy = gate.doors.work.admit()?;
    let mut messages = wish.messages()?;
    let mut sampling = wish.sampling();
    let agents = &gate.doors.agents;
    let (agent, model) = match target {
        Target::Agent(agent) => {
            if let Some(profile) = agents.profile(&agent) {
                if !profile.system.is_empty() {
                    messages.insert(0, ChatMessage::new(Role::System, profile.system.clone()));
                }
                sampling.temperature = sampling.temperature.or(profile.temperature);
                sampling.max_tokens = sampling.max_tokens.or(profile.max_output_tokens);
            }
            (agent, None)
        }
        // A model asked for by its own name runs under the default agent, without its system prompt.
        Target::Model(model) => (gate.doors.agents.choose(None)?, Some(Chosen::by_input(model))),
    };
    let (tools, at) = (wish.tools(), gate.doors.outside.now());
    // A model that was named answers, whatever rules say.
    let route = if model.is_none() { route(gate, payer, &agent, &messages, &tools, &sampling, at).await } else { None };
    let why = match (&model, &route) {
        (Some(chosen), _) => chosen.why,
        (None, Some(route)) => route.reason.as_str(),
        (None, None) => "the agent's own models",
    };
    let why = header(why);
    let (pieces, mut heard) = mpsc::channel(PIECES);
    let order = RunOrder {
        last: false,
        work: None,
        run: agents.next_run(),
        input: RunInput::Verbatim(messages.into()),
        shelf: None,
        model,
        route,
        tools,
        sampling,
        stream: wish.stream,
        sink: Sink::Caller(pieces),
        outside: gate.doors.outside.clone(),
        payer,
        till: gate.doors.till.clone(),
        budgets: gate.doors.budgets.clone(),
        parts: Vec::new(),
        keeper: None,
        lease: None,
        span: tracing::debug_span!("completion", model = %wish.model),
    };
    agents.run(&agent, gate.doors.providers.clone(), order).await?;
    // The status is given only when a model has begun to answer.
    let model = match heard.recv().await {
        Some(Piece::Began { model }) => header(&model.to_string()),
        Some(Piece::Failed(failure)) => return Err(ApiError(failure)),
        Some(Piece::Event(_)) | None => return Err(ApiError(died())),
    };
    let usage_wanted = wish.wants_usage();
    let head = Head::new(gate, wish.model);
    let mut answer =
        if wish.stream { stream_pieces(head, heard, usage_wanted, busy) } else { whole(&head, heard).await? };
    answer.headers_mut().insert(HeaderName::from_static("x-mosaic-model"), model);
    answer.headers_mut().insert(HeaderName::from_static("x-mosaic-route"), why);
    Ok(answer)
}

/// A text as a header bears it: what is no plain letter is a question mark.
fn header(text: &str) -> HeaderValue {
    let plain = |letter: char| if letter == ' ' || letter.is_ascii_graphic() { letter } else { '?' };
    let text: String = text.chars().map(|letter| if "“”".contains(letter) { '"' } else { plain(letter) }).collect();
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("?"))
}

/// What a rule says of a call: its text is what the user said last, and all that it sends must be read.
async fn route(
    gate: &Gate,
    user: UserId,
    agent: &AgentName,
    messages: &[ChatMessage],
    tools: &[ToolOffer],
    sampling: &Sampling,
    at: Timestamp,
) -> Option<Box<Route>> {
    let routing = &gate.doors.routing;
    if !routing.has_rules(user) {
        return None;
    }
    let last = messages.iter().rev().skip_while(|message| message.role != Role::User);
    let mut texts: Vec<&str> =
        last.take_while(|message| message.role == Role::User).map(|message| &*message.text).collect();
    texts.reverse();
    let mut needs = needs_of(messages);
    let wants = [
        (Need::Tools, !tools.is_empty()),
        (Need::Thinking, sampling.effort.is_some_and(|effort| !matches!(effort, Effort::None | Effort::Minimal))),
        (Need::Json, sampling.response_format.as_ref().is_some_and(|format| format["type"] != "text")),
    ];
    needs.extend(wants.iter().filter(|(_, wanted)| *wanted).map(|(need, _)| *need));
    let tokens = tokens_of(messages.iter().map(|message| &*message.text));
    let (session, channel) = (None, API_CHANNEL);
    let asked = Asked { user, session, texts: &texts, attached: 0, agent, channel, needs: &needs, tokens, at };
    routing.look(&*gate.doors.store, &asked.payer()).await;
    routing.route(asked)
}

async fn whole(head: &Head, mut heard: mpsc::Receiver<Piece>) -> Answer {
    let mut text: Option<String> = None;
    let mut calls: Vec<SaidCall> = Vec::new();
    loop {
        match heard.recv().await {
            Some(Piece::Began { .. }) | Some(Piece::Event(ChatEvent::Thinking(_))) => {}
            Some(Piece::Event(ChatEvent::Text(piece))) => match &mut text {
                Some(text) => text.push_str(&piece),
                None => text = Some(piece),
            },
            Some(Piece::Event(ChatEvent::ToolCall { index, id, name, arguments, signature })) => {
                if index as usize >= calls.len() {
                    calls.push(SaidCall::default());
                }
                // A gap in the numbering would be the provider's mistake; it is closed, not kept.
                let last = calls.len() - 1;
                let call = &mut calls[last.min(index as usize)];
                id.into_iter().for_each(|id| call.id = id);
                name.into_iter().for_each(|name| call.function.name = name);
                call.function.arguments.push_str(&arguments);
                signature.into_iter().for_each(|signature| call.extra_content = Some(signature.into()));
            }
            Some(Piece::Event(ChatEvent::Finished { stop_reason, usage, .. })) => {
                let text = if calls.is_empty() { Some(text.as_deref().unwrap_or_default()) } else { text.as_deref() };
                return Ok(head.completed(text, &calls, stop_reason.as_str(), usage.unwrap_or_default()));
            }
            Some(Piece::Failed(failure)) => return Err(ApiError(failure)),
            None => return Err(ApiError(died())),
        }
    }
}

/// Bytes that one write brings at the most, so that a flood is still a stream.
const WRITE_BYTES: usize = 16 << 10;

fn stream_pieces(head: Head, heard: mpsc::Receiver<Piece>, usage_wanted: bool, busy: Busy) -> HttpResponse {
    let speech = Speech { head, heard, usage_wanted, begun: false, over: false, _busy: busy };
    let pieces = stream::unfold(speech, |mut speech| async move {
        let bytes = speech.next().await?;
        Some((Ok::<_, Infallible>(bytes), speech))
    });
    event_stream().streaming(pieces)
}

/// The head of a streamed answer.
pub(super) fn event_stream() -> actix_web::HttpResponseBuilder {
    let mut response = HttpResponse::Ok();
    response.content_type("text/event-stream").insert_header(("cache-control", "no-store"));
    response
}

/// An answer on its way out as chunks.
struct Speech {
    head: Head,
    heard: mpsc::Receiver<Piece>,
    usage_wanted: bool,
    begun: bool,
    over: bool,
    _busy: Busy,
}

impl Speech {
    /// All that is there to be said now, in one write; waits where there is nothing.
    async fn next(&mut self) -> Option<Bytes> {
        if self.over {
            return None;
        }
        let mut out = Vec::with_capacity(512);
        if self.begun {
            let piece = self.heard.recv().await;
            self.say(piece, &mut out);
        } else {
            self.begun = true;
            let delta = Delta { role: Some("assistant"), content: Some(""), ..Delta::default() };
            self.head.delta(&mut out, delta, None);
        }
        while !self.over && out.len() < WRITE_BYTES {
            match self.heard.try_recv() {
                Ok(piece) => self.say(Some(piece), &mut out),
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => self.say(None, &mut out),
            }
        }
        Some(out.into())
    }

    fn say(&mut self, piece: Option<Piece>, out: &mut Vec<u8>) {
        let head = &self.head;
        match piece {
            Some(Piece::Began { .. }) => {}
            Some(Piece::Event(ChatEvent::Text(text))) => {
                head.delta(out, Delta { content: Some(&text), ..Delta::default() }, None);
            }
            Some(Piece::Event(ChatEvent::Thinking(text))) => {
                head.delta(out, Delta { reasoning_content: Some(&text), ..Delta::default() }, None);
            }
            Some(Piece::Event(ChatEvent::ToolCall { index, id, name, arguments, signature })) => {
                let function = FunctionPiece { name: name.as_deref(), arguments: &arguments };
                let kind = id.is_some().then_some(CallKind::Function);
                let piece =
                    CallPiece { index, id: id.as_deref(), kind, function, extra_content: signature.map(Extra::from) };
                head.delta(out, Delta { tool_calls: Some([piece]), ..Delta::default() }, None);
            }
            Some(Piece::Event(ChatEvent::Finished { stop_reason, usage, .. })) => {
                let usage = self.usage_wanted.then(|| usage.unwrap_or_default());
                head.finish(out, stop_reason.as_str(), usage);
                self.over = true;
            }
            Some(Piece::Failed(failure)) => self.fail(&failure, out),
            None => self.fail(&died(), out),
        }
    }

    fn fail(&mut self, failure: &Failure, out: &mut Vec<u8>) {
        failure_line(out, failure);
        self.over = true;
    }
}
