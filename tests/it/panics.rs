//! A panic costs the child it befalls: the next message is answered, and a neighbour in mid-stream hears nothing of it.

use std::time::Duration;

use futures_util::future::join_all;
use mosaic_supervise::ChildState;
use mosaic_testkit::provider::Gate;
use mosaic_testkit::{StandIn, Step};
use serde_json::{Value, json};

use crate::testbed::{Api, Inside, eventually, heard, refusal, soon};

/// Starts a house with a neighbour in mid-stream, kills a child, and sees that it cost nothing else.
async fn costs_that_child_only(parent: &str, child: Option<&str>) {
    let gate = Gate::new();
    let next_door = Step::hold_after(&gate, "one two three", 1);
    let house = Inside::start(StandIn::builder().when_last_user_contains("neighbour", next_door)).await;
    let api = house.api();
    let (session, neighbour) = (api.session().await, api.session().await);
    api.ask(&session, "before").await;
    let mut events = api.hear(&neighbour, "neighbour").await;
    events.until("turn.delta").await;
    let child = child.unwrap_or(&session);
    let others = house.lives_of_others(child).await;

    house.panic(parent, child).await;

    assert_eq!(api.ask(&session, "after").await["text"], "You said: after");
    assert_eq!(house.lives_of_others(child).await, others, "nobody else was restarted");
    let view = house.view(parent, child).await.expect("it lives");
    assert_eq!((view.state, view.incarnation, view.last_error.as_deref()), (ChildState::Up, 2, Some("panicked")));
    gate.open();
    let events = events.rest().await;
    assert_eq!(events.last().expect("an end")["text"], "one two three");
    assert_eq!(api.count(&neighbour, "turn.restarted").await, 0);
    assert_eq!(api.transcript(&session).await.len(), 4);
    house.stop().await;
}

#[actix::test]
async fn a_panic_of_a_provider_costs_that_provider_only() {
    costs_that_child_only("providers", Some("lab")).await;
}

#[actix::test]
async fn a_panic_of_an_agent_costs_that_agent_only() {
    costs_that_child_only("agents", Some("assistant")).await;
}

#[actix::test]
async fn a_panic_of_a_session_costs_that_session_only() {
    costs_that_child_only("sessions", None).await;
}

#[actix::test]
async fn a_panic_of_the_router_costs_the_router_only() {
    costs_that_child_only("root", Some("router")).await;
}

#[actix::test]
async fn a_panic_of_the_writer_costs_the_writer_only() {
    costs_that_child_only("root", Some("writer")).await;
}

#[actix::test]
async fn a_panic_of_the_gateway_costs_the_gateway_only() {
    costs_that_child_only("root", Some("gateway")).await;
}

#[actix::test]
async fn a_panic_of_the_outbox_costs_the_outbox_only() {
    costs_that_child_only("root", Some("outbox")).await;
}

#[actix::test]
async fn a_panic_of_the_recovery_costs_the_recovery_only() {
    costs_that_child_only("root", Some("recovery")).await;
}

#[actix::test]
async fn a_turn_whose_session_dies_begins_again_and_after_three_deaths_it_is_given_up() {
    let house =
        Inside::start(StandIn::builder().script([Step::mute_after(1), Step::mute_after(1), Step::Silence])).await;
    let api = house.api();
    let session = api.session().await;
    let mut events = api.hear(&session, "poison").await;
    for death in 1..=3 {
        soon("the call", house.bed.model.wait_for_calls(death)).await;
        house.panic("sessions", &session).await;
        if death < 3 {
            assert_eq!(events.until("turn.restarted").await["attempt"], death + 1);
        }
    }
    let end = events.until("turn.failed").await;
    assert_eq!(end["code"], "crashed");
    soon("each call was given up", house.bed.model.wait_for_hangups(3)).await;
    assert_eq!(api.ask(&session, "still there?").await["text"], "You said: still there?");
    assert_eq!(house.bed.model.last_call().messages().len(), 2, "the poison is no part of the dialogue");
    house.stop().await;
}

