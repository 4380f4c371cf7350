//! Models that do what a test says, on a paused clock, and the agents that ask them.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::{Stream, StreamExt, stream};
use mosaic_providers::{ChatStream, ModelInfo, Provider, ProviderError, Work as Working};
use mosaic_runtime::agent::config::Fanout;
use mosaic_runtime::agent::run::{Piece, RunInput, RunOrder, Sink};
use mosaic_runtime::provider::{Limits, ModelFacts, ProviderSettings};
use mosaic_runtime::{AgentProfile, Agents, Budgets, Providers, Till};
use mosaic_supervise::{Budget, Parent, Scope, Supervisor};
use mosaic_types::chat::Sampling;
use mosaic_types::ledger::Known;
use mosaic_types::{
    Chance, ChatEvent, ChatMessage, ChatRequest, Clock, EventBody, ModelRef, Outside, Price, ProviderName, QueueMode,
    Role, StopReason, Timestamp, Usage, UserId,
};
use tokio::sync::mpsc;
use tokio::time::Instant;

/// What one call of a model does.
#[derive(Debug, Clone)]
pub(crate) enum Act {
    /// Says this text after a while, in two pieces, the second as long after the first.
    Say(u64, &'static str),
    /// Thinks at once, and says this text after a while.
    Think(u64, &'static str),
    /// Cannot be reached, which is found out after a while.
    Refuse(u64),
    /// Asks for a pause of so many seconds.
    Pause(u64),
    /// Says something after a while and then breaks off.
    Break(u64),
    /// Never answers.
    Mute,
}

/// What was asked of a model, and when, in milliseconds since the beginning; to the ten, since a timer may be late by one
/// or two.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) model: String,
    pub(crate) at: u64,
    /// The last message of the call.
    pub(crate) text: String,
}

#[derive(Default)]
struct Record {
    asked: Vec<Asked>,
    /// Calls that were dropped before their end, and when.
    cut: Vec<(String, u64)>,
    acts: HashMap<String, Vec<Act>>,
}

/// One provider, `lab`, with models `a`, `b`, `c`: 1 dollar a million tokens in, 2 out; a call used 10 and made 5.
pub(crate) struct Lab {
    name: ProviderName,
    record: Arc<Mutex<Record>>,
    began: Instant,
}

/// Notes it where a call is dropped before its end.
struct Under {
    model: String,
    record: Arc<Mutex<Record>>,
    began: Instant,
    over: bool,
}

impl Under {
    fn end(&mut self) {
        self.over = true;
    }
}

impl Drop for Under {
    fn drop(&mut self) {
        if !self.over {
            let at = millis(self.began);
            self.record.lock().expect("nothing panics").cut.push((self.model.clone(), at));
        }
    }
}

/// A stream that knows whether it came to its end.
struct Watched(Pin<Box<dyn Stream<Item = Result<ChatEvent, ProviderError>> + Send>>, Under);

impl Stream for Watched {
    type Item = Result<ChatEvent, ProviderError>;
    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let next = self.0.as_mut().poll_next(cx);
        if matches!(next, Poll::Ready(None | Some(Err(_) | Ok(ChatEvent::Finished { .. })))) {
            self.1.end();
        }
        next
    }
}

fn millis(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).expect("tests are short") / 10 * 10
}

fn later(after: u64, event: Result<ChatEvent, ProviderError>) -> impl Stream<Item = Result<ChatEvent, ProviderError>> {
    stream::once(async move {
        tokio::time::sleep(Duration::from_millis(after)).await;
        event
    })
}

impl Provider for Lab {
    fn name(&self) -> &ProviderName {
        &self.name
    }

