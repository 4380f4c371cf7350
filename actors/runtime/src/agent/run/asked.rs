//! The tools that an answer asks for, put together of the pieces in which they come. What a model writes is not trusted.

use std::collections::{BTreeMap, HashSet};

use mosaic_types::{ChatEvent, ToolCall, limits};

use super::order::RunInput;

/// Characters of a tool's name, at the most: what OpenAI and Anthropic take.
const NAME_CHARS: usize = 64;

/// Bytes of a call's id, at the most.
const ID_BYTES: usize = 128;

/// Calls as they come.
#[derive(Debug, Default)]
pub(super) struct Calls {
    by_index: BTreeMap<u32, ToolCall>,
}

impl Calls {
    pub(super) fn is_empty(&self) -> bool {
        self.by_index.is_empty()
    }

    /// Takes in a piece. Arguments that are too long are kept just so far that this can be told.
    pub(super) fn hear(&mut self, event: &ChatEvent) {
        let ChatEvent::ToolCall { index, id, name, arguments, signature } = event else { return };
        let beyond = self.by_index.len() >= limits::TOOL_CALLS && !self.by_index.contains_key(index);
        let call = self.by_index.entry(*index).or_insert_with(|| {
            let (id, name) = (id.clone().unwrap_or_default(), name.clone().unwrap_or_default());
            ToolCall { id, name, arguments: String::new(), signature: signature.clone() }
        });
        let left = (limits::TOOL_ARGUMENTS_BYTES + 1).saturating_sub(call.arguments.len());
        if !beyond && left > 0 {
            call.arguments.push_str(&arguments[..arguments.floor_char_boundary(left.min(arguments.len()))]);
        }
    }

    /// The calls in the model's order, in a form that every provider takes back: each with a name, and with an id that no
    /// other call of the dialogue has.
    pub(super) fn done(self, input: &RunInput) -> Vec<ToolCall> {
        let RunInput::Dialogue(before) = input else { return Vec::new() };
        let mut taken: HashSet<String> =
            before.iter().flat_map(|said| &said.tool_calls).map(|call| call.id.clone()).collect();
        let mut calls: Vec<ToolCall> = self.by_index.into_values().collect();
        for (position, call) in calls.iter_mut().enumerate() {
            let fits = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-');
            call.name =
                call.name.chars().map(|letter| if fits(letter) { letter } else { '_' }).take(NAME_CHARS).collect();
            if call.name.is_empty() {
                "unknown".clone_into(&mut call.name);
            }
            let good =
                (1..=ID_BYTES).contains(&call.id.len()) && call.id.chars().all(|letter| letter.is_ascii_graphic());
            if !good || taken.contains(&call.id) {
                let ids = (1..).map(|number| format!("call_{}_{number}", position + 1));
                call.id = ids.into_iter().find(|id| !taken.contains(id)).expect("numbers do not end");
            }
            taken.insert(call.id.clone());
        }
        calls
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use mosaic_types::{ChatMessage, Role};

    use super::*;

    fn piece(index: u32, id: &str, name: &str, arguments: &str) -> ChatEvent {
        let (id, name) = (Some(id.to_owned()), Some(name.to_owned()));
        ChatEvent::ToolCall { index, id, name, arguments: arguments.to_owned(), signature: None }
    }

    fn done(pieces: &[ChatEvent], before: &[&str]) -> Vec<ToolCall> {
        let mut calls = Calls::default();
        pieces.iter().for_each(|piece| calls.hear(piece));
        let mut said = ChatMessage::new(Role::Assistant, "");
        let old =
            |id: &&str| ToolCall { id: (*id).into(), name: "f".into(), arguments: String::new(), signature: None };
        said.tool_calls = before.iter().map(old).collect();
        calls.done(&RunInput::Dialogue(vec![said]))
    }

    #[test]
    fn calls_come_in_the_models_order_whatever_the_order_of_their_pieces() {
        let more = ChatEvent::ToolCall { index: 0, id: None, name: None, arguments: "1}".into(), signature: None };
        let calls = done(&[piece(1, "b", "g", "{}"), piece(0, "a", "f", "{\"x\":"), more], &[]);
        let told: Vec<_> = calls.iter().map(|call| format!("{} {} {}", call.id, call.name, call.arguments)).collect();
        assert_eq!(told, ["a f {\"x\":1}", "b g {}"]);
    }

    #[test]
    fn every_call_has_an_id_of_its_own_and_a_name_that_can_be_sent_back() {
        let odd = "x".repeat(500);
        let pieces = [
            piece(0, "a", "f", ""),
            piece(1, "a", "do it!", ""),
            piece(2, "old", "", ""),
            piece(3, &odd, &odd, ""),
            piece(4, "é", "f", ""),
        ];
        let calls = done(&pieces, &["old", "call_2_1"]);
        let ids: Vec<_> = calls.iter().map(|call| call.id.as_str()).collect();
        assert_eq!(ids, ["a", "call_2_2", "call_3_1", "call_4_1", "call_5_1"]);
        let names: Vec<_> = calls.iter().map(|call| call.name.len()).collect();
        assert_eq!(
            (names, calls[1].name.as_str(), calls[2].name.as_str()),
            (vec![1, 6, 7, 64, 1], "do_it_", "unknown")
        );
        assert!(done(&pieces, &[]).len() == 5 && Calls::default().done(&RunInput::Verbatim(Arc::default())).is_empty());
    }

    #[test]
    fn arguments_without_end_are_kept_so_far_that_this_can_be_told() {
        let mut calls = Calls::default();
        for _ in 0..200 {
            calls.hear(&piece(0, "a", "f", &"é".repeat(1_000)));
        }
        let calls = calls.done(&RunInput::Dialogue(Vec::new()));
        let bytes = calls[0].arguments.len();
        assert!((limits::TOOL_ARGUMENTS_BYTES..=limits::TOOL_ARGUMENTS_BYTES + 1).contains(&bytes), "{bytes}");
    }
}
