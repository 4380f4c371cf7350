//! A provider whose models answer, stall, break off, refuse and panic as the seed says.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream;
use mosaic_providers::{ChatStream, ModelInfo, Provider, ProviderError, Work};
use mosaic_types::{ChatEvent, ChatRequest, ProviderName, Role, StopReason, Usage};

use super::World;
use super::dice::Dice;
use super::store::lock;
use super::tools;

/// A provider in the world.
pub(crate) struct Models {
    name: ProviderName,
    world: Arc<World>,
}

/// A piece of an answer, and how long it takes to come.
type Piece = (Duration, Part);

enum Part {
    Event(ChatEvent),
    Error(ProviderError),
    Panic,
    /// Nothing more ever comes.
    Silence,
}

/// How a call begins.
enum Beginning {
    Answer(VecDeque<Piece>),
    Refusal(ProviderError),
    Panic,
    Silence,
}

/// A model at work for a session; dropping it says that it stopped.
struct AtWork {
    session: String,
    world: Arc<World>,
}

impl AtWork {
    fn begin(session: &str, world: Arc<World>) -> Self {
        world.speaks(session, true);
        Self { session: session.to_owned(), world }
    }
}

impl Drop for AtWork {
    fn drop(&mut self) {
        self.world.speaks(&self.session, false);
    }
}

/// The right answer to what was asked: nobody else's.
pub(crate) fn answer_to(text: &str) -> String {
    format!("to {text}: yes")
}

/// The inputs that an answer answers, in their order; `None`: it is no answer.
pub(crate) fn asked_by(answer: &str) -> Option<impl Iterator<Item = &str>> {
    Some(answer.strip_prefix("to ")?.strip_suffix(": yes")?.split(AND))
}

/// Between several inputs that are answered together.
pub(super) const AND: &str = "+";

impl Models {
    pub(crate) fn new(name: ProviderName, world: Arc<World>) -> Self {
        Self { name, world }
    }

    /// What happens to a call, and after how long.
    fn fate(&self, text: &str, may_ask: bool) -> (Duration, Beginning) {
        let calm = self.world.is_calm();
        let name = self.name.clone();
        let (what, takes, begins) = self.world.model(|dice, plan| {
            let (bad, panics) = (dice.happens(plan.bad_calls), dice.happens(plan.panics));
            let slow = dice.happens(200);
            let takes = dice.millis(0..=if slow { 3_000 } else { 40 });
            let asks = may_ask && dice.happens(plan.tools);
            let pieces = if asks {
                tools::asked(dice).into_iter().map(|event| (dice.millis(0..=30), Part::Event(event))).collect()
            } else {
                spoken(dice, &answer_to(text))
            };
            let (what, begins) = match (calm, panics, bad) {
                (false, true, _) if dice.happens(400) => ("models: panics of a call", Beginning::Panic),
                (false, true, _) => ("models: panics in mid-stream", broken_off(dice, pieces, Some(Part::Panic))),
                (false, false, true) => misfortune(dice, name, pieces),
                _ if asks => ("models: answers that ask for tools", Beginning::Answer(pieces)),
                _ => ("models: calls that went well", Beginning::Answer(pieces)),
            };
            (what, takes, begins)
        });
        self.world.count(what);
        self.world.note(&format_args!("{} hears {text}: {what}", self.name));
        (takes, begins)
    }

    /// What the model is asked: the newest inputs. All before them must be a dialogue: what was asked, in one input or
    /// several, each of them once, and its own answer, as far as it was said.
    fn asked(&self, request: &ChatRequest) -> String {
        let said: Vec<_> = request.messages.iter().filter(|message| message.role != Role::System).collect();
        let (mut asked, mut seen, mut right) = (Vec::new(), HashSet::new(), true);
        right &= tools::are_paired(&said);
        for message in &said {
            if message.role == Role::Tool || !message.tool_calls.is_empty() {
                continue;
            }
            if message.role == Role::User {
                right &= seen.insert(&*message.text);
                asked.push(&*message.text);
            } else {
                right &= !asked.is_empty() && self.answered(&asked, &message.text);
                asked.clear();
            }
        }
        if !right || asked.is_empty() {
            self.world.broken(&format_args!("a model was sent what is no dialogue: {said:?}"));
        }
        asked.join(AND)
    }

    /// Whether that is the answer to these, or what was left of one.
    fn answered(&self, asked: &[&str], text: &str) -> bool {
        if *text == *answer_to(&asked.join(AND)) {
            return true;
        }
        self.world.count("models: told what was left of an answer");
        asked.iter().any(|input| lock(&self.world.tables).was_cut(input, text))
    }
}