    fn models(&self) -> Working<Result<Vec<ModelInfo>, ProviderError>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn chat(&self, request: ChatRequest) -> Working<Result<ChatStream, ProviderError>> {
        let model = request.model.to_string();
        let text = request.messages.last().map(|message| message.text.to_string()).unwrap_or_default();
        let mut record = self.record.lock().expect("nothing panics");
        record.asked.push(Asked { model: model.clone(), at: millis(self.began), text });
        let acts = record.acts.entry(model.clone()).or_default();
        let act = if acts.len() > 1 { acts.remove(0) } else { acts[0].clone() };
        drop(record);
        let mut under = Under { model, record: self.record.clone(), began: self.began, over: false };
        let name = self.name.clone();
        let usage = Some(Usage::new(10, 5));
        let end = Ok(ChatEvent::Finished { stop_reason: StopReason::Stop, usage, model: None });
        let say = |text: &str| Ok(ChatEvent::Text(text.to_owned()));
        Box::pin(async move {
            let answer: ChatStream = match act {
                Act::Say(after, text) => {
                    let (one, other) = text.split_at(text.len() / 2);
                    Box::pin(later(after, say(one)).chain(later(after, say(other))).chain(stream::iter([end])))
                }
                Act::Think(after, text) => {
                    let hm = Ok(ChatEvent::Thinking("hm".to_owned()));
                    Box::pin(later(0, hm).chain(later(after, say(text))).chain(stream::iter([end])))
                }
                Act::Break(after) => {
                    let error = ProviderError::Truncated { provider: name, detail: "planted".to_owned() };
                    Box::pin(later(after, say("half ")).chain(later(10, Err(error))))
                }
                Act::Refuse(after) => {
                    tokio::time::sleep(Duration::from_millis(after)).await;
                    under.end();
                    return Err(ProviderError::Unreachable { provider: name, detail: "planted".to_owned() });
                }
                Act::Pause(secs) => {
                    under.end();
                    let (retry_after, detail) = (Some(Duration::from_secs(secs)), "planted".to_owned());
                    return Err(ProviderError::RateLimited { provider: name, retry_after, detail });
                }
                Act::Mute => Box::pin(stream::pending()),
            };
            Ok(Box::pin(Watched(answer, under)) as ChatStream)
        })
    }
}

/// A clock that stands and chance that counts.
struct Still(Mutex<u64>);

impl Clock for Still {
    fn now(&self) -> Timestamp {
        Timestamp(1_700_000_000_000_000)
    }
}

impl Chance for Still {
    fn fill(&self, bytes: &mut [u8]) {
        let mut drawn = self.0.lock().expect("nothing panics");
        *drawn += 1;
        for part in bytes.chunks_mut(8) {
            part.copy_from_slice(&drawn.to_be_bytes()[8 - part.len()..]);
        }
    }
}

/// Agents whose models are a [`Lab`]'s.
pub(crate) struct Bench {
    lab: Arc<Lab>,
    pub(crate) providers: Providers,
    pub(crate) agents: Agents,
    pub(crate) till: Till,
    outside: Outside,
    _families: [Parent; 2],
}

/// What a caller heard.
#[derive(Debug, Default)]
pub(crate) struct Heard {
    /// All pieces together, each as it came.
    pub(crate) text: String,
    /// Milliseconds until the first piece of text.
    pub(crate) first: Option<u64>,
    pub(crate) usage: Option<Usage>,
    pub(crate) failed: Option<mosaic_types::Code>,
    pub(crate) began: Option<ModelRef>,
}

impl Bench {
    /// For a paused clock. One agent, `assistant`, with the models of `acts` in their order.
    pub(crate) fn start(fanout: Fanout, acts: &[(&str, &[Act])]) -> Self {
        Self::limited(fanout, 64, Limits::default(), acts)
    }

    /// The same, with so many places and a rate.
    pub(crate) fn limited(fanout: Fanout, max_in_flight: usize, limits: Limits, acts: &[(&str, &[Act])]) -> Self {
        let name: ProviderName = "lab".parse().expect("valid");
        let played = acts.iter().map(|(model, acts)| ((*model).to_owned(), acts.to_vec())).collect();
        let record = Arc::new(Mutex::new(Record { acts: played, ..Record::default() }));
        let lab = Arc::new(Lab { name: name.clone(), record, began: Instant::now() });
        let price = Price::new(1.0, 2.0);
        let facts = ModelFacts { price: Some(price), ..ModelFacts::default() };
        let settings = ProviderSettings {
            max_in_flight,
            idle: Duration::from_secs(60),
            models: acts.iter().map(|(model, _)| (Arc::from(*model), facts)).collect(),
            limits,
        };
        let family = |name| Supervisor::start_root(name, Scope::Each(Budget::default()), 7, |_| {});
        let families = [family("providers"), family("agents")];
        let providers = Providers::start(&families[0], vec![(lab.clone() as Arc<dyn Provider>, settings)]);
        let profile = AgentProfile {
            tools: Default::default(),
            name: "assistant".parse().expect("valid"),
            system: "".into(),
            models: acts.iter().map(|(model, _)| ModelRef { provider: name.clone(), model: (*model).into() }).collect(),
            fanout,
            queue: QueueMode::Queue,
            context_tokens: 4_096,
            max_output_tokens: None,
            temperature: None,
            reuse: None,
        };
        let agents = Agents::start(&families[1], vec![profile], None);
        let still = Arc::new(Still(Mutex::new(0)));
        let (outside, till) = (Outside::new(still.clone(), still), Till::default());
        Self { lab, providers, agents, till, outside, _families: families }
    }

