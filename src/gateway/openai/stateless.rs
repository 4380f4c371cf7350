//! A call that leaves nothing behind: straight from the client to a run of an agent and back.

use std::convert::Infallible;

use actix_web::HttpResponse;
use actix_web::web::Bytes;
use futures_util::stream;
use mosaic_runtime::agent::run::{Piece, RunInput, RunOrder, Sink, died};
use mosaic_runtime::drain::Busy;
use mosaic_types::{ChatEvent, ChatMessage, Failure, Role, Usage};
use tokio::sync::mpsc;

use super::Target;
use super::wire::{
    CallKind, CallPiece, Choice, Chunk, ChunkChoice, Completed, Completion, Delta, FunctionPiece, Said, SaidCall,
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

    pub(super) fn chunk(&self, choices: Vec<ChunkChoice<'_>>, usage: Option<Usage>) -> Bytes {
        let chunk = Chunk {
            id: &self.id,
            object: "chat.completion.chunk",
            created: self.created,
            model: &self.model,
            choices,
            usage: usage.map(Into::into),
        };
        line(&chunk)
    }

    pub(super) fn delta(&self, delta: Delta<'_>, finish_reason: Option<&str>) -> Bytes {
        self.chunk(vec![ChunkChoice { index: 0, delta, finish_reason }], None)
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
pub(super) fn line(value: &impl serde::Serialize) -> Bytes {
    let mut bytes = Vec::with_capacity(256);
    bytes.extend_from_slice(b"data: ");
    if serde_json::to_writer(&mut bytes, value).is_err() {
        bytes.extend_from_slice(b"{}");
    }
    bytes.extend_from_slice(b"\n\n");
    Bytes::from(bytes)
}

/// A failure in the middle of a stream, as a server-sent event.
pub(super) fn failure_line(failure: &Failure) -> Bytes {
    line(&ErrorBody::new(failure))
}

pub(super) async fn answer(gate: &Gate, target: Target, mut wish: Completion) -> Answer {
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
        Target::Model(model) => (crate::gateway::sessions::agent(gate, None)?, Some(model)),
    };
    let (pieces, mut heard) = mpsc::channel(PIECES);
    let order = RunOrder {
        run: agents.next_run(),
        input: RunInput::Verbatim(messages.into()),
        model,
        tools: wish.tools(),
        sampling,
        stream: wish.stream,
        sink: Sink::Caller(pieces),
        outside: gate.doors.outside.clone(),
        keeper: None,
        span: tracing::debug_span!("completion", model = %wish.model),
    };
    agents.run(&agent, gate.doors.providers.clone(), order).await?;
    // The status is given only when a model has begun to answer.
    match heard.recv().await {
        Some(Piece::Began { .. }) => {}
        Some(Piece::Failed(failure)) => return Err(ApiError(failure)),
        Some(Piece::Event(_)) | None => return Err(ApiError(died())),
    }
    let usage_wanted = wish.wants_usage();
    let head = Head::new(gate, wish.model);
    if wish.stream { Ok(stream_pieces(head, heard, usage_wanted, busy)) } else { whole(&head, heard).await }
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
            Some(Piece::Event(ChatEvent::ToolCall { index, id, name, arguments })) => {
                let index = index as usize;
                if index >= calls.len() {
                    // A gap in the numbering would be the provider's mistake; it is closed, not kept.
                    calls.push(SaidCall::default());
                }
                let Some(call) = calls.get_mut(index).or(None) else { continue };
                id.into_iter().for_each(|id| call.id = id);
                name.into_iter().for_each(|name| call.function.name = name);
                call.function.arguments.push_str(&arguments);
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

/// How far a stream came.
enum Stage {
    Role,
    Pieces,
    Closing(Option<Usage>),
    Over,
}

fn stream_pieces(head: Head, heard: mpsc::Receiver<Piece>, usage_wanted: bool, busy: Busy) -> HttpResponse {
    let start = (head, heard, Stage::Role, busy);
    let pieces = stream::unfold(start, move |(head, mut heard, stage, busy)| async move {
        let (bytes, stage) = match stage {
            Stage::Role => {
                let delta = Delta { role: Some("assistant"), content: Some(""), ..Delta::default() };
                (head.delta(delta, None), Stage::Pieces)
            }
            Stage::Pieces => next_piece(&head, &mut heard, usage_wanted).await,
            Stage::Closing(Some(usage)) => (head.chunk(Vec::new(), Some(usage)), Stage::Closing(None)),
            Stage::Closing(None) => (Bytes::from_static(b"data: [DONE]\n\n"), Stage::Over),
            Stage::Over => return None,
        };
        Some((Ok::<_, Infallible>(bytes), (head, heard, stage, busy)))
    });
    event_stream().streaming(pieces)
}

/// The head of a streamed answer.
pub(super) fn event_stream() -> actix_web::HttpResponseBuilder {
    let mut response = HttpResponse::Ok();
    response.content_type("text/event-stream").insert_header(("cache-control", "no-store"));
    response
}

async fn next_piece(head: &Head, heard: &mut mpsc::Receiver<Piece>, usage_wanted: bool) -> (Bytes, Stage) {
    loop {
        let delta = match heard.recv().await {
            Some(Piece::Began { .. }) => continue,
            Some(Piece::Event(ChatEvent::Text(text))) => {
                head.delta(Delta { content: Some(&text), ..Delta::default() }, None)
            }
            Some(Piece::Event(ChatEvent::Thinking(text))) => {
                head.delta(Delta { reasoning_content: Some(&text), ..Delta::default() }, None)
            }
            Some(Piece::Event(ChatEvent::ToolCall { index, id, name, arguments })) => {
                let function = FunctionPiece { name: name.as_deref(), arguments: &arguments };
                let kind = id.is_some().then_some(CallKind::Function);
                let piece = CallPiece { index, id: id.as_deref(), kind, function };
                head.delta(Delta { tool_calls: Some([piece]), ..Delta::default() }, None)
            }
            Some(Piece::Event(ChatEvent::Finished { stop_reason, usage, .. })) => {
                let usage = usage_wanted.then(|| usage.unwrap_or_default());
                return (head.delta(Delta::default(), Some(stop_reason.as_str())), Stage::Closing(usage));
            }
            Some(Piece::Failed(failure)) => return (failure_line(&failure), Stage::Over),
            None => return (failure_line(&died()), Stage::Over),
        };
        return (delta, Stage::Pieces);
    }
}