/// The answer in pieces.
fn spoken(dice: &mut Dice, text: &str) -> VecDeque<Piece> {
    let slow = dice.happens(200);
    let wait = |dice: &mut Dice| dice.millis(0..=if slow { 2_000 } else { 30 });
    let size = usize::try_from(dice.within(2..=20)).expect("small");
    let letters: Vec<char> = text.chars().collect();
    let mut pieces = VecDeque::new();
    if dice.happens(100) {
        pieces.push_back((wait(dice), Part::Event(ChatEvent::Thinking("hm".to_owned()))));
    }
    for part in letters.chunks(size) {
        pieces.push_back((wait(dice), Part::Event(ChatEvent::Text(part.iter().collect()))));
    }
    let usage = Some(Usage::new(3, 5));
    let end = ChatEvent::Finished { stop_reason: StopReason::Stop, usage, model: None };
    pieces.push_back((wait(dice), Part::Event(end)));
    pieces
}

/// The answer up to somewhere before its end, and then something else or nothing.
fn broken_off(dice: &mut Dice, mut pieces: VecDeque<Piece>, then: Option<Part>) -> Beginning {
    let whole = u64::try_from(pieces.len()).expect("short");
    pieces.truncate(usize::try_from(dice.within(0..=whole - 1)).expect("short"));
    pieces.extend(then.map(|part| (dice.millis(0..=100), part)));
    Beginning::Answer(pieces)
}

fn misfortune(dice: &mut Dice, name: ProviderName, pieces: VecDeque<Piece>) -> (&'static str, Beginning) {
    match dice.within(0..=5) {
        0 => ("models: silent from the beginning", Beginning::Silence),
        1 => ("models: silent in mid-stream", broken_off(dice, pieces, Some(Part::Silence))),
        2 => ("models: answers cut off", broken_off(dice, pieces, None)),
        3 => {
            let error = ProviderError::ErrorEvent { provider: name, detail: "planted".to_owned() };
            ("models: errors in mid-stream", broken_off(dice, pieces, Some(Part::Error(error))))
        }
        _ => ("models: refusals", Beginning::Refusal(refusal(dice, name))),
    }
}

fn refusal(dice: &mut Dice, provider: ProviderName) -> ProviderError {
    let detail = "planted".to_owned();
    let pauses = [None, Some(Duration::ZERO), Some(Duration::from_secs(1)), Some(Duration::from_secs(20))];
    let retry_after = *dice.pick(&pauses);
    match dice.within(0..=9) {
        0 => ProviderError::Unreachable { provider, detail },
        1 => ProviderError::Auth { provider, detail },
        2 => ProviderError::Quota { provider, detail },
        3 | 4 => ProviderError::RateLimited { provider, retry_after, detail },
        5 | 6 => ProviderError::Overloaded { provider, retry_after, detail },
        7 => ProviderError::ContextOverflow { provider, model: "m".into(), detail },
        8 => ProviderError::Undecodable { provider, detail },
        _ => ProviderError::Rejected { provider, detail },
    }
}

impl Provider for Models {
    fn name(&self) -> &ProviderName {
        &self.name
    }

    fn models(&self) -> Work<Result<Vec<ModelInfo>, ProviderError>> {
        let listed = Ok(vec![ModelInfo::new("m")]);
        Box::pin(std::future::ready(listed))
    }

    fn chat(&self, request: ChatRequest) -> Work<Result<ChatStream, ProviderError>> {
        let text = self.asked(&request);
        let session = text.split('.').next().unwrap_or_default();
        let at_work = AtWork::begin(session, self.world.clone());
        let may_ask = !request.tools.is_empty() && request.sampling.tool_choice.is_none();
        let (takes, begins) = self.fate(&text, may_ask);
        if !matches!(begins, Beginning::Refusal(_)) {
            let first = text.split(AND).next().unwrap_or_default().to_owned();
            *self.world.heard.lock().expect("nothing panics while it is held").entry(first).or_default() += 1;
        }
        Box::pin(async move {
            tokio::time::sleep(takes).await;
            let pieces = match begins {
                Beginning::Answer(pieces) => pieces,
                Beginning::Refusal(error) => return Err(error),
                Beginning::Panic => panic!("planted where the call is made"),
                Beginning::Silence => std::future::pending().await,
            };
            let answer = stream::unfold((pieces, at_work), |(mut pieces, at_work)| async move {
                let (takes, part) = pieces.pop_front()?;
                tokio::time::sleep(takes).await;
                let event = match part {
                    Part::Event(event) => Ok(event),
                    Part::Error(error) => Err(error),
                    Part::Panic => panic!("planted in mid-stream"),
                    Part::Silence => std::future::pending().await,
                };
                Some((event, (pieces, at_work)))
            });
            Ok(Box::pin(answer) as ChatStream)
        })
    }
}
