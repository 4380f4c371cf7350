//! A dialogue as wires with stricter rules than OpenAI's want it: every tool call has one result, right behind it. Pure.

use std::borrow::Cow;
use std::hash::{DefaultHasher, Hash, Hasher};

use mosaic_types::{ChatMessage, Role, ToolCall};
use serde_json::value::RawValue;

/// What a model is told where a call has no result: it must be told something.
pub(crate) const NO_RESULT: &str = "The outcome of this call is not known.";

/// A part of a dialogue.
#[derive(Debug, PartialEq)]
pub(crate) enum Part<'a> {
    /// Instructions behind the beginning of the dialogue; those before it are told apart by [`split`].
    System(&'a ChatMessage),
    User(&'a ChatMessage),
    Assistant(&'a ChatMessage),
    /// The results of all calls of the assistant's message before it, in the order of the calls.
    Results(Vec<(&'a ToolCall, &'a str)>),
}

/// The instructions before the dialogue, and the dialogue. Results without a call are left out: no wire takes them, and
/// no model could make sense of them. What is empty and calls nothing is left out too.
pub(crate) fn split(messages: &[ChatMessage]) -> (Vec<&str>, Vec<Part<'_>>) {
    let begins = messages.iter().position(|message| message.role != Role::System).unwrap_or(messages.len());
    let system = messages[..begins].iter().map(|message| &*message.text).filter(|text| !text.is_empty()).collect();
    let mut parts = Vec::with_capacity(messages.len() - begins);
    let mut rest = messages[begins..].iter().peekable();
    while let Some(message) = rest.next() {
        let is_empty = message.text.is_empty() && message.tool_calls.is_empty() && message.images.is_empty();
        match message.role {
            Role::Tool => {}
            _ if is_empty => {}
            Role::System => parts.push(Part::System(message)),
            Role::User => parts.push(Part::User(message)),
            Role::Assistant => {
                parts.push(Part::Assistant(message));
                let mut told = Vec::new();
                while let Some(result) = rest.next_if(|next| next.role == Role::Tool) {
                    told.push(result);
                }
                if !message.tool_calls.is_empty() {
                    let result = |call: &ToolCall| {
                        let of_it = |told: &&&ChatMessage| told.tool_call_id.as_deref() == Some(&*call.id);
                        told.iter().find(of_it).map_or(NO_RESULT, |told| &*told.text)
                    };
                    parts.push(Part::Results(message.tool_calls.iter().map(|call| (call, result(call))).collect()));
                }
            }
        }
    }
    (system, parts)
}

/// The arguments of a call as the JSON object that these wires want. What a model wrote wrong is told as it wrote it.
pub(crate) fn object(arguments: &str) -> Cow<'_, RawValue> {
    let raw = |text: String| Cow::Owned(RawValue::from_string(text).expect("it was made as JSON"));
    let arguments = arguments.trim();
    match serde_json::from_str::<&RawValue>(arguments) {
        Ok(object) if arguments.starts_with('{') => Cow::Borrowed(object),
        _ if arguments.is_empty() => raw("{}".into()),
        _ => raw(serde_json::json!({"arguments": arguments}).to_string()),
    }
}

/// A call's id in the letters that every wire takes: at most 64 of `A-Za-z0-9_-`. Ids of another provider may hold
/// others; they stay apart from each other.
pub(crate) fn tidy(id: &str) -> Cow<'_, str> {
    let fits = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-');
    if !id.is_empty() && id.len() <= 64 && id.chars().all(fits) {
        return Cow::Borrowed(id);
    }
    let mut hash = DefaultHasher::new();
    id.hash(&mut hash);
    let start: String = id.chars().filter(|letter| fits(*letter)).take(40).collect();
    Cow::Owned(format!("{start}_{:016x}", hash.finish()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(role: Role, text: &str) -> ChatMessage {
        ChatMessage::new(role, text)
    }

    fn called(ids: &[&str]) -> ChatMessage {
        let mut message = said(Role::Assistant, "");
        let call =
            |id: &&str| ToolCall { id: (*id).into(), name: "f".into(), arguments: String::new(), signature: None };
        message.tool_calls = ids.iter().map(call).collect();
        message
    }

    fn told(id: &str, text: &str) -> ChatMessage {
        let mut message = said(Role::Tool, text);
        message.tool_call_id = Some(id.into());
        message
    }

    #[test]
    fn every_call_has_one_result_right_behind_it() {
        let dialogue = [
            said(Role::System, "be short"),
            said(Role::System, ""),
            told("c0", "of nobody"),
            said(Role::User, "go"),
            called(&["c1", "c2"]),
            told("c2", "two"),
            told("c2", "two again"),
            told("c9", "of nobody"),
            said(Role::System, "hurry"),
            said(Role::Assistant, ""),
            said(Role::User, ""),
        ];
        let (system, parts) = split(&dialogue);
        assert_eq!(system, ["be short"]);
        let calls = &dialogue[4].tool_calls;
        let results = vec![(&calls[0], NO_RESULT), (&calls[1], "two")];
        assert_eq!(
            parts,
            [
                Part::User(&dialogue[3]),
                Part::Assistant(&dialogue[4]),
                Part::Results(results),
                Part::System(&dialogue[8])
            ]
        );
    }

    #[test]
    fn arguments_are_an_object_whatever_a_model_wrote() {
        for (wrote, object) in [
            (r#" {"a": 1} "#, r#"{"a": 1}"#),
            ("", "{}"),
            ("[1]", r#"{"arguments":"[1]"}"#),
            (r#"{"a":"#, r#"{"arguments":"{\"a\":"}"#),
        ] {
            assert_eq!(super::object(wrote).get(), object);
        }
    }

    #[test]
    fn ids_of_another_provider_are_made_to_fit_and_stay_apart() {
        assert_eq!(tidy("toolu_01-A"), "toolu_01-A");
        let (one, other) = (tidy("call:1"), tidy("call/1"));
        assert!(one != other && one.starts_with("call1_"), "{one} {other}");
        assert!(tidy(&"x".repeat(500)).len() <= 64 && tidy("").len() <= 64);
    }
}
