//! What holds of this wire wherever a stream is cut, and whatever is in it.

use proptest::prelude::*;
use serde_json::json;

use super::tests::{assemble, delta, finish, stream};
use crate::ProviderError;
use crate::contract::{calls, text};

proptest! {
    #[test]
    fn any_cut_of_a_stream_gives_the_same_answer(
        words in prop::collection::vec("[a-zäé𝄞\\\\\"\n ]{0,8}", 0..8),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
    ) {
        let mut chunks: Vec<_> = words.iter().map(|word| delta(json!({"content": word}))).collect();
        chunks.push(delta(json!({"tool_calls": [{"index": 0, "id": "c", "function": {"name": "f", "arguments": "{"}}]})));
        chunks.push(delta(json!({"tool_calls": [{"index": 0, "function": {"arguments": "}"}}]})));
        chunks.extend([finish("tool_calls"), json!({"choices": [], "usage": {"completion_tokens": 1}})]);
        let bytes = stream(&chunks) + "data: [DONE]\n\n";
        let bytes = bytes.as_bytes();
        let mut at: Vec<_> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).chain([0, bytes.len()]).collect();
        at.sort_unstable();
        let cut = assemble(at.windows(2).map(|pair| &bytes[pair[0]..pair[1]])).expect("an answer");
        let whole = assemble([bytes]).expect("an answer");
        prop_assert_eq!(text(&cut), words.concat());
        prop_assert_eq!(calls(&cut), calls(&whole));
        prop_assert_eq!(cut.last(), whole.last());
    }

    #[test]
    fn a_stream_cut_anywhere_before_its_finish_is_no_answer(cut in any::<prop::sample::Index>()) {
        let before = stream(&[delta(json!({"content": "one"})), delta(json!({"content": "two"}))]);
        let last = finish("stop").to_string();
        let bytes = format!("{before}data: {last}");
        let cut = cut.index(bytes.len());
        let end = assemble([&bytes.as_bytes()[..cut]]);
        prop_assert!(matches!(end, Err(ProviderError::Truncated { .. })), "{:?}", end);
    }

    #[test]
    fn no_event_makes_it_panic(data in "[\\[\\]{}:,\"a-z0-9_ ]{0,60}") {
        let _ = assemble([format!("data: {data}\n\n").as_bytes()]);
    }
}
