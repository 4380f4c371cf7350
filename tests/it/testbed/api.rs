//! The HTTP API, as a program would use it.

use std::net::SocketAddr;

use mosaic_testkit::http::{Client, Response};
use serde_json::{Value, json};

use super::{Sse, contract, eventually, soon};

/// Someone with a token.
#[derive(Debug, Clone)]
pub(crate) struct Api {
    pub(crate) address: SocketAddr,
    token: String,
}

/// The status and the code of a typed error.
pub(crate) fn refusal(response: &Response) -> (u16, String) {
    let body: Value = response.json();
    let error = &body["error"];
    assert!(error["message"].as_str().is_some_and(|message| message.len() > 10), "a whole sentence: {body}");
    (response.status(), error["code"].as_str().unwrap_or_else(|| panic!("no code in {body}")).to_owned())
}

impl Api {
    pub(crate) fn new(address: SocketAddr, token: impl Into<String>) -> Self {
        Self { address, token: token.into() }
    }

    pub(crate) fn token(&self) -> &str {
        &self.token
    }

    /// The same daemon, another token.
    pub(crate) fn bearing(&self, token: &str) -> Self {
        Self::new(self.address, token)
    }

    /// One request on a connection of its own; the answer must be as the document of the API says.
    pub(crate) async fn request(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Response {
        let bearer = format!("Bearer {}", self.token);
        let mut all = vec![("authorization", bearer.as_str())];
        all.extend_from_slice(headers);
        let response = soon(&format!("{method} {path}"), async {
            let mut client = Client::connect(self.address).await.expect("the daemon listens");
            client.request(method, path, &all, body).await.expect("the daemon answers")
        })
        .await;
        contract::check(method, path, &response);
        response
    }

    /// One request with a JSON body.
    pub(crate) async fn send(&self, method: &str, path: &str, body: Value) -> Response {
        self.request(method, path, &[], body.to_string().as_bytes()).await
    }

    /// What is at `path`, which must be there.
    pub(crate) async fn get(&self, path: &str) -> Value {
        let response = self.request("GET", path, &[], b"").await;
        assert_eq!(response.status(), 200, "GET {path}: {}", response.text());
        response.json()
    }

    /// A new session.
    pub(crate) async fn session(&self) -> String {
        let response = self.send("POST", "/api/v1/sessions", json!({})).await;
        assert_eq!(response.status(), 201, "{}", response.text());
        let row: Value = response.json();
        row["id"].as_str().expect("an id").to_owned()
    }

    /// Submits a message with these headers, to `…/messages` with `query`.
    pub(crate) async fn submit(&self, session: &str, query: &str, headers: &[(&str, &str)], text: &str) -> Response {
        let path = format!("/api/v1/sessions/{session}/messages{query}");
        self.request("POST", &path, headers, json!({"text": text}).to_string().as_bytes()).await
    }

    /// Submits a message and does not wait; answers its turn.
    pub(crate) async fn say(&self, session: &str, text: &str) -> String {
        let response = self.submit(session, "", &[], text).await;
        assert_eq!(response.status(), 202, "{}", response.text());
        let receipt: Value = response.json();
        receipt["turn"].as_str().expect("a turn").to_owned()
    }

    /// Submits a message and waits for its answer.
    pub(crate) async fn ask(&self, session: &str, text: &str) -> Value {
        let response = self.submit(session, "?wait=true", &[], text).await;
        assert_eq!(response.status(), 200, "{}", response.text());
        response.json()
    }

    /// Submits a message and listens to its events.
    pub(crate) async fn hear(&self, session: &str, text: &str) -> Sse {
        self.hear_with(session, &[], text).await
    }

    /// As [`Api::hear`], with further headers.
    pub(crate) async fn hear_with(&self, session: &str, headers: &[(&str, &str)], text: &str) -> Sse {
        let bearer = format!("Bearer {}", self.token);
        let mut all = vec![("authorization", bearer.as_str()), ("accept", "text/event-stream")];
        all.extend_from_slice(headers);
        let path = format!("/api/v1/sessions/{session}/messages");
        Sse::open(self.address, &path, &all, json!({"text": text})).await
    }

    /// Listens to all of a session's events after a position.
    pub(crate) async fn listen(&self, session: &str, after: i64, headers: &[(&str, &str)]) -> Sse {
        let bearer = format!("Bearer {}", self.token);
        let mut all = vec![("authorization", bearer.as_str()), ("accept", "text/event-stream")];
        all.extend_from_slice(headers);
        let path = format!("/api/v1/sessions/{session}/events?after={after}");
        Sse::ask(self.address, "GET", &path, &all, String::new()).await
    }

    /// The session's messages: role and text, oldest first.
    pub(crate) async fn transcript(&self, session: &str) -> Vec<(String, String)> {
        let page = self.get(&format!("/api/v1/sessions/{session}/messages?limit=200")).await;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let items = page["items"].as_array().expect("a list");
        items.iter().map(|message| (text(&message["role"]), text(&message["text"]))).collect()
    }

    /// The session's whole journal, oldest first.
    pub(crate) async fn journal(&self, session: &str) -> Vec<Value> {
        let mut events = Vec::new();
        let mut after = 0;
        loop {
            let page = self.get(&format!("/api/v1/sessions/{session}/events?after={after}")).await;
            events.extend(page["items"].as_array().expect("a list").iter().cloned());
            match page["next"].as_i64() {
                Some(seq) => after = seq,
                None => return events,
            }
        }
    }

    /// How often each type of event is in the session's journal.
    pub(crate) async fn count(&self, session: &str, kind: &str) -> usize {
        self.journal(session).await.iter().filter(|event| event["type"] == kind).count()
    }

    /// Waits until nothing waits or runs in the session any more.
    pub(crate) async fn settled(&self, session: &str) {
        let path = format!("/api/v1/sessions/{session}");
        eventually(&format!("session {session} is idle"), || async {
            (self.get(&path).await["state"] == "idle").then_some(())
        })
        .await;
    }

    /// Cancels what runs in the session; answers what was cancelled.
    pub(crate) async fn cancel(&self, session: &str) -> Value {
        let response = self.send("POST", &format!("/api/v1/sessions/{session}/cancel"), json!({})).await;
        assert_eq!(response.status(), 200, "{}", response.text());
        response.json()
    }
}
