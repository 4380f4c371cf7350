//! Calls of tools: asked for with their step, answered one by one, paired for good.

use std::sync::Arc;

use mosaic_types::journal::{
    EndTurn, ForkSession, NewSession, Outcome, RestartTurn, StepTurn, ToolsTurn, TurnEnd, Write,
};
use mosaic_types::page::Limit;
use mosaic_types::{ChatMessage, EventBody, Seq, Timestamp, ToolCall, ToolResult, ToolState};

use super::hand::{Hand, finished, said, session, turn};
use crate::Store;

fn call(id: &str) -> ToolCall {
    let arguments = format!("{{\"of\":\"{id}\"}}");
    ToolCall { id: id.into(), name: "clock".into(), arguments, signature: Some(format!("s-{id}")) }
}

fn result(id: &str, state: ToolState) -> ToolResult {
    ToolResult { call: call(id), state, text: format!("said {id}"), ms: 7 }
}

/// What a step says that asks for these.
fn asks(hand: &Hand, number: u8, step: u32, saw: Seq, ids: &[&str]) -> Write {
    let asked = ids.iter().map(|id| call(id)).collect();
    Write::Step(Box::new(StepTurn { asked, ..hand.step(number, step, saw, said("let me see")) }))
}

fn tools(hand: &Hand, number: u8, results: Vec<ToolResult>) -> Write {
    let (session, agent, at) = (hand.session.clone(), hand.agent.clone(), Timestamp(9));
    Write::Tools(Box::new(ToolsTurn { session, epoch: 1, turn: turn(number), agent, results, at }))
}

/// The answer that ends a turn after so many steps.
async fn answer(hand: &Hand, number: u8, steps: u32) {
    let Write::End(end) = hand.end(number, finished("so it is"), None) else { unreachable!("it is an end") };
    hand.events_of(Write::End(Box::new(EndTurn { step: steps + 1, ..*end }))).await;
}

fn told(message: &ChatMessage) -> String {
    let asked: Vec<_> = message.tool_calls.iter().map(|call| call.id.as_str()).collect();
    let answers = message.tool_call_id.as_deref().unwrap_or_default();
    format!("{} {} [{}] {answers}", message.role.as_str(), message.text, asked.join(" "))
}

async fn open(hand: &Hand) -> Vec<String> {
    let snapshot = hand.store.snapshot(&hand.session, 10_000).await.expect("reads").expect("is there");
    snapshot.open[0].said.iter().map(|said| told(&said.message())).collect()
}

async fn context(hand: &Hand) -> Vec<ChatMessage> {
    hand.store.snapshot(&hand.session, 10_000).await.expect("reads").expect("is there").context
}

async fn states(store: &dyn Store, of: &mosaic_types::SessionId) -> Vec<String> {
    let page = store.messages(of, None, Limit::default()).await.expect("reads");
    let asked = page.items.iter().flat_map(|row| &row.tool_calls);
    asked.map(|asked| format!("{} {}", asked.id, asked.state.as_str())).collect()
}

pub async fn what_tools_said_stands_behind_what_asked_for_them_in_the_order_of_the_calls(store: Arc<dyn Store>) {
    let hand = Hand::on(store).await;
    hand.ask(1, true).await;
    hand.events_of(asks(&hand, 1, 1, 1, &["b", "a"])).await;
    assert_eq!(open(&hand).await, ["user question 1 [] ", "assistant let me see [b a] "], "asked for, not answered");
    // An input comes while they run, and the second answers first.
    hand.add(2, 1).await;
    let events = hand.events_of(tools(&hand, 1, vec![result("a", ToolState::Failed)])).await;
    let EventBody::StepFinished { name, ok: false, tool: Some(step), .. } = &events[0].body else {
        panic!("{events:?}")
    };
    assert_eq!((name.as_str(), step.call.as_str(), step.state), ("clock", "a", Some(ToolState::Failed)));
    hand.events_of(tools(&hand, 1, vec![result("b", ToolState::Done)])).await;
    let expected = [
        "user question 1 [] ",
        "assistant let me see [b a] ",
        "tool said b [] b",
        "tool said a [] a",
        "user question 2 [] ",
    ];
    assert_eq!(open(&hand).await, expected);
    // A second round of the same turn, then its answer.
    hand.events_of(asks(&hand, 1, 2, 4, &["c"])).await;
    hand.events_of(tools(&hand, 1, vec![result("c", ToolState::Done)])).await;
    answer(&hand, 1, 2).await;
    let all = context(&hand).await;
    let kept: Vec<_> = all.iter().map(told).collect();
    assert_eq!(kept[..5], expected);
    assert_eq!(kept[5..], ["assistant let me see [c] ", "tool said c [] c", "assistant so it is [] "]);
    assert_eq!(all[1].tool_calls, [call("b"), call("a")], "with all that their provider wants back");

    let page = hand.store.messages(&hand.session, None, Limit::default()).await.expect("reads");
    let rows: Vec<_> = page.items.iter().map(|row| (row.role.as_str(), row.tool.as_deref())).collect();
    let (user, said, tool) = (("user", None), ("assistant", None), ("tool", Some("clock")));
    assert_eq!(rows, [user, said, user, tool, tool, said, tool, said]);
    assert_eq!(states(&*hand.store, &hand.session).await, ["b done", "a failed", "c done"]);
}

