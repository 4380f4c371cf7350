//! Tools between the steps of a turn: asked for, answered in any order, cut off.

use std::sync::Arc;

use mosaic_tools::{Tool, Tools, Work};
use mosaic_types::chat::{ToolCall, ToolOffer};
use mosaic_types::journal::{RestartTurn, StepTurn, ToolsTurn};
use mosaic_types::{ChatMessage, EventBody, ToolResult, ToolState};

use super::*;
use crate::session::parts::{Begin, Ran};

/// Does nothing, and may run again or not.
struct Quiet(&'static str, bool);

impl Tool for Quiet {
    fn offer(&self) -> ToolOffer {
        let parameters = serde_json::json!({"type": "object"});
        ToolOffer { name: self.0.to_owned(), description: String::new(), parameters }
    }

    fn repeatable(&self) -> bool {
        self.1
    }

    fn run<'a>(&'a self, _: &'a str, _: &'a str) -> Work<'a> {
        Box::pin(std::future::ready(Ok(String::new())))
    }
}

fn tools() -> Tools {
    Tools::of([Quiet("again", true), Quiet("once", false)].map(|tool| Arc::new(tool) as Arc<dyn Tool>))
}

fn call(id: &str, name: &str) -> ToolCall {
    ToolCall { id: id.into(), name: name.into(), arguments: "{}".into(), signature: None }
}

fn result(id: &str, name: &str) -> ToolResult {
    ToolResult { call: call(id, name), state: ToolState::Done, text: format!("said {id}"), ms: 1 }
}

fn asks(calls: &[(&str, &str)]) -> Ran {
    let asked = calls.iter().map(|(id, name)| call(id, name)).collect();
    Ran { asked, ..Ok(finished()).into() }
}

/// Role, text and the id of the call of what a run is given.
fn given(begin: &Begin) -> Vec<String> {
    let told = |said: &ChatMessage| {
        format!("{} {} {}", said.role.as_str(), said.text, said.tool_call_id.as_deref().unwrap_or_default())
    };
    begin.dialogue.iter().map(told).collect()
}

fn to_run(begin: &Begin) -> Vec<&str> {
    begin.tools.iter().map(|(_, call)| call.id.as_str()).collect()
}

/// A session in which turn 1 has asked for `calls`, which are to run now.
fn asking(calls: &[(&str, &str)]) -> (SessionState, Box<StepTurn>, Begin) {
    let mut state = empty().equipped(tools());
    submit(&mut state, 1);
    assert_eq!(accept(&mut state, 1).1.begin.expect("a model is asked").rounds, 0);
    let Some(Write::Step(step)) = state.run_ended(turn(1), 1, asks(calls), AT) else { panic!("a step is written") };
    let begin = state.started(turn(1), AT).begin.expect("the tools run");
    (state, step, begin)
}

fn answered(state: &mut SessionState, attempt: u32, id: &str, name: &str) -> Option<Box<ToolsTurn>> {
    state.tool_ended(turn(1), attempt, result(id, name), AT)
}

fn stored(state: &mut SessionState, id: &str) -> Option<Begin> {
    state.tools_stored(turn(1), &[id.to_owned()], AT).begin
}

#[test]
fn what_a_step_asks_for_is_stored_with_it_and_the_next_call_has_every_result_in_the_models_order() {
    let (mut state, step, begin) = asking(&[("a", "again"), ("b", "once")]);
    assert_eq!(step.asked, [call("a", "again"), call("b", "once")]);
    assert_eq!((to_run(&begin), begin.dialogue.len()), (vec!["a", "b"], 0));
    assert_eq!(answered(&mut state, 1, "b", "once").expect("it is stored").results, [result("b", "once")]);
    assert!(answered(&mut state, 1, "b", "once").is_none(), "one result, whatever is reported");
    assert!(answered(&mut state, 1, "x", "once").is_none(), "nobody asked for it");
    assert_eq!(stored(&mut state, "b"), None);
    answered(&mut state, 1, "a", "again").expect("it is stored");
    let begin = stored(&mut state, "a").expect("the model is asked again");
    assert_eq!((begin.step, begin.rounds, to_run(&begin).len()), (2, 1, 0));
    assert_eq!(given(&begin), ["user message 1 ", "assistant answer ", "tool said a a", "tool said b b"]);
    // The answer, and the next turn has all of it before it.
    let Some(Write::End(end)) = state.run_ended(turn(1), 1, Ok(finished()), AT) else { panic!("an end is written") };
    assert!(!end.cuts_tools && end.step == 2 && end.calls == 2);
    state.ended(&end.end, end.next, AT);
    submit(&mut state, 2);
    let begin = accept(&mut state, 2).1.begin.expect("it begins");
    assert_eq!(given(&begin)[2..], ["tool said a a", "tool said b b", "assistant answer ", "user message 2 "]);
    assert_eq!((begin.dialogue[1].tool_calls.len(), begin.rounds), (2, 0), "rounds are counted by turns");
}

#[test]
fn what_is_said_while_tools_run_joins_behind_their_results() {
    let (mut state, ..) = asking(&[("a", "again")]);
    assert_eq!(submit_as(&mut state, 2, QueueMode::Steer), (turn(1), Entry::Joins));
    assert_eq!(accept(&mut state, 2).1, Follow::default());
    answered(&mut state, 1, "a", "again").expect("it is stored");
    let begin = stored(&mut state, "a").expect("the model is asked again");
    assert_eq!(given(&begin), ["user message 1 ", "assistant answer ", "tool said a a", "user message 2 "]);
}

