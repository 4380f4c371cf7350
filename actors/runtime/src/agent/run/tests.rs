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
