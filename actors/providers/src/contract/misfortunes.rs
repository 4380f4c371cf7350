//! What goes wrong, and as what it is told.

use std::task::{Context, Waker};
use std::time::Duration;

use futures_util::StreamExt;
use mosaic_testkit::{Gate, StandIn, Step};
use mosaic_types::{ChatEvent, Classify, ErrorClass};

use super::{Bed, Build, KEY, adapter, all, next, request, text};
use crate::ProviderError;

/// Whether an error is of the kind that a misfortune must show.
type Kind = fn(&ProviderError) -> bool;

fn misfortunes() -> Vec<(Step, Kind)> {
    vec![
        (Step::truncate("one two"), |error| matches!(error, ProviderError::Truncated { .. })),
        (Step::truncate(""), |error| matches!(error, ProviderError::Truncated { .. })),
        (Step::DropAfter { text: "one two".into(), after: 1 }, |error| {
            matches!(error, ProviderError::Truncated { .. })
        }),
        (Step::Drop, |error| matches!(error, ProviderError::Unreachable { .. })),
        (Step::BadUtf8, |error| matches!(error, ProviderError::Undecodable { .. })),
        (Step::error_event("oops", "it broke"), |error| matches!(error, ProviderError::ErrorEvent { .. })),
        (Step::error_event("rate_limit_exceeded", "slow"), |error| matches!(error, ProviderError::RateLimited { .. })),
        (Step::WrongType, |error| matches!(error, ProviderError::WrongType { .. })),
        (Step::Compressed, |error| matches!(error, ProviderError::WrongType { .. })),
    ]
}

async fn suffer(build: Build, stream: bool, misfortunes: Vec<(Step, Kind)>) {
    for (step, kind) in misfortunes {
        let bed = Bed::new(build, [step.clone(), Step::say("well again")]);
        let (before, end) = all(&*bed.provider, request("hello", stream)).await;
        let error = end.expect_err("a misfortune is no answer");
        assert!(kind(&error), "{step:?} gave {error:?}");
        assert!(!before.iter().any(|event| matches!(event, ChatEvent::Finished { .. })), "{step:?} gave {before:?}");
        assert_eq!(bed.stand_in.progress().calls, 1, "an adapter never asks again");
        let failure = error.failure();
        assert_eq!(failure.class(), error.class(), "{error:?}");
        assert!(failure.message.starts_with(char::is_uppercase) && failure.message.ends_with('.'), "{failure}");
        assert_eq!(text(&bed.stream("hello").await.expect("the next call is unharmed")), "well again");
    }
}

pub(crate) async fn misfortunes_are_typed_errors(build: Build) {
    let mut all = misfortunes();
    all.push((Step::Garbage, |error| matches!(error, ProviderError::Undecodable { .. })));
    suffer(build, true, all).await;
}

pub(crate) async fn misfortunes_of_whole_answers_are_typed_errors(build: Build) {
    let mut all = misfortunes();
    // Half a JSON text, which is what this garbage is, cannot be told from a cut.
    all.push((Step::Garbage, |error| {
        matches!(error, ProviderError::Undecodable { .. } | ProviderError::Truncated { .. })
    }));
    suffer(build, false, all).await;
}

pub(crate) async fn refusals_are_told_apart(build: Build) {
    let refusals: Vec<(Step, Kind)> = vec![
        (Step::status(401, "invalid_api_key", "bad key"), |error| matches!(error, ProviderError::Auth { .. })),
        (Step::status(403, "forbidden", "no"), |error| matches!(error, ProviderError::Auth { .. })),
        (Step::status(402, "", "pay"), |error| matches!(error, ProviderError::Quota { .. })),
        (Step::status(429, "insufficient_quota", "pay"), |error| matches!(error, ProviderError::Quota { .. })),
        (Step::status(429, "", "slow"), |error| matches!(error, ProviderError::RateLimited { retry_after: None, .. })),
        (
            Step::status(404, "", "no"),
            |error| matches!(error, ProviderError::ModelNotFound { model, .. } if &**model == "m-1"),
        ),
        (Step::status(400, "", "no"), |error| matches!(error, ProviderError::Rejected { .. })),
        (Step::status(422, "", "no"), |error| matches!(error, ProviderError::Rejected { .. })),
        (Step::status(400, "context_length_exceeded", "x"), |error| {
            matches!(error, ProviderError::ContextOverflow { .. })
        }),
        (Step::status(400, "content_filter", "x"), |error| matches!(error, ProviderError::ContentFiltered { .. })),
        (Step::status(500, "", "x"), |error| matches!(error, ProviderError::Overloaded { .. })),
        (Step::status(502, "", "x"), |error| matches!(error, ProviderError::Overloaded { .. })),
        (Step::status(503, "", "x"), |error| matches!(error, ProviderError::Overloaded { .. })),
        (Step::status(529, "", "x"), |error| matches!(error, ProviderError::Overloaded { .. })),
    ];
    suffer(build, true, refusals.clone()).await;
    suffer(build, false, refusals).await;
}

pub(crate) async fn pauses_are_passed_on(build: Build) {
    let busy = |value: &str| Step::Status {
        status: 503,
        headers: vec![("Retry-After".into(), value.into())],
        body: String::new(),
    };
    let (short, long) = (Duration::from_millis(1200), Duration::from_secs(70));
    let bed = Bed::new(build, [Step::RateLimit(short), Step::RateLimit(long), busy("7"), busy("soon")]);
    for (wait, class) in [
        (Some(short), ErrorClass::Transient { retry_after: Some(short) }),
        (Some(long), ErrorClass::Transient { retry_after: Some(long) }),
        (Some(Duration::from_secs(7)), ErrorClass::Overloaded),
        (None, ErrorClass::Overloaded),
    ] {
        let error = bed.stream("hello").await.expect_err("a refusal");
        assert_eq!((error.retry_after(), error.class()), (wait, class));
        assert_eq!(error.failure().retry_after_ms.map(Duration::from_millis), wait);
    }
}