#[test]
fn what_was_said_while_the_model_asked_for_tools_joins_behind_their_results_too() {
    let mut state = empty().equipped(tools());
    submit(&mut state, 1);
    accept(&mut state, 1);
    submit_as(&mut state, 2, QueueMode::Steer);
    accept(&mut state, 2);
    let ran = asks(&[("a", "again")]);
    assert!(matches!(state.run_ended(turn(1), 1, ran, AT), Some(Write::Step(step)) if step.saw == 1));
    assert_eq!(to_run(&state.started(turn(1), AT).begin.expect("the tools run first")), ["a"]);
    answered(&mut state, 1, "a", "again");
    let begin = stored(&mut state, "a").expect("the model is asked again");
    assert_eq!(given(&begin)[2..], ["tool said a a", "user message 2 "]);
}

#[test]
fn an_interrupt_runs_again_only_what_may_run_again() {
    let (mut state, ..) = asking(&[("a", "again"), ("b", "once"), ("c", "once")]);
    answered(&mut state, 1, "c", "once").expect("it is stored");
    submit_as(&mut state, 2, QueueMode::Interrupt);
    let Some(Write::Restart(RestartTurn { unknown, attempt: 2, .. })) = accept(&mut state, 2).1.write else {
        panic!("it begins again")
    };
    assert_eq!(unknown, [ToolResult::cut_off(call("b", "once"))]);
    assert_eq!(stored(&mut state, "c"), None, "the new beginning is on its way");
    assert_eq!(to_run(&state.started(turn(1), AT).begin.expect("tools run")), ["a"]);
    assert!(answered(&mut state, 1, "a", "again").is_none(), "of the run before");
    answered(&mut state, 2, "a", "again").expect("it is stored");
    let begin = stored(&mut state, "a").expect("the model is asked again");
    assert!(given(&begin)[3].starts_with("tool This call was cut off"), "{:?}", given(&begin));
    assert_eq!(given(&begin)[5], "user message 2 ");
}

#[test]
fn a_cancel_leaves_no_call_without_its_result() {
    let (mut state, ..) = asking(&[("a", "again"), ("b", "once")]);
    answered(&mut state, 1, "a", "again").expect("it is stored");
    let Cancel::Now(end) = state.cancel(None, AT) else { panic!("it ends at once") };
    assert!(end.cuts_tools && end.beside.is_empty());
    let told: Vec<_> = end.steps.iter().map(|step| matches!(step, EventBody::StepFinished { ok: false, .. })).collect();
    assert_eq!(told, [true], "of the one that had not answered");
    assert_eq!(state.cut_off(1).map(|cut| cut.step), None, "no model was called");
}

#[test]
fn a_new_life_goes_on_where_the_tools_were_cut_off() {
    let said = |calls: &[(&str, &str)], results: &[&str]| {
        let mut said = vec![Said::new(1, Role::User, "hi"), Said::new(3, Role::Assistant, "let me see")];
        said[1].asked = calls.iter().map(|(id, name)| call(id, name)).collect();
        let told = results.iter().zip(4..).map(|(id, seq)| Said {
            answers: Some((*id).to_owned()),
            ..Said::new(seq, Role::Tool, format!("said {id}"))
        });
        said.extend(told);
        said.push(Said::new(9, Role::User, "and this"));
        said
    };
    let life = |calls: &[(&str, &str)], results: &[&str]| {
        let open = OpenTurn { said: said(calls, results), ..open(1, TurnState::Running, 0) };
        let mut state = SessionState::new(snapshot(vec![open]), 2, 1_000, false, true).equipped(tools());
        let Some(Write::Restart(restart)) = state.resume(None, AT).write else { panic!("it begins again") };
        let begin = state.started(turn(1), AT).begin.expect("it goes on");
        (state, restart.unknown, begin)
    };
    let calls = [("a", "again"), ("b", "once"), ("c", "once"), ("d", "nobody's")];
    let (mut state, unknown, begin) = life(&calls, &["c"]);
    assert_eq!(unknown, [ToolResult::cut_off(call("b", "once"))]);
    assert_eq!((to_run(&begin), begin.attempt), (vec!["a", "d"], 2), "what could not have run may be tried");
    answered(&mut state, 2, "a", "again").expect("it is stored");
    answered(&mut state, 2, "d", "nobody's").expect("it is stored");
    stored(&mut state, "a");
    let begin = stored(&mut state, "d").expect("the model is asked again");
    let given = given(&begin);
    assert_eq!(
        (given[2].as_str(), given[4].as_str(), given[5].as_str()),
        ("tool said a a", "tool said c c", "tool said d d")
    );
    assert_eq!((given[6].as_str(), begin.step), ("user and this ", 2));

    // All that could be saved is there: the model is asked at once.
    let (_, unknown, begin) = life(&calls[1..2], &[]);
    assert_eq!((unknown.len(), to_run(&begin).len(), begin.dialogue.len()), (1, 0, 4));
    let (_, unknown, begin) = life(&calls[1..2], &["b"]);
    assert_eq!((unknown.len(), to_run(&begin).len(), begin.dialogue.len()), (0, 0, 4));
}
