//! What servers of this wire say when they say no, and what that means.

use serde_json::{Value, json};

use super::tests::{assemble, delta, finish, peer, read};
use crate::ProviderError;

#[test]
fn errors_in_a_stream_are_judged_by_what_they_say() {
    let error = |error: Value| read(&[delta(json!({"content": "a"})), json!({"error": error}), finish("stop")]);
    let code = |code: Value| error(json!({"message": "it broke", "code": code})).expect_err("an error");
    assert!(matches!(code(json!(429)), ProviderError::RateLimited { .. }));
    assert!(matches!(code(json!("502")), ProviderError::Overloaded { .. }));
    assert!(matches!(code(json!("context_length_exceeded")), ProviderError::ContextOverflow { .. }));
    assert!(matches!(code(Value::Null), ProviderError::ErrorEvent { .. }));
    assert!(
        matches!(error(json!("plain words")), Err(ProviderError::ErrorEvent { detail, .. }) if detail == "plain words")
    );
    let overloaded = json!({"message": "x", "type": "overloaded_error"});
    assert!(matches!(error(overloaded), Err(ProviderError::Overloaded { .. })));
    let vllm = json!({"object": "error", "message": "it broke", "type": "BadRequestError", "code": 400});
    assert!(matches!(read(&[vllm]), Err(ProviderError::Rejected { .. })));
    let router = json!({"choices": [{"delta": {}, "finish_reason": "error", "error": {"code": 503, "message": "x"}}]});
    assert!(matches!(read(&[router]), Err(ProviderError::Overloaded { .. })));
    let event = assemble([&b"event: error\ndata: sk-12345678 is wrong\n\n"[..]]);
    assert!(matches!(event, Err(ProviderError::ErrorEvent { detail, .. }) if detail == "[redacted] is wrong"));
}

#[test]
fn refusals_are_told_apart_by_wording_where_there_is_no_code() {
    let judge = |status: u16, body: &str| peer().status(status, body, false, None);
    for (status, wording) in [
        (400, "This model's maximum context length is 8192 tokens. However, you requested 9000 tokens."),
        (400, "the request exceeds the available context size, try increasing it"),
        (500, "context window exceeded"),
        (422, "prompt is too long: 210000 tokens > 200000 maximum"),
    ] {
        let body = json!({"error": {"message": wording}}).to_string();
        assert!(matches!(judge(status, &body), ProviderError::ContextOverflow { .. }), "{wording}");
    }
    let limit = "max_tokens is too large: 100000. This model supports at most 16384 completion tokens.";
    assert!(matches!(judge(400, limit), ProviderError::Rejected { .. }));
    assert!(matches!(judge(400, "The model `x` does not exist"), ProviderError::ModelNotFound { .. }));
    assert!(matches!(judge(400, "Your credit balance is too low"), ProviderError::Quota { .. }));
    assert!(matches!(judge(403, "your input was flagged"), ProviderError::ContentFiltered { .. }));
    let detail = |body: &str| match judge(418, body) {
        ProviderError::Rejected { detail, .. } => detail,
        other => panic!("{other:?}"),
    };
    assert_eq!(detail(r#"{"detail":"no tea"}"#), "HTTP 418: no tea");
    assert_eq!(detail("<html>tea</html>"), "HTTP 418: a web page");
    assert_eq!(detail(r#"{"error":{"message":"upstream","metadata":{"raw":"no tea"}}}"#), "HTTP 418: upstream: no tea");
    assert_eq!(detail(""), "HTTP 418");
}
