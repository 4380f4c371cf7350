//! Each wire's decoder by its name, apart from any server: bytes in, events out. For the benches and the fuzzers.

use mosaic_types::{ChatEvent, ProviderName};

use crate::wire::assemble::Assembler;
use crate::wire::sse::Decoder;
use crate::wire::{Peer, Reader};
use crate::{ProviderError, anthropic, gemini, ollama, openai, responses};

/// The wires that have a decoder of their own. The other kinds of provider speak OpenAI's.
pub const WIRES: [&str; 5] = ["openai", "openai-responses", "anthropic", "gemini", "ollama"];

/// Reads an answer that comes in these pieces and tells its events.
///
/// # Errors
/// The answer is none: as for a call that was answered so.
///
/// # Panics
/// `wire` is none of [`WIRES`].
pub fn stream<'a>(
    wire: &str,
    pieces: impl IntoIterator<Item = &'a [u8]>,
    hear: impl FnMut(ChatEvent),
) -> Result<(), ProviderError> {
    let events = Decoder::default;
    match wire {
        "openai" => read(events(), openai::Reader, pieces, hear),
        "openai-responses" => read(events(), responses::Reader::default(), pieces, hear),
        "anthropic" => read(events(), anthropic::Reader::default(), pieces, hear),
        "gemini" => read(events(), gemini::Reader::default(), pieces, hear),
        "ollama" => read(Decoder::lines(), ollama::Reader::default(), pieces, hear),
        other => panic!("{other} is no wire"),
    }
}

/// Takes a stream of server-sent events apart; answers how many there were, up to one that cannot be one.
pub fn events(bytes: &[u8]) -> usize {
    let mut decoder = Decoder::default();
    decoder.push(bytes);
    decoder.end();
    let mut count = 0;
    while let Ok(Some(_)) = decoder.next() {
        count += 1;
    }
    count
}

fn read<'a, R: Reader>(
    decoder: Decoder,
    reader: R,
    pieces: impl IntoIterator<Item = &'a [u8]>,
    mut hear: impl FnMut(ChatEvent),
) -> Result<(), ProviderError> {
    let provider: ProviderName = "decoder".parse().expect("it is a good name");
    let mut assembler = Assembler::new(Peer { provider, key: None, model: None }, decoder, reader);
    let mut tell = |assembler: &mut Assembler<R>| {
        while let Some(event) = assembler.pop() {
            hear(event);
        }
    };
    for piece in pieces {
        let pushed = assembler.push(piece);
        tell(&mut assembler);
        pushed?;
        if assembler.is_done() {
            return Ok(());
        }
    }
    let ended = assembler.end(None);
    tell(&mut assembler);
    ended
}
