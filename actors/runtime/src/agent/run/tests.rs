use std::sync::Arc;
use std::time::Duration;

use mosaic_types::{ChatMessage, Code, ErrorClass, ModelRef, Role};

use super::plan::{Next, Plan};
use super::prompt;

fn models(names: &[&str]) -> Vec<ModelRef> {
    names.iter().map(|name| name.parse().expect("a model")).collect()
}

const TRANSIENT: ErrorClass = ErrorClass::Transient { retry_after: None };

#[test]
fn the_only_model_is_tried_three_times_with_growing_pauses() {
    let mut plan = Plan::new(models(&["a/one"]));
    assert_eq!(
        plan.failed(TRANSIENT, Code::ProviderOverloaded, false, 0.5),
        Next::Again { after: Duration::from_secs(2) }
    );
    assert_eq!(
        plan.failed(TRANSIENT, Code::ProviderOverloaded, false, 0.5),
        Next::Again { after: Duration::from_secs(4) }
    );
    assert_eq!(plan.failed(TRANSIENT, Code::ProviderOverloaded, false, 0.5), Next::GiveUp);
}

#[test]
fn another_model_is_tried_at_once_and_the_reason_is_told() {
    let mut plan = Plan::new(models(&["a/one", "b/two"]));
    let two = models(&["b/two"]).remove(0);
    assert_eq!(plan.reason(&two), "first choice");
    assert_eq!(plan.failed(ErrorClass::Denied, Code::ProviderAuth, false, 0.5), Next::Switch);
    assert_eq!(plan.model().map(ToString::to_string).as_deref(), Some("b/two"));
    assert_eq!(plan.reason(&two), "a/one refused the key; b/two answered");
}

#[test]
fn nothing_follows_an_answer_that_was_partly_shown() {
    let mut plan = Plan::new(models(&["a/one", "b/two"]));
    assert_eq!(plan.failed(TRANSIENT, Code::ProviderOverloaded, true, 0.5), Next::GiveUp);
}

#[test]
fn a_wish_for_a_pause_is_obeyed_up_to_a_minute() {
    let asked = |secs| ErrorClass::Transient { retry_after: Some(Duration::from_secs(secs)) };
    let mut plan = Plan::new(models(&["a/one"]));
    assert_eq!(
        plan.failed(asked(60), Code::ProviderOverloaded, false, 0.5),
        Next::Again { after: Duration::from_secs(60) }
    );
    assert_eq!(plan.failed(asked(61), Code::ProviderOverloaded, false, 0.5), Next::GiveUp);
}

#[test]
fn a_wrong_request_is_not_sent_again() {
    let mut plan = Plan::new(models(&["a/one", "b/two"]));
    assert_eq!(plan.failed(ErrorClass::Invalid, Code::ProviderOverloaded, false, 0.5), Next::GiveUp);
    assert_eq!(
        Plan::new(models(&["a/one"])).failed(ErrorClass::Denied, Code::ProviderOverloaded, false, 0.5),
        Next::GiveUp
    );
}

#[test]
fn what_overflows_one_model_is_tried_with_the_next() {
    let mut plan = Plan::new(models(&["a/small", "b/large"]));
    assert_eq!(plan.failed(ErrorClass::Invalid, Code::ContextOverflow, false, 0.5), Next::Switch);
    assert_eq!(plan.failed(ErrorClass::Invalid, Code::ContextOverflow, false, 0.5), Next::GiveUp);
}

fn dialogue(lengths: &[usize]) -> Vec<ChatMessage> {
    let roles = [Role::User, Role::Assistant].into_iter().cycle();
    roles.zip(lengths).map(|(role, length)| ChatMessage::new(role, "x".repeat(*length))).collect()
}

#[test]
fn the_newest_whole_exchanges_that_fit_are_sent() {
    let system: Arc<str> = "be kind".into();
    let dialogue = dialogue(&[400, 400, 40, 40, 40]);
    let sent = prompt::messages(&system, &dialogue, 100);
    let lengths: Vec<_> = sent.iter().map(|message| message.text.len()).collect();
    assert_eq!(lengths, [7, 40, 40, 40]);
    assert_eq!((sent[0].role, sent[1].role), (Role::System, Role::User));
}

#[test]
fn the_input_is_sent_whatever_its_length() {
    let sent = prompt::messages(&"".into(), &dialogue(&[40, 40, 100_000]), 100);
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].text.len(), 100_000);
}