    /// Begins a call without a session; dropping what it answers is leaving.
    pub(crate) async fn begin(&self, text: &str, parts: Vec<EventBody>) -> mpsc::Receiver<Piece> {
        self.begin_for(0, text, parts).await
    }

    /// The same for a user of that number.
    pub(crate) async fn begin_for(&self, user: u128, text: &str, parts: Vec<EventBody>) -> mpsc::Receiver<Piece> {
        let (pieces, heard) = mpsc::channel(64);
        let order = RunOrder {
            last: false,
            work: None,
            run: self.agents.next_run(),
            input: RunInput::Verbatim([ChatMessage::new(Role::User, text)].into()),
            shelf: None,
            model: None,
            route: None,
            tools: Arc::default(),
            sampling: Sampling::default(),
            stream: true,
            sink: Sink::Caller(pieces),
            outside: self.outside.clone(),
            payer: UserId(uuid::Uuid::from_u128(user)),
            till: self.till.clone(),
            budgets: Budgets::default(),
            parts,
            keeper: None,
            lease: None,
            span: tracing::Span::none(),
        };
        let agent = "assistant".parse().expect("valid");
        self.agents.run(&agent, self.providers.clone(), order).await.expect("it begins");
        heard
    }

    /// Asks and hears it out.
    pub(crate) async fn ask(&self, text: &str) -> Heard {
        self.ask_knowing(text, Vec::new()).await
    }

    /// The same, with parts that are known already.
    pub(crate) async fn ask_knowing(&self, text: &str, parts: Vec<EventBody>) -> Heard {
        let began = Instant::now();
        let mut pieces = self.begin(text, parts).await;
        let mut heard = Heard::default();
        while let Some(piece) = pieces.recv().await {
            match piece {
                Piece::Began { model } => heard.began = Some(model),
                Piece::Event(ChatEvent::Text(text)) => {
                    heard.first.get_or_insert_with(|| millis(began));
                    heard.text.push_str(&text);
                }
                Piece::Event(ChatEvent::Finished { usage, .. }) => heard.usage = usage,
                Piece::Event(_) => {}
                Piece::Failed(failure) => heard.failed = Some(failure.code),
            }
        }
        heard
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.lab.record.lock().expect("nothing panics").asked.clone()
    }

    /// Who was asked when, in milliseconds.
    pub(crate) fn times(&self) -> Vec<(String, u64)> {
        self.asked().into_iter().map(|asked| (asked.model, asked.at)).collect()
    }

    /// Calls that were dropped before their end, and when.
    pub(crate) fn cut(&self) -> Vec<(String, u64)> {
        self.lab.record.lock().expect("nothing panics").cut.clone()
    }

    /// What is to be paid: model, tokens in and out, and whether they are reckoned.
    pub(crate) fn due(&self) -> Vec<(String, u64, u64, bool)> {
        let entries = self.till.take();
        let due = entries.into_iter().map(|entry| {
            let usage = entry.spent.usage;
            let cost = Price::new(1.0, 2.0).of(usage);
            assert!((entry.spent.cost_usd.expect("it has a price") - cost).abs() < 1e-12);
            (entry.model.model.to_string(), usage.input_tokens, usage.output_tokens, entry.known != Known::Said)
        });
        due.collect()
    }
}
