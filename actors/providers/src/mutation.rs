//! Every wire's reader against answers that were spoilt on the way: a corpus of good streams, and what seeds make of them.
//!
//! Whatever comes, a reader says what it can, ends at most once, and never panics; what was cut off is never an answer.

use mosaic_testkit::http::Client;
use mosaic_testkit::{StandIn, Step};
use mosaic_types::ChatEvent;

use crate::contract::peer;
use crate::wire::Reader;
use crate::wire::assemble::Assembler;
use crate::wire::sse::Decoder;
use crate::{anthropic, gemini, ollama, openai, responses};

/// Mutants of each stream. The whole takes some seconds without optimisation; MOSAIC_TEST_MUTANTS=100000 asks for more.
const SEEDS: u64 = 400;

fn seeds() -> u64 {
    std::env::var("MOSAIC_TEST_MUTANTS").map_or(SEEDS, |seeds| seeds.parse().expect("a number of mutants"))
}

/// Bytes that mean something to one of the readers.
const SPICE: &[&[u8]] = &[
    b"\n",
    b"\r",
    b"\n\n",
    b"data: ",
    b"event: error\n",
    b"{",
    b"}",
    b"[",
    b"]",
    b"\"",
    b"\\",
    b"\\u0000",
    b"null",
    b"-1",
    b"1e999",
    b"18446744073709551616",
    b"\xff",
    b"\xef\xbb\xbf",
    b"[DONE]",
    b",",
    b":",
    b"true",
    b"{}",
];

/// The bytes of good answers, each as its wire says it.
async fn corpus(path: &str, body: &str) -> Vec<Vec<u8>> {
    let tools = [("clock", r#"{"tz":"Europe/Berlin","at":[1,2.5,null]}"#), ("dice", "{}")];
    let tools = tools.map(|(name, arguments)| (name.to_owned(), arguments.to_owned()));
    let steps = [
        Step::say("hi Ada, äöü 𝄞 \"quoted\" \\ and so on"),
        Step::think_say("let me see", "yes"),
        Step::CallTools { text: "wait".into(), calls: tools.to_vec() },
        Step::error_event("rate_limit_exceeded", "slow down"),
    ];
    let stand_in = StandIn::start(steps.clone());
    let mut client = Client::connect(stand_in.address()).await.expect("the stand-in listens");
    let mut streams = Vec::new();
    for _ in steps {
        let answer = client.request("POST", path, &[], body.as_bytes()).await.expect("an answer");
        streams.push(answer.body.to_vec());
    }
    streams
}

/// One to four changes: bytes flipped, taken out, put in, said twice, cut off, or of another stream.
fn mutant(stream: &[u8], other: &[u8], chance: &mut fastrand::Rng) -> Vec<u8> {
    let mut bytes = stream.to_vec();
    for _ in 0..chance.usize(1..=4) {
        if bytes.is_empty() {
            break;
        }
        let at = chance.usize(..bytes.len());
        let end = (at + chance.usize(1..40)).min(bytes.len());
        match chance.u32(..7) {
            0 => bytes[at] ^= 1 << chance.u32(..8),
            1 => drop(bytes.drain(at..end)),
            2 => drop(bytes.splice(at..at, SPICE[chance.usize(..SPICE.len())].iter().copied())),
            3 => drop(bytes.splice(at..end, SPICE[chance.usize(..SPICE.len())].iter().copied())),
            4 => {
                let again = bytes[at..end].to_vec();
                bytes.splice(at..at, again);
            }
            5 => bytes.truncate(at),
            _ => {
                let from = chance.usize(..other.len());
                let to = (from + chance.usize(1..200)).min(other.len());
                bytes.splice(at..at, other[from..to].iter().copied());
            }
        }
    }
    bytes
}

/// Reads in random pieces; tells whether it was an answer.
fn read<R: Reader>(decoder: Decoder, reader: R, bytes: &[u8], chance: &mut fastrand::Rng) -> bool {
    let mut assembler = Assembler::new(peer(), decoder, reader);
    let (mut finished, mut rest) = (0, bytes);
    let mut said = 0;
    let mut take = |assembler: &mut Assembler<R>| {
        while let Some(event) = assembler.pop() {
            assert_eq!(finished, 0, "{event:?} after the end");
            match event {
                ChatEvent::Finished { .. } => finished += 1,
                ChatEvent::Text(text) | ChatEvent::Thinking(text) => said += text.len(),
                ChatEvent::ToolCall { arguments, .. } => said += arguments.len(),
            }
        }
    };
    let mut end = Ok(());
    while !rest.is_empty() && end.is_ok() {
        let (piece, more) = rest.split_at(chance.usize(1..=rest.len()));
        end = assembler.push(piece);
        rest = more;
        take(&mut assembler);
    }
    if end.is_ok() && !assembler.is_done() {
        end = assembler.end(None);
        take(&mut assembler);
    }
    assert_eq!(end.is_ok(), finished == 1, "an end without error is a finish: {end:?}");
    // Each byte of the wire makes one of ours, but for those of an escape, which makes fewer.
    assert!(said <= bytes.len() + 64, "more was said than was sent");
    if let Err(error) = end {
        assert!(error.failure().message.ends_with('.'), "{error:?}");
    }
    finished == 1
}

async fn survives<R: Reader>(path: &str, body: &str, decoder: fn() -> Decoder, reader: fn() -> R) {
    let streams = corpus(path, body).await;
    for (at, stream) in streams.iter().enumerate() {
        let good = read(decoder(), reader(), stream, &mut fastrand::Rng::with_seed(0));
        assert_eq!(good, at != 3, "{path}, stream {at} as it is");
        let mut answers = 0;
        for seed in 0..seeds() {
            let mut chance = fastrand::Rng::with_seed(seed << 3 | at as u64);
            let other = &streams[chance.usize(..streams.len())];
            let bytes = mutant(stream, other, &mut chance);
            // A panic here names its seed by way of the test's output.
            answers += u64::from(read(decoder(), reader(), &bytes, &mut chance));
            let whole = chance.usize(..bytes.len() + 1);
            let _ = Assembler::new(peer(), decoder(), reader()).whole(&bytes[..whole]);
        }
        assert!(answers < seeds(), "{path}: nothing that was done to stream {at} was noticed");
    }
}

#[tokio::test]
async fn spoilt_answers_never_panic_and_end_at_most_once() {
    let asked = r#"{"model":"m","stream":true,"stream_options":{"include_usage":true},"messages":[{"role":"user","content":"hi"}]}"#;
    survives("/v1/chat/completions", asked, Decoder::default, openai::Reader::default).await;
    survives("/v1/messages", asked, Decoder::default, anthropic::Reader::default).await;
    survives("/api/chat", asked, Decoder::lines, ollama::Reader::default).await;
    survives("/v1/responses", asked, Decoder::default, responses::Reader::default).await;
    let path = "/v1beta/models/m:streamGenerateContent?alt=sse";
    survives(path, asked, Decoder::default, gemini::Reader::default).await;
}
