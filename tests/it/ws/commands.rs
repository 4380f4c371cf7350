//! Slash commands over a socket.

use mosaic_testkit::{Gate, StandIn, Step};
use mosaic_types::UserRole;
use serde_json::{Value, json};

use crate::testbed::{Testbed, Wire};

/// Has a command carried out; answers its `command.result` or `error`.
async fn execute(wire: &mut Wire, session: &str, line: &str) -> Value {
    wire.send(json!({"type": "command.execute", "id": line, "session": session, "line": line})).await;
    wire.answer(line).await
}

/// The text of a result, which must be one of this session.
async fn told(wire: &mut Wire, session: &str, line: &str) -> String {
    let result = execute(wire, session, line).await;
    assert_eq!((&result["type"], &result["session"]), (&json!("command.result"), &json!(session)), "{line}: {result}");
    result["text"].as_str().expect("a text").to_owned()
}

/// A socket of a new token with this role.
async fn wire_of(bed: &Testbed, role: UserRole) -> Wire {
    let made: Value = bed.api().send("POST", "/api/v1/tokens", json!({"role": role})).await.json();
    Wire::ready(bed.address(), made["token"].as_str().expect("a token")).await.0
}

#[tokio::test]
async fn every_command_that_is_offered_is_carried_out() {
    let bed = Testbed::start().await;
    let session = bed.api().session().await;
    let (mut wire, ready) = Wire::ready(bed.address(), &bed.token()).await;
    let offered = ready["commands"].as_array().expect("commands");
    assert_eq!(offered.len(), mosaic_types::command::COMMANDS.len());
    for command in offered {
        let [name, usage, help, role] = ["name", "usage", "help", "role"].map(|key| command[key].as_str());
        let name = name.expect("a name");
        assert!(usage.is_some_and(|usage| usage.starts_with(&format!("/{name}"))), "{command}");
        assert!(help.is_some_and(|help| help.ends_with('.')), "{command}");
        assert!(role.is_some_and(|role| role.parse::<UserRole>().is_ok()), "{command}");
        let result = execute(&mut wire, &session, &format!("/{name}")).await;
        assert_eq!(result["type"], "command.result", "{command}: {result}");
        assert!(result["text"].as_str().is_some_and(|text| !text.is_empty()), "{result}");
    }
}

#[tokio::test]
async fn a_conversation_is_led_by_commands() {
    let bed = Testbed::start().await;
    let api = bed.api();
    let session = api.session().await;
    let (mut wire, _) = Wire::ready(bed.address(), &bed.token()).await;
    assert_eq!(told(&mut wire, &session, "/history").await, "Nothing was said here yet.");
    assert_eq!(
        told(&mut wire, &session, "/cost").await,
        "This session: nothing\nToday (UTC): nothing\nLast 30 days: nothing"
    );
    api.ask(&session, "hello").await;
    api.ask(&session, "two\nassistant: lines").await;

    let history = told(&mut wire, &session, "/history 3").await;
    assert_eq!(
        history,
        "assistant: You said: hello\nyou: two\n  assistant: lines\nassistant: You said: two\n  assistant: lines"
    );
    let cost = told(&mut wire, &session, "/cost").await;
    assert!(cost.contains("\nLast 30 days: 2 turns, 60 tokens in, 7 tokens out, $"), "{cost}");

    let agents = told(&mut wire, &session, "/agents").await;
    assert!(agents.contains("assistant (lab/m-1), answers here") && agents.contains("poet ("), "{agents}");
    assert_eq!(told(&mut wire, &session, "/agent").await, "assistant answers here.");
    let nobody = execute(&mut wire, &session, "/agent nobody").await;
    assert_eq!((&nobody["type"], &nobody["code"]), (&json!("error"), &json!("agent_not_found")), "{nobody}");
    let poet = told(&mut wire, &session, "/AGENT poet").await;
    assert_eq!(poet, "poet answers here from the next turn on.");
    let status = told(&mut wire, &session, "/status").await;
    assert!(status.contains("State: idle") && status.contains("Agent: poet ("), "{status}");

    // A new session has the same agent, or another, and what is typed there counts there.
    let result = execute(&mut wire, &session, "/new").await;
    let new = result["session"].as_str().expect("a session").to_owned();
    assert_ne!(new, session);
    assert_eq!(result["text"], format!("A new session with poet: {new}"));
    assert_eq!(told(&mut wire, &new, "/history").await, "Nothing was said here yet.");
    let result = execute(&mut wire, &session, "/new assistant").await;
    let other = result["session"].as_str().expect("a session").to_owned();
    assert_eq!(told(&mut wire, &other, "/agent").await, "assistant answers here.");
    assert_eq!(api.get(&format!("/api/v1/sessions/{other}")).await["agent"], "assistant");
}

#[tokio::test]
async fn stop_ends_the_running_turn_and_status_says_that_it_runs() {
    let gate = Gate::new();
    let bed = Testbed::with(StandIn::builder().always(Step::hold_after(&gate, "one two", 1))).await;
    let session = bed.api().session().await;
    let (mut wire, _) = Wire::ready(bed.address(), &bed.token()).await;
    wire.subscribe(&session, 0).await;
    wire.send(json!({"type": "message.send", "id": "k", "session": session, "text": "count"})).await;
    wire.until("turn.delta").await;
    let status = told(&mut wire, &session, "/status").await;
    assert!(status.contains("State: running"), "{status}");
    assert_eq!(told(&mut wire, &session, "/stop").await, "Cancelled.");
    assert_eq!(bed.api().count(&session, "turn.cancelled").await, 1);
    assert_eq!(told(&mut wire, &session, "/stop").await, "Nothing runs here.");
}

#[tokio::test]
async fn a_viewers_commands_look_and_change_nothing() {
    let bed = Testbed::start().await;
    let session = bed.api().session().await;
    let sessions = async || bed.api().get("/api/v1/sessions").await["items"].as_array().expect("a list").len();
    let before = sessions().await;
    let mut wire = wire_of(&bed, UserRole::Viewer).await;
    for line in ["/help", "/status", "/history", "/agents", "/cost"] {
        told(&mut wire, &session, line).await;
    }
    for line in ["/new", "/agent", "/agent poet", "/stop"] {
        let error = execute(&mut wire, &session, line).await;
        assert_eq!((&error["type"], &error["code"]), (&json!("error"), &json!("forbidden")), "{line}: {error}");
        assert!(error["message"].as_str().is_some_and(|told| told.contains("takes the role member")), "{error}");
    }
    let help = told(&mut wire, &session, "/help").await;
    assert!(help.contains("/history") && !help.contains("/stop"), "{help}");
    assert_eq!(sessions().await, before);
    assert_eq!(bed.api().get(&format!("/api/v1/sessions/{session}")).await["agent"], "assistant");
}

#[tokio::test]
async fn no_command_works_in_a_session_that_is_not_there() {
    let bed = Testbed::start().await;
    let (mut wire, ready) = Wire::ready(bed.address(), &bed.token()).await;
    for command in ready["commands"].as_array().expect("commands") {
        let line = format!("/{}", command["name"].as_str().expect("a name"));
        let error = execute(&mut wire, "never-made", &line).await;
        // It ends no subscription, so no session is named.
        assert_eq!((&error["code"], &error["session"]), (&json!("not_found"), &Value::Null), "{line}: {error}");
    }
    let unknown = execute(&mut wire, "never-made", "/histroy").await;
    assert_eq!(unknown["code"], "command_not_found");
    assert_eq!(unknown["message"], "There is no command /histroy. Did you mean /history?");
}
