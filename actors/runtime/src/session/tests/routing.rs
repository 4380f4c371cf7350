//! What rules say of a turn is decided once, as it begins.

use std::sync::Arc;

use mosaic_messages::Change;
use mosaic_types::command::ModelWish;
use mosaic_types::journal::{AcceptTurn, OpenTurn, TurnEnd, TurnState, Write};
use mosaic_types::routing::{Route, Rule, Task};
use mosaic_types::{Principal, QueueMode, UserRole};

use super::{AT, accept, ask, finished, open, session, snapshot, turn, user};
use crate::agent::AgentProfile;
use crate::agent::config::Fanout;
use crate::routing::Routing;
use crate::session::parts::Submission;
use crate::session::state::SessionState;

fn profile() -> Arc<AgentProfile> {
    Arc::new(AgentProfile {
        tools: Default::default(),
        name: "assistant".parse().expect("valid"),
        system: "".into(),
        models: vec!["lab/own".parse().expect("valid")],
        fanout: Fanout::default(),
        queue: QueueMode::default(),
        context_tokens: 4_096,
        max_output_tokens: None,
        temperature: None,
        reuse: None,
    })
}

/// Code goes to a model of its own.
fn rules() -> Routing {
    let models = vec!["lab/strong".parse().expect("valid")];
    let code = Rule { task: vec![Task::Code], models, ..Rule::named("code".parse().expect("valid")) };
    Routing::of(vec![code], |_| Some(profile()))
}

fn empty() -> SessionState {
    super::empty().routed(rules())
}

fn say(state: &mut SessionState, n: u128, text: &str) -> Box<AcceptTurn> {
    let ask = mosaic_messages::SubmitTurn { text: text.into(), ..ask(n) };
    match state.submit(&ask, QueueMode::Queue, AT).expect("it is taken") {
        Submission::Write(accept) => accept,
        Submission::Attach(_) => panic!("it is new"),
    }
}

fn models(route: Option<&Route>) -> Option<String> {
    route.map(|route| route.models[0].to_string())
}

#[test]
fn what_a_rule_decides_is_written_with_the_start_and_holds_for_every_attempt() {
    let mut state = empty();
    let written = say(&mut state, 1, "Refactor it").route;
    assert_eq!(models(written.as_deref()).as_deref(), Some("lab/strong"));
    let begin = accept(&mut state, 1).1.begin.expect("it begins");
    assert_eq!(begin.route, written);
    assert!(matches!(state.run_died(turn(1), 1, AT), Some(Write::Restart(_))));
    assert_eq!(state.started(turn(1), AT).begin.expect("again").route, written);

    // In another life, in which there are no rules any more.
    let cut = OpenTurn { route: written.clone(), ..open(1, TurnState::Running, 0) };
    let mut state = SessionState::new(snapshot(vec![cut]), 2, 1_000, false, true);
    state.resume(None, AT);
    assert_eq!(state.started(turn(1), AT).begin.expect("again").route, written);
}

#[test]
fn a_turn_for_which_no_rule_held_stays_so_whatever_rules_come() {
    let mut state =
        SessionState::new(snapshot(vec![open(1, TurnState::Running, 0)]), 2, 1_000, false, true).routed(rules());
    state.resume(None, AT);
    assert_eq!(state.started(turn(1), AT).begin.expect("again").route, None);
}

#[test]
fn a_turn_that_waits_is_decided_on_as_it_begins_with_all_that_it_holds() {
    let mut state = empty();
    say(&mut state, 1, "hello");
    accept(&mut state, 1);
    assert_eq!(say(&mut state, 2, "Refactor it").route, None, "it only waits");
    accept(&mut state, 2);
    let Some(Write::End(end)) = state.run_ended(turn(1), 1, Ok(finished()), AT) else { panic!("an end is written") };
    let next = end.next.clone().expect("the next begins with it");
    assert_eq!(models(next.route.as_deref()).as_deref(), Some("lab/strong"));
    let TurnEnd::Finished(_) = &end.end else { panic!("it is answered") };
    assert_eq!(state.ended(&end.end, end.next, AT).begin.expect("it begins").route, next.route);
}

#[test]
fn a_model_that_is_named_goes_before_every_rule() {
    let mut state = empty();
    let named = mosaic_messages::SubmitTurn {
        text: "Refactor it".into(),
        model: Some("lab/mine".parse().expect("valid")),
        ..ask(1)
    };
    let Ok(Submission::Write(written)) = state.submit(&named, QueueMode::Queue, AT) else { panic!("it is new") };
    assert_eq!(written.route, None);

    let mut state = empty();
    let model = Some(ModelWish::Only("lab/mine".parse().expect("valid")));
    let from = Principal { user: user(), role: UserRole::Owner };
    let change = state
        .change(Change { session: session(), from, owner: None, agent: None, title: None, archived: None, model }, AT);
    state.changed(&change);
    assert_eq!(say(&mut state, 1, "Refactor it").route, None);
}
