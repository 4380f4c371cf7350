//! One tiny call that proves key and model.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use mosaic_messages::CallResult;
use mosaic_providers::ProviderError;
use mosaic_types::chat::Sampling;
use mosaic_types::{ChatEvent, ChatMessage, ChatRequest, Classify, Failure, ModelRef, Outside, Role};
use tokio::time::{Instant, timeout};

use super::ProviderHandle;

/// For so long a trial may take; somebody waits for it.
const PATIENCE: Duration = Duration::from_secs(30);

/// Tokens of the answer at the most. Fewer are refused by some servers, and more would only cost.
const TOKENS: u64 = 16;

/// A call that was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tried {
    /// As the provider names it.
    pub model: Arc<str>,
    /// From the question to the end of the answer.
    pub took: Duration,
}

impl ProviderHandle {
    /// Asks `model` to say one word. Takes a place like any other call, so that a trial goes past no limit.
    ///
    /// # Errors
    /// The provider's, or that it is at its limit or down.
    pub async fn try_out(&self, model: &ModelRef, outside: &Outside) -> Result<Tried, Failure> {
        let begun = Instant::now();
        let told = |error: ProviderError| {
            let failure = error.failure();
            self.ended(outside.now(), Some(failure.code));
            failure
        };
        let patient = async {
            let name = self.resolve(model).await.map_err(told)?;
            let permit = self.permit(&name, "a trial".into(), TOKENS).await?;
            let answered = self.say_one_word(&name).await;
            let result =
                answered.as_ref().map_or_else(|error| CallResult::Failed(error.class()), |()| CallResult::Answered);
            self.report(name.clone(), result, TOKENS, TOKENS);
            drop(permit);
            answered.map_err(told)?;
            self.ended(outside.now(), None);
            Ok(Tried { model: name, took: begun.elapsed() })
        };
        timeout(PATIENCE, patient).await.unwrap_or_else(|_| {
            Err(told(ProviderError::Stalled { provider: self.adapter.name().clone(), idle: PATIENCE }))
        })
    }

    async fn say_one_word(&self, model: &Arc<str>) -> Result<(), ProviderError> {
        let request = ChatRequest {
            model: model.clone(),
            messages: [ChatMessage::new(Role::User, "Say OK.")].into(),
            tools: Arc::default(),
            sampling: Sampling { max_tokens: Some(TOKENS), ..Sampling::default() },
            stream: false,
        };
        let mut answer = self.chat(request).await?;
        while let Some(event) = answer.next().await {
            if let ChatEvent::Finished { .. } = event? {
                return Ok(());
            }
        }
        let (provider, detail) = (self.adapter.name().clone(), "no last event".to_owned());
        Err(ProviderError::Truncated { provider, detail })
    }
}
