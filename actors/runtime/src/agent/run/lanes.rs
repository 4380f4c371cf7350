//! Several calls under way at once, on the task of one run.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::pin::Pin;
use std::task::Poll;

use mosaic_types::event::Part;
use mosaic_types::{ChatEvent, Code, ModelRef, Spent};
use tokio::time::Instant;

use super::sink::{Left, Sink};
use crate::budget::Notice;

/// Where one of several calls speaks. What it says waits until it is called on.
pub(super) struct Lane {
    /// 1 for the first model.
    pub(super) number: u32,
    pub(super) said: RefCell<VecDeque<ChatEvent>>,
    /// What it says is not heard before it is whole.
    quiet: bool,
    since: Cell<Instant>,
    /// As its provider names it, once that is known.
    model: RefCell<ModelRef>,
    /// What it cost, where it came to nothing.
    pub(super) lost: Cell<Spent>,
}

impl Lane {
    pub(super) fn new(number: usize, model: &ModelRef, quiet: bool) -> Self {
        Self {
            number: u32::try_from(number).unwrap_or(u32::MAX),
            said: RefCell::default(),
            quiet,
            since: Cell::new(Instant::now()),
            model: RefCell::new(model.clone()),
            lost: Cell::new(Spent::default()),
        }
    }

    /// It is asked now.
    pub(super) fn begin(&self) {
        self.since.set(Instant::now());
        self.lost.set(Spent::default());
        self.said.borrow_mut().clear();
    }

    pub(super) fn model(&self) -> ModelRef {
        self.model.borrow().clone()
    }

    /// Whether it has begun to answer. Thinking is not an answer.
    pub(super) fn speaks(&self) -> bool {
        self.said.borrow().iter().any(|event| !matches!(event, ChatEvent::Thinking(_)))
    }

    pub(super) fn has_news(&self) -> bool {
        !self.said.borrow().is_empty()
    }

    /// The next thing that it said.
    pub(super) fn next(&self) -> Option<ChatEvent> {
        self.said.borrow_mut().pop_front()
    }

    fn hear(&self, event: ChatEvent) {
        if self.quiet {
            return;
        }
        let mut said = self.said.borrow_mut();
        match (said.back_mut(), event) {
            (Some(ChatEvent::Text(text)), ChatEvent::Text(more))
            | (Some(ChatEvent::Thinking(text)), ChatEvent::Thinking(more)) => text.push_str(&more),
            (_, event) => said.push_back(event),
        }
    }

    /// The part that it is, with what it came to.
    pub(super) fn part(&self, spent: Spent, estimated: bool, text: Option<String>, code: Option<Code>) -> Part {
        let ms = u64::try_from(self.since.get().elapsed().as_millis()).unwrap_or(u64::MAX);
        let Spent { usage, cost_usd } = spent;
        Part { number: self.number, ms, usage, cost_usd, estimated, text, code, saw: 0 }
    }

    /// The part that it is, where it came to nothing.
    pub(super) fn lost(&self, code: Code) -> Part {
        let lost = self.lost.get();
        self.part(lost, lost != Spent::default(), None, Some(code))
    }
}

/// Where a call's words go.
#[derive(Clone, Copy)]
pub(super) enum Voice<'a> {
    /// To whoever hears of the run.
    Open(&'a Sink),
    /// Into a lane; that the call began and how it ended is heard.
    Lane(&'a Lane, &'a Sink),
}

impl<'a> Voice<'a> {
    pub(super) fn lane(&self) -> Option<&'a Lane> {
        match self {
            Self::Open(_) => None,
            Self::Lane(lane, _) => Some(lane),
        }
    }

    /// Whether the call's text is wanted as a whole.
    pub(super) fn keeps_text(&self) -> bool {
        matches!(self, Self::Open(Sink::Session { .. }) | Self::Lane(..))
    }

    /// Whether there is a caller, who runs the tools that are asked for.
    pub(super) fn has_caller(&self) -> bool {
        match self {
            Self::Open(sink) | Self::Lane(_, sink) => matches!(sink, Sink::Caller(_)),
        }
    }

    pub(super) fn call_began(&self, model: &ModelRef) {
        match self {
            Self::Open(sink) => {
                sink.begin();
                sink.call_began(model, None);
            }
            Self::Lane(lane, sink) => {
                lane.model.replace(model.clone());
                sink.call_began(model, Some(lane.number));
            }
        }
    }

    pub(super) fn call_failed(&self, model: &ModelRef) {
        if let Self::Open(sink) = self {
            sink.call_failed(model);
        }
    }

    pub(super) fn notice(&self, notice: &Notice) {
        let (Self::Open(sink) | Self::Lane(_, sink)) = self;
        sink.notice(notice);
    }

    pub(super) async fn answering(&self, model: &ModelRef) -> Result<(), Left> {
        match self {
            Self::Open(sink) => sink.answering(model).await,
            Self::Lane(..) => Ok(()),
        }
    }

    pub(super) async fn event(&self, event: ChatEvent) -> Result<(), Left> {
        match self {
            Self::Open(sink) => sink.event(event).await,
            Self::Lane(lane, _) => {
                lane.hear(event);
                // So that it is heard before more is read: what waits does not grow where nobody listens fast enough.
                tokio::task::yield_now().await;
                Ok(())
            }
        }
    }
}

type Running<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// Calls under way, each known by its index.
pub(super) struct Lanes<'a, T> {
    running: VecDeque<(usize, Running<'a, T>)>,
}

impl<'a, T> Lanes<'a, T> {
    pub(super) fn new() -> Self {
        Self { running: VecDeque::new() }
    }

    pub(super) fn add(&mut self, index: usize, call: impl Future<Output = T> + 'a) {
        self.running.push_back((index, Box::pin(call)));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.running.is_empty()
    }

    /// Ends all but one, here and now; answers which.
    pub(super) fn keep_only(&mut self, index: usize) -> Vec<usize> {
        let others = self.running.iter().map(|(other, _)| *other).filter(|other| *other != index).collect();
        self.running.retain(|(other, _)| *other == index);
        others
    }

    /// Lets the calls go on until one ends, or until there is news (`None`). None of them goes first for ever.
    pub(super) async fn go_on(&mut self, news: impl Fn() -> bool) -> Option<(usize, T)> {
        std::future::poll_fn(|cx| {
            for _ in 0..self.running.len() {
                let Some((index, mut call)) = self.running.pop_front() else { break };
                match call.as_mut().poll(cx) {
                    Poll::Ready(result) => return Poll::Ready(Some((index, result))),
                    Poll::Pending => self.running.push_back((index, call)),
                }
                if news() {
                    return Poll::Ready(None);
                }
            }
            if news() { Poll::Ready(None) } else { Poll::Pending }
        })
        .await
    }
}
