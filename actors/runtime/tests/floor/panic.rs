//! A provider that panics.

use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::{StreamExt, stream};
use mosaic_providers::{ChatStream, ModelInfo, Provider, ProviderError, Work as Working};
use mosaic_types::{ChatEvent, ChatRequest, ProviderName, StopReason};
use tokio::sync::watch;

/// Where a call panics.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum When {
    Asked,
    Streaming,
    /// Nowhere: every call waits at the gate.
    Held,
}

/// A provider that panics so many times and then says back what it hears; what a `neighbour` says waits at a gate.
pub(crate) struct Panic {
    pub(crate) name: ProviderName,
    pub(crate) when: When,
    /// Panics to come.
    pub(crate) left: AtomicUsize,
    pub(crate) calls: AtomicUsize,
    pub(crate) gate: watch::Receiver<bool>,
}

impl Provider for Panic {
    fn name(&self) -> &ProviderName {
        &self.name
    }

    fn models(&self) -> Working<Result<Vec<ModelInfo>, ProviderError>> {
        Box::pin(async { Ok(vec![ModelInfo::new("m")]) })
    }

    fn chat(&self, request: ChatRequest) -> Working<Result<ChatStream, ProviderError>> {
        let text = request.messages.last().map(|message| message.text.to_string()).unwrap_or_default();
        let text_of = |text: &str| Ok::<_, ProviderError>(ChatEvent::Text(text.to_owned()));
        let end = Ok(ChatEvent::Finished { stop_reason: StopReason::Stop, usage: None, model: None });
        if text == "neighbour" || self.when == When::Held {
            let mut gate = self.gate.clone();
            let rest = stream::once(async move {
                gate.wait_for(|open| *open).await.expect("the test holds the gate");
                Ok(ChatEvent::Text("two".into()))
            });
            let answer = stream::iter([text_of("one ")]).chain(rest).chain(stream::iter([end]));
            return Box::pin(async { Ok(Box::pin(answer) as ChatStream) });
        }
        self.calls.fetch_add(1, Ordering::SeqCst);
        let less = self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        match (less.is_ok(), self.when) {
            (true, When::Asked) => Box::pin(async { panic!("planted where the call is made") }),
            (true, When::Streaming) => {
                let broken = stream::once(async { panic!("planted in mid-stream") });
                let answer = stream::iter([text_of("half ")]).chain(broken);
                Box::pin(async { Ok(Box::pin(answer) as ChatStream) })
            }
            (true, When::Held) | (false, _) => {
                let answer = stream::iter([text_of(&format!("heard {text}")), end]);
                Box::pin(async { Ok(Box::pin(answer) as ChatStream) })
            }
        }
    }
}
