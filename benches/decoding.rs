//! How fast is a streamed answer read on each wire, and what does a delta cost in allocations?
//!
//! `cargo bench --bench decoding` (half a minute). A bench of its own: it counts allocations, which the others need not
//! pay for.

#![allow(clippy::disallowed_methods)] // a bench reads the real clock

use std::time::{Duration, Instant};

use mosaic_providers::decode;
use mosaic_testkit::http::Client;
use mosaic_testkit::{StandIn, Step};
use mosaic_types::ChatEvent;
use serde::de::IgnoredAny;

/// What a socket read brings, at the most.
const PIECE: usize = 8 << 10;
const DELTAS: usize = 20_000;
const WORD: &str = "word ";
const SPAN: Duration = Duration::from_secs(2);

/// Wires, and where the stand-in speaks them.
const PATHS: [(&str, &str); 5] = [
    ("openai", "/v1/chat/completions"),
    ("openai-responses", "/v1/responses"),
    ("anthropic", "/v1/messages"),
    ("gemini", "/v1beta/models/m:streamGenerateContent?alt=sse"),
    ("ollama", "/api/chat"),
];

fn main() {
    println!("| wire | read | JSON alone | a delta | allocations a delta |\n| --- | --- | --- | --- | --- |");
    for (wire, path) in PATHS {
        let bytes = answer(path);
        let (mut said, mut rounds) = (0, 0u32);
        // Once to warm up, and to count.
        let counted = allocation_counter::measure(|| said = read(wire, &bytes));
        assert_eq!(said, DELTAS * WORD.len(), "{wire}");
        let began = Instant::now();
        while began.elapsed() < SPAN {
            assert_eq!(read(wire, &bytes), said);
            rounds += 1;
        }
        let took = began.elapsed().as_secs_f64() / f64::from(rounds);
        let alone = alone(&bytes);
        #[allow(clippy::cast_precision_loss)]
        let (size, count) = (bytes.len() as f64 / 1e6, DELTAS as f64);
        #[allow(clippy::cast_precision_loss)]
        let allocations = counted.count_total as f64 / count;
        println!(
            "| {wire} | {:.0} MB/s | {:.0} MB/s | {:.0} ns, {:.0} bytes | {allocations:.2} |",
            size / took,
            size / alone,
            took * 1e9 / count,
            size * 1e6 / count,
        );
    }
}

/// What the stand-in streams.
fn answer(path: &str) -> Vec<u8> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let upstream = StandIn::start([Step::say_in(WORD.repeat(DELTAS), DELTAS, Duration::ZERO)]);
        let mut client = Client::connect(upstream.address()).await.expect("the stand-in accepts");
        let body = r#"{"model":"m","stream":true,"stream_options":{"include_usage":true},"messages":[{"role":"user","content":"hi"}]}"#;
        client.request("POST", path, &[], body.as_bytes()).await.expect("an answer").body.to_vec()
    })
}

/// Reads it as a call does; answers how many bytes of text there were. What one socket read brings is one piece.
fn read(wire: &str, bytes: &[u8]) -> usize {
    let mut said = 0;
    let ended = decode::stream(wire, bytes.chunks(PIECE), |event| {
        if let ChatEvent::Text(text) = event {
            said += text.len();
        }
    });
    ended.expect("it is a good answer");
    said
}

/// Seconds that it takes to skip over the JSON of each line: nobody reads it for less.
fn alone(bytes: &[u8]) -> f64 {
    let (began, mut rounds) = (Instant::now(), 0u32);
    while began.elapsed() < SPAN / 4 {
        for line in bytes.split(|byte| *byte == b'\n') {
            let json = line.strip_prefix(b"data: ").unwrap_or(line);
            if json.first() == Some(&b'{') {
                serde_json::from_slice::<IgnoredAny>(json).expect("it is JSON");
            }
        }
        rounds += 1;
    }
    began.elapsed().as_secs_f64() / f64::from(rounds)
}