pub(crate) async fn the_key_is_never_shown(build: Build) {
    let echo = format!("bad key {KEY} in {}", KEY.repeat(40));
    let plain = |status, body: String| Step::Status { status, headers: vec![], body };
    let script = [
        Step::status(401, "invalid_api_key", &echo),
        plain(400, echo.clone()),
        plain(500, format!("{}{echo}", "\u{1}".repeat((16 << 10) - 20))),
        Step::error_event(KEY, &echo),
        Step::Sse(format!("data: {{\"choices\":[{{\"finish_reason\":{{\"{KEY}\":1}}}}]}}\n\n")),
        Step::Status {
            status: 307,
            headers: vec![("location".into(), format!("http://x/?k={KEY}"))],
            body: echo.clone(),
        },
    ];
    let bed = Bed::new(build, script.clone());
    for step in script {
        let error = bed.stream("hello").await.expect_err("a refusal");
        let told = format!("{error} {error:?} {}", error.failure());
        assert!(!told.contains("sk-plan"), "{step:?} gave {told}");
        assert!(told.len() < 3000, "{told}");
    }
}

pub(crate) async fn nobody_there_is_unreachable(build: Build) {
    let bed = Bed::new(build, []);
    let unknown = format!("http://{}.localhost:1/v1", "x".repeat(64));
    let tls = bed.stand_in.base_url().replace("http:", "https:");
    for base_url in [StandIn::nobody(), unknown, tls] {
        let provider = adapter(build, base_url.clone());
        let error = all(&*provider, request("hello", true)).await.1.expect_err("nobody there");
        assert!(matches!(error, ProviderError::Unreachable { .. }), "{base_url} gave {error:?}");
        assert!(matches!(provider.models().await, Err(ProviderError::Unreachable { .. })));
    }
}

pub(crate) async fn long_lines_are_refused(build: Build) {
    // More than the socket's buffers hold: if the adapter read on, the stand-in would not be hung up on.
    let bed = Bed::new(build, [Step::LongLine { bytes: 10_000_000 }, Step::LongLine { bytes: 64 << 20 }]);
    for _ in 0..2 {
        let error = bed.stream("hello").await.expect_err("a long line");
        assert!(matches!(error, ProviderError::TooLarge { limit, .. } if limit <= 2 << 20), "{error:?}");
    }
    bed.stand_in.wait_for_hangup().await;
}

pub(crate) async fn endless_answers_are_refused(build: Build) {
    // More than an answer may hold and the sockets between do.
    let flood = Step::Flood { bytes: 128 << 20 };
    let bed = Bed::new(build, [flood.clone(), flood]);
    for stream in [false, true] {
        let end = all(&*bed.provider, request("hello", stream)).await.1;
        assert!(matches!(end, Err(ProviderError::TooLarge { .. })), "{}", end.is_ok());
    }
    bed.stand_in.wait_for_hangups(2).await;
}

pub(crate) async fn silence_is_the_runtimes_to_end(build: Build) {
    let bed = Bed::new(build, [Step::Silence, Step::Stall, Step::mute_after(2)]);
    let silent = tokio::select! {
        _ = bed.provider.chat(request("hello", true)) => false,
        _ = bed.stand_in.wait_for_calls(1) => true,
    };
    assert!(silent, "a call without an answer stays open until it is dropped");
    bed.stand_in.wait_for_hangups(1).await;
    for (hung_up, words) in [(2, ""), (3, "one two ")] {
        let mut stream = bed.provider.chat(request("hello", true)).await.expect("it begins");
        let mut said = String::new();
        while said.len() < words.len() {
            said.push_str(&text(&[next(&mut stream).await]));
        }
        assert_eq!(said, words);
        let mut context = Context::from_waker(Waker::noop());
        assert!(stream.poll_next_unpin(&mut context).is_pending());
        drop(stream);
        bed.stand_in.wait_for_hangups(hung_up).await;
    }
}

pub(crate) async fn dropping_the_stream_ends_the_call(build: Build) {
    let gate = Gate::new();
    let bed = Bed::new(build, [Step::hold_after(&gate, "one two three", 1), Step::Flood { bytes: 80 << 20 }]);
    for hung_up in 1..=2 {
        let mut stream = bed.provider.chat(request("hello", true)).await.expect("it begins");
        assert!(matches!(next(&mut stream).await, ChatEvent::Text(_)));
        drop(stream);
        bed.stand_in.wait_for_hangups(hung_up).await;
    }
}

pub(crate) async fn seeded_misfortunes_are_never_answers(build: Build) {
    for seed in 0..8 {
        let steps = Step::seeded_ending(seed, 30);
        let bed = Bed::new(build, steps.clone());
        for (at, step) in steps.iter().enumerate() {
            let good = matches!(
                step,
                Step::Say(_)
                    | Step::SayIn { .. }
                    | Step::ThinkSay { .. }
                    | Step::CallTools { .. }
                    | Step::Flood { .. }
                    | Step::SlowBytes { .. }
            );
            let end = bed.stream("hello").await;
            assert_eq!(end.is_ok(), good, "seed {seed}, step {at} {step:?} gave {end:?}");
        }
        assert_eq!(bed.stand_in.progress().calls, steps.len());
    }
}
