//! What the stand-in was asked, and what it is to do next.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;
use tokio::sync::watch;

use super::{Builder, Step};

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Not yet.
    Open,
    /// All that was to be sent was sent.
    Answered,
    /// The client was gone before the end.
    HungUp,
    /// The stand-in closed the connection, as its step said.
    Cut,
}

/// A chat call as it came.
#[derive(Debug, Clone)]
pub struct Call {
    /// 1, 2, 3 … in order of arrival.
    pub number: usize,
    /// Names in lower case, in the order sent.
    pub headers: Vec<(String, String)>,
    /// `Null` if it was not JSON.
    pub body: Value,
    /// Bytes of the body on the wire.
    pub body_bytes: usize,
    pub end: End,
}

impl Call {
    /// The value of a header by its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The messages sent, under whichever name the wire has for them; empty if there were none.
    pub fn messages(&self) -> &[Value] {
        let said = ["messages", "contents", "input"].into_iter().find_map(|name| self.body[name].as_array());
        said.map_or(&[], Vec::as_slice)
    }

    /// The text of the last user's message, where it is one.
    pub fn last_user(&self) -> Option<&str> {
        let last = self.messages().iter().rev().find(|message| message["role"] == "user")?;
        last["content"]
            .as_str()
            .or_else(|| last["content"][0]["text"].as_str())
            .or_else(|| last["parts"][0]["text"].as_str())
    }

    /// Whether the client left before its answer was complete.
    pub fn hung_up(&self) -> bool {
        self.end == End::HungUp
    }
}

/// Counts of what happened since the start.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Progress {
    /// Chat calls that arrived, refused ones included.
    pub calls: usize,
    /// Answers sent to their ends, errors included.
    pub answered: usize,
    /// Clients that left before the end.
    pub hung_up: usize,
    /// Times the models were listed.
    pub listed: usize,
    /// Connections accepted.
    pub connections: usize,
    /// Calls being answered now.
    pub open: usize,
    /// The most that were being answered at one time.
    pub most_open: usize,
}

#[derive(Debug)]
struct Raw {
    number: usize,
    head: Vec<(String, String)>,
    body: Bytes,
    end: End,
}

#[derive(Debug)]
struct State {
    script: VecDeque<Step>,
    rules: Vec<(String, Step)>,
    calls: VecDeque<Raw>,
    total: usize,
}

/// What the test's side and the server's side share.
#[derive(Debug)]
pub(super) struct Shared {
    state: Mutex<State>,
    pub(super) progress: watch::Sender<Progress>,
    pub(super) always: Option<Step>,
    pub(super) models: Vec<String>,
    pub(super) key: Option<String>,
    pub(super) keep: usize,
}

impl Shared {
    pub(super) fn new(from: Builder) -> Self {
        let state = State { script: from.script.into(), rules: from.rules, calls: VecDeque::new(), total: 0 };
        Self {
            state: Mutex::new(state),
            progress: watch::Sender::new(Progress::default()),
            always: from.always,
            models: from.models,
            key: from.key,
            keep: from.keep,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics while it holds the record")
    }

    pub(super) fn push(&self, step: Step) {
        self.state().script.push_back(step);
    }

    pub(super) fn rule(&self, text: String, step: Step) {
        self.state().rules.push((text, step));
    }

    pub(super) fn steps_left(&self) -> usize {
        self.state().script.len()
    }

    pub(super) fn calls(&self) -> Vec<Call> {
        self.state().calls.iter().map(Raw::read).collect()
    }

    /// Records a call before anything is done about it. `headers` is asked for only if the call is kept.
    pub(super) fn arrived(&self, headers: impl FnOnce() -> Vec<(String, String)>, body: &Bytes) -> usize {
        let mut state = self.state();
        state.total += 1;
        let number = state.total;
        if self.keep > 0 {
            if state.calls.len() == self.keep {
                state.calls.pop_front();
            }
            state.calls.push_back(Raw { number, head: headers(), body: body.clone(), end: End::Open });
        }
        drop(state);
        self.progress.send_modify(|progress| {
            progress.calls += 1;
            progress.open += 1;
            progress.most_open = progress.most_open.max(progress.open);
        });
        number
    }

    /// The step for a call whose last user said `text`; `None` means the default.
    pub(super) fn next_step(&self, text: impl FnOnce() -> String) -> Option<Step> {
        let mut state = self.state();
        if !state.rules.is_empty() {
            let text = text();
            if let Some((_, step)) = state.rules.iter().find(|(part, _)| text.contains(part.as_str())) {
                return Some(step.clone());
            }
        }
        state.script.pop_front().or_else(|| self.always.clone())
    }

    pub(super) fn ended(&self, number: usize, end: End) {
        let mut state = self.state();
        let first = state.calls.front().map_or(0, |call| call.number);
        if let Some(call) = number.checked_sub(first).and_then(|at| state.calls.get_mut(at)) {
            call.end = end;
        }
        drop(state);
        self.progress.send_modify(|progress| {
            progress.open -= 1;
            match end {
                End::Answered => progress.answered += 1,
                End::HungUp => progress.hung_up += 1,
                End::Open | End::Cut => {}
            }
        });
    }

    /// Whether `enough` came to hold within `limit`.
    pub(super) fn reached(
        &self,
        enough: impl FnMut(&Progress) -> bool + Send + 'static,
        limit: Duration,
    ) -> impl Future<Output = bool> + Send + 'static {
        let mut seen = self.progress.subscribe();
        async move { tokio::time::timeout(limit, seen.wait_for(enough)).await.is_ok_and(|seen| seen.is_ok()) }
    }
}

impl Raw {
    fn read(&self) -> Call {
        Call {
            number: self.number,
            headers: self.head.clone(),
            body: serde_json::from_slice(&self.body).unwrap_or(Value::Null),
            body_bytes: self.body.len(),
            end: self.end,
        }
    }
}