pub async fn a_call_that_was_cut_off_is_answered_with_the_new_beginning_of_its_turn(store: Arc<dyn Store>) {
    let hand = Hand::on(store).await;
    hand.ask(1, true).await;
    hand.events_of(asks(&hand, 1, 1, 1, &["a", "b"])).await;
    let again = RestartTurn {
        session: hand.session.clone(),
        epoch: 1,
        turn: turn(1),
        attempt: 2,
        charged: 0,
        lost: Vec::new(),
        agent: hand.agent.clone(),
        unknown: vec![result("a", ToolState::Unknown)],
        at: Timestamp(3),
    };
    let events = hand.events_of(Write::Restart(again)).await;
    assert!(matches!(&events[0].body, EventBody::TurnRestarted { attempt: 2 }));
    assert!(matches!(&events[1].body, EventBody::StepFinished { ok: false, tool: Some(_), .. }));
    assert_eq!(open(&hand).await[2..], ["tool said a [] a"]);
    assert_eq!(states(&*hand.store, &hand.session).await, ["a unknown", "b intended"]);
}

pub async fn a_turn_that_ends_leaves_no_call_without_a_result(store: Arc<dyn Store>) {
    let hand = Hand::on(store).await;
    hand.ask(1, true).await;
    hand.events_of(asks(&hand, 1, 1, 1, &["a", "b"])).await;
    hand.events_of(tools(&hand, 1, vec![result("a", ToolState::Done)])).await;
    let Write::End(end) = hand.end(1, TurnEnd::cancelled(), None) else { unreachable!("it is an end") };
    let steps = vec![ToolResult::turn_ended(call("b")).event()];
    hand.events_of(Write::End(Box::new(EndTurn { cuts_tools: true, steps, ..*end }))).await;
    assert_eq!(states(&*hand.store, &hand.session).await, ["a done", "b unknown"]);
    assert_eq!(hand.write(tools(&hand, 1, vec![result("b", ToolState::Done)])).await, Outcome::Stale, "too late");
    assert!(context(&hand).await.is_empty(), "what was cancelled is not told to a model");
}

pub async fn a_fork_keeps_the_calls_of_its_part_and_their_results(store: Arc<dyn Store>) {
    let hand = Hand::on(store).await;
    hand.ask(1, true).await;
    hand.events_of(asks(&hand, 1, 1, 1, &["a"])).await;
    hand.events_of(tools(&hand, 1, vec![result("a", ToolState::Done)])).await;
    answer(&hand, 1, 1).await;
    hand.ask(2, true).await;
    let asked = hand.events_of(asks(&hand, 2, 1, Seq::MAX, &["x"])).await[0].seq;
    hand.events_of(tools(&hand, 2, vec![result("x", ToolState::Done)])).await;
    let new = |id: &str| match hand.new_session(&session(id), Timestamp(50)) {
        Write::CreateSession(new) => new,
        other => panic!("{other:?}"),
    };
    let fork = |new: NewSession, through| ForkSession { source: hand.session.clone(), through, new, model: None };
    hand.events_of(Write::Fork(fork(new("whole"), None))).await;
    hand.events_of(Write::Fork(fork(new("cut"), asked))).await;
    assert_eq!(states(&*hand.store, &session("whole")).await, ["a done", "x done"]);
    assert_eq!(states(&*hand.store, &session("cut")).await, ["a done", "x unknown"], "its result was left behind");
    let kept = hand.store.snapshot(&session("cut"), 10_000).await.expect("reads").expect("is there").context;
    let kept: Vec<_> = kept.iter().map(told).collect();
    assert_eq!(kept, context(&hand).await.iter().map(told).collect::<Vec<_>>());
}