#[test]
fn inputs_that_came_together_are_sent_together() {
    let user = |length: usize| ChatMessage::new(Role::User, "x".repeat(length));
    let assistant = ChatMessage::new(Role::Assistant, "x".repeat(40));
    let dialogue = [user(400), user(44), assistant, user(400), user(41)];
    let lengths = |budget| {
        let sent = prompt::messages(&"".into(), &dialogue, budget);
        sent.iter().map(|message| message.text.len()).collect::<Vec<_>>()
    };
    assert_eq!(lengths(10), [400, 41], "all that is to be answered, whatever its length");
    assert_eq!(lengths(170), [400, 41], "no part of an exchange, though it would fit");
    assert_eq!(lengths(300), [400, 44, 40, 400, 41]);
}

#[test]
fn the_budget_leaves_room_for_an_answer_in_the_models_window() {
    assert_eq!(prompt::budget(32_000, Some(128_000)), 32_000);
    assert_eq!(prompt::budget(32_000, Some(10_000)), 8_000);
    assert_eq!(prompt::budget(32_000, None), 6_553);
}

fn asked(id: &str) -> ChatMessage {
    let (id, name, arguments) = (id.to_owned(), "clock".to_owned(), "{}".to_owned());
    let call = mosaic_types::ToolCall { id, name, arguments, signature: None };
    ChatMessage { tool_calls: vec![call], ..ChatMessage::new(Role::Assistant, "let me see") }
}

fn told(id: &str, text: &str) -> ChatMessage {
    ChatMessage { tool_call_id: Some(id.to_owned()), ..ChatMessage::new(Role::Tool, text) }
}

fn lines(messages: &[ChatMessage]) -> Vec<String> {
    messages.iter().map(|said| format!("{} {}", said.role.as_str(), said.text)).collect()
}

#[test]
fn a_call_and_its_result_are_sent_together_or_not_at_all() {
    let user = |text: &str| ChatMessage::new(Role::User, text);
    let dialogue =
        [user("q"), asked("a"), told("a", &"x".repeat(200)), ChatMessage::new(Role::Assistant, "so"), user("and?")];
    for budget in 0..120 {
        let sent = prompt::messages(&"".into(), &dialogue, budget);
        assert!(sent.len() == 1 || sent.len() == 5, "{budget}: {}", sent.len());
    }
    assert_eq!(prompt::messages(&"".into(), &dialogue, 120).len(), 5);
}

#[test]
fn what_is_not_answered_yet_is_sent_though_more_was_said_while_tools_ran() {
    let user = |text: &str| ChatMessage::new(Role::User, text);
    let dialogue =
        [user("old"), ChatMessage::new(Role::Assistant, "so"), user("q"), asked("a"), told("a", "it"), user("and?")];
    assert_eq!(lines(&prompt::messages(&"".into(), &dialogue, 1))[0], "user q");
}

#[test]
fn where_the_newest_exchange_is_too_long_its_oldest_results_are_left_out() {
    let long = "x".repeat(4_000);
    let dialogue = [ChatMessage::new(Role::User, "q"), asked("a"), told("a", &long), asked("b"), told("b", &long)];
    let whole = |budget| {
        let sent = prompt::messages(&"".into(), &dialogue, budget);
        sent.iter().map(|said| said.text.len() == long.len()).collect::<Vec<_>>()
    };
    assert_eq!(whole(3_000), [false, false, true, false, true]);
    assert_eq!(whole(1_500), [false, false, false, false, true]);
    assert_eq!(whole(100), [false; 5]);
}

#[test]
fn calls_without_a_result_and_results_without_a_call_are_repaired() {
    let messages: Arc<[ChatMessage]> =
        [told("z", "of nobody"), asked("a"), asked("b"), told("b", "two"), told("b", "twice"), told("z", "of nobody")]
            .into();
    let repaired = prompt::with_tools(messages.clone(), true);
    let expected =
        ["assistant let me see", "tool The outcome of this call is not known.", "assistant let me see", "tool two"];
    assert_eq!(lines(&repaired), expected);
    assert_eq!(repaired[1].tool_call_id.as_deref(), Some("a"));
    let words = prompt::with_tools(messages, false);
    assert_eq!(lines(&words)[1], "assistant let me see\n[clock {} said: two]");
    assert!(words.iter().all(|said| said.tool_calls.is_empty() && said.role != Role::Tool));
}
