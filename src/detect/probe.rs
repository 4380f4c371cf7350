//! Asks a port of this machine whether a model server is behind it.

use std::time::Duration;

use reqwest::{Client, redirect};
use serde::Deserialize;

/// A server on the same machine lists its models in a few milliseconds; this is for one that is busy.
const PATIENCE: Duration = Duration::from_millis(300);

/// Bytes of a model list that are read at the most; anything longer is something else.
const LIST_BYTES: usize = 1024 * 1024;

/// Characters of a model's name at the most, as [`mosaic_types::ModelRef`] has it.
const NAME_CHARS: usize = 256;

/// A client for this machine alone: no proxy, no way elsewhere, no certificates to load.
pub(super) fn client() -> Option<Client> {
    let client = Client::builder().no_proxy().redirect(redirect::Policy::none()).tls_certs_only([]).timeout(PATIENCE);
    client.build().inspect_err(|error| tracing::debug!(%error, "no client to look for local servers with")).ok()
}

#[derive(Deserialize)]
struct ModelList {
    data: Vec<Model>,
}

#[derive(Deserialize)]
struct Model {
    id: String,
}

/// The first model that can chat, if a model server answers there.
pub(super) async fn first_model(client: &Client, port: u16) -> Option<String> {
    let url = format!("http://127.0.0.1:{port}/v1/models");
    let mut answer = client.get(url).send().await.ok().filter(|answer| answer.status() == 200)?;
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.ok()? {
        body.extend_from_slice(&chunk);
        if body.len() > LIST_BYTES {
            return None;
        }
    }
    pick(&body)
}

/// Picks from a model list. Embedding models are listed among the others and cannot chat: they are taken only where
/// there is nothing else, so that the mistake shows.
fn pick(body: &[u8]) -> Option<String> {
    let list: ModelList = serde_json::from_slice(body).ok()?;
    let fit = |id: &str| !id.is_empty() && id.len() <= NAME_CHARS && !id.contains(char::is_control);
    let mut ids = list.data.into_iter().map(|model| model.id).filter(|id| fit(id)).peekable();
    let first = ids.peek().cloned();
    ids.find(|id| super::can_chat(id)).or(first)
}

#[cfg(test)]
mod tests {
    use super::pick;

    #[test]
    fn only_a_list_with_a_model_is_a_model_list() {
        for not_a_list in ["", "hello", "[]", "{}", r#"{"data":[]}"#, r#"{"data":{}}"#, r#"{"data":[{"id":""}]}"#] {
            assert_eq!(pick(not_a_list.as_bytes()), None, "{not_a_list}");
        }
    }

    #[test]
    fn a_model_that_can_chat_goes_before_one_that_embeds() {
        let list = r#"{"object":"list","data":[{"id":"nomic-embed-text:latest"},{"id":"llama3.2:3b","owned_by":"x"}]}"#;
        assert_eq!(pick(list.as_bytes()).as_deref(), Some("llama3.2:3b"));
        assert_eq!(pick(br#"{"data":[{"id":"all-embed"}]}"#).as_deref(), Some("all-embed"));
    }
}