#[actix::test]
async fn a_session_that_keeps_dying_goes_down_alone() {
    let house = Inside::start(StandIn::builder()).await;
    let api = house.api();
    let (session, neighbour) = (api.session().await, api.session().await);
    api.ask(&session, "hello").await;
    for _ in 0..3 {
        house.panic("sessions", &session).await;
    }
    house.order("sessions", &session).await;
    eventually("it is down", || async {
        house.view("sessions", &session).await.filter(|view| view.state == ChildState::Down)
    })
    .await;
    let refused = api.submit(&session, "", &[], "hello").await;
    assert_eq!(refusal(&refused), (503, "unavailable".to_owned()));
    assert_eq!(api.get(&format!("/api/v1/sessions/{session}")).await["state"], "down");
    assert_eq!(api.transcript(&session).await.len(), 2, "what was said can be read");
    assert_eq!(api.ask(&neighbour, "and you?").await["text"], "You said: and you?");
    house.stop().await;
}

#[actix::test]
async fn the_fourth_death_of_a_permanent_child_within_a_minute_ends_the_house() {
    let house = Inside::start(StandIn::builder()).await;
    for _ in 0..3 {
        house.panic("root", "router").await;
        assert!(tokio::time::timeout(Duration::ZERO, house.app.failed()).await.is_err(), "so far it is forgiven");
    }
    house.order("root", "router").await;
    let why = soon("the house gives up", house.app.failed()).await;
    assert!(why.contains("router"), "{why}");
}

/// Sends a message with a key until it is answered, as a good client does.
async fn insist(api: &Api, session: &str, key: &str, text: &str) -> Value {
    eventually("the message is answered", || async {
        let answer = api.submit(session, "?wait=true", &[("idempotency-key", key)], text).await;
        if answer.status() != 200 {
            let (status, code) = refusal(&answer);
            assert!(status == 503, "a refusal that a client may repeat: {status} {code}");
            return None;
        }
        Some(answer.json())
    })
    .await
}

#[actix::test]
async fn nothing_is_lost_or_doubled_while_children_die_under_load() {
    const SESSIONS: usize = 12;
    const ROUNDS: usize = 4;
    let slowly = Step::say_in("done", 2, Duration::from_millis(5));
    let house = Inside::start(StandIn::builder().always(slowly)).await;
    let api = house.api();
    let sessions = join_all((0..SESSIONS).map(|_| api.session())).await;
    let talk = join_all(sessions.iter().map(|session| {
        let api = &api;
        async move {
            for round in 0..ROUNDS {
                let end = insist(api, session, &format!("k-{round}"), &format!("m{round}")).await;
                assert_eq!(end["text"], "done");
            }
        }
    }));
    let trouble = async {
        for (parent, child) in
            [("root", "writer"), ("providers", "lab"), ("agents", "assistant"), ("root", "router"), ("root", "writer")]
        {
            let before = house.bed.model.progress().answered;
            soon("some work is done", house.bed.model.wait_for_answers(before + 3)).await;
            house.panic(parent, child).await;
        }
    };
    tokio::join!(talk, trouble);
    for session in &sessions {
        let transcript = api.transcript(session).await;
        let users: Vec<&str> =
            transcript.iter().filter(|(role, _)| role == "user").map(|(_, text)| text.as_str()).collect();
        assert_eq!(users, ["m0", "m1", "m2", "m3"], "each was taken once and in order");
        assert_eq!(transcript.len(), 2 * ROUNDS, "and answered once");
        assert_eq!(api.count(session, "turn.finished").await, ROUNDS);
    }
    house.stop().await;
}

#[actix::test]
async fn a_stream_goes_on_over_the_death_of_the_router_and_its_text_is_whole() {
    let gate = Gate::new();
    let house = Inside::start(StandIn::builder().always(Step::hold_after(&gate, "one two three", 1))).await;
    let api = house.api();
    let session = api.session().await;
    let mut events = api.hear(&session, "count").await;
    let mut seen = vec![events.until("turn.delta").await];
    house.panic("root", "router").await;
    gate.open();
    seen.extend(events.rest().await);
    assert_eq!(heard(&seen), "one two three");
    assert_eq!(api.cancel(&session).await, json!({"cancelled": null}));
    house.stop().await;
}
