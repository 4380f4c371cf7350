use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;

const MODELS: &str = r#"{"object":"list","data":[{"id":"llama3.2:3b"}]}"#;

/// What a fake server does with every request.
#[derive(Clone, Copy)]
enum Does {
    Answer(u16, &'static str),
    /// Takes the connection and says nothing.
    Stall,
}

/// A server on a free port of this machine.
async fn server(does: Does) -> u16 {
    // Reqwest wants a crypto provider even for plain HTTP; `main` installs it first thing.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = listener.local_addr().expect("it is bound").port();
    actix::spawn(async move {
        let mut kept = Vec::new();
        while let Ok((mut socket, _)) = listener.accept().await {
            let Does::Answer(status, body) = does else {
                kept.push(socket);
                continue;
            };
            let mut request = vec![0; 4096];
            let read = socket.read(&mut request).await.unwrap_or(0);
            assert!(request[..read].starts_with(b"GET /v1/models HTTP/1.1\r\n"));
            let head = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
            socket.write_all(format!("{head}{body}").as_bytes()).await.expect("the client listens");
        }
    });
    port
}

/// A port where nobody listens.
async fn closed() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    listener.local_addr().expect("it is bound").port()
}

fn local(name: &str, port: u16) -> LocalCandidate<'_> {
    LocalCandidate { product: "Fake", name, kind: "vllm", port }
}

#[actix::test]
async fn every_key_in_the_environment_is_found_in_order_and_no_server_is_asked() {
    let env: Env = [
        ("GEMINI_API_KEY", " g-key\n"),
        ("OPENAI_API_KEY", "o-key"),
        ("ANTHROPIC_API_KEY", ""),
        ("OPENROUTER_API_KEY", "a b"),
    ]
    .into_iter()
    .collect();
    let found = detect(&env, KEYS, &[local("near", server(Does::Answer(200, MODELS)).await)]).await;
    let names: Vec<&str> = found.iter().map(|found| found.name.as_str()).collect();
    assert_eq!(names, ["openai", "gemini"]);
    assert_eq!(found[0].found_by, "Using openai/gpt-5-mini, since OPENAI_API_KEY is set.");
    assert_eq!(found[1].api_key, Some(Secret::new("g-key")));
    assert!(!format!("{found:?}").contains("o-key"));
    assert_eq!(found[1].model_ref().to_string(), "gemini/gemini-2.5-flash");
    let provider = found[1].provider();
    assert_eq!((provider.kind, &provider.api_key), ("gemini", &found[1].api_key));
    assert_eq!(provider.base_url, "https://generativelanguage.googleapis.com/v1beta");
}

#[actix::test]
async fn the_first_local_server_in_order_wins_over_what_does_not_answer_well() {
    let locals = [
        local("closed", closed().await),
        local("stalls", server(Does::Stall).await),
        local("refuses", server(Does::Answer(404, MODELS)).await),
        local("redirects", server(Does::Answer(302, "")).await),
        local("other", server(Does::Answer(200, "<html>")).await),
        local("empty", server(Does::Answer(200, r#"{"data":[]}"#)).await),
        local("near", server(Does::Answer(200, MODELS)).await),
        local("late", server(Does::Answer(200, MODELS)).await),
    ];
    let found = detect(&Env::default(), KEYS, &locals).await;
    let port = locals[6].port;
    let near = Detected {
        name: "near".parse().expect("a name"),
        kind: "vllm",
        base_url: format!("http://127.0.0.1:{port}/v1"),
        api_key: None,
        model: "llama3.2:3b".into(),
        found_by: format!("Using near/llama3.2:3b, since Fake answers on port {port} of this machine."),
    };
    assert_eq!(found, [near]);
}

#[actix::test]
async fn ollama_is_used_on_its_own_wire() {
    let ollama = LocalCandidate { kind: "ollama", ..local("ollama", server(Does::Answer(200, MODELS)).await) };
    let found = detect(&Env::default(), KEYS, &[ollama]).await;
    let provider = found[0].provider();
    assert_eq!((provider.kind, provider.base_url), ("ollama", format!("http://127.0.0.1:{}", ollama.port)));
}

#[actix::test]
async fn nothing_is_found_where_there_is_nothing() {
    let locals = [local("closed", closed().await), local("stalls", server(Does::Stall).await)];
    assert_eq!(detect(&Env::default(), KEYS, &locals).await, []);
    assert!(NO_PROVIDER.contains("mosaic providers add openai"));
}

#[test]
fn the_candidates_are_well_formed() {
    for kind in KEYS {
        let model = kind.first_model.expect("a model to begin with");
        assert!(format!("{}/{model}", kind.name).parse::<mosaic_types::ModelRef>().is_ok());
        assert!(kind.key_env.is_some(), "{kind:?}");
    }
    for candidate in LOCALS {
        assert!(candidate.name.parse::<ProviderName>().is_ok());
        let kind = Kind::find(candidate.kind).expect("a kind that there is");
        assert!(kind.base_url.starts_with(&format!("http://127.0.0.1:{}", candidate.port)), "{kind:?}");
    }
}
