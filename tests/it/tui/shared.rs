//! One session in several places.

use mosaic_testkit::{Gate, StandIn, Step};
use serde_json::json;

use super::{connected, leave, online};
use crate::testbed::{Testbed, Wire};

#[tokio::test]
async fn a_session_goes_on_elsewhere_and_back_and_each_sees_the_others_turn() {
    let gate = Gate::new();
    let steps = [Step::say("From here."), Step::hold_after(&gate, "From there and back.", 2)];
    let bed = Testbed::with(StandIn::builder().script(steps)).await;
    let pty = connected(&bed, &[]).await;
    pty.press("begun in the terminal\r");
    pty.sees("From here.").await;
    let sessions = bed.api().get("/api/v1/sessions").await;
    let session = sessions["items"][0]["id"].as_str().expect("an id").to_owned();

    // Somebody else goes on in it, and it is seen here as it comes.
    let (mut other, _) = Wire::ready(bed.address(), &bed.token()).await;
    other.send(json!({"type": "subscribe", "session": session, "after": 0})).await;
    other.until("subscribed").await;
    other.send(json!({"type": "message.send", "id": "m", "session": session, "text": "and elsewhere"})).await;
    pty.sees("▌ and elsewhere").await;
    pty.until("the words so far", |screen| screen.contains("From there") && !screen.contains("back.")).await;
    gate.open();
    pty.sees("From there and back.").await;
    other.until("turn.finished").await;

    // And what is typed here is seen there.
    pty.press("here again\r");
    let seen = other.until("turn.finished").await;
    assert!(seen.iter().any(|frame| frame["type"] == "turn.accepted" && frame["text"] == "here again"), "{seen:?}");
    pty.sees("You said: here again").await;
    leave(pty).await;

    // Another client finds all of it.
    let pty = connected(&bed, &["--continue"]).await;
    let screen = pty.sees("You said: here again").await;
    assert!(screen.contains("From there and back."), "{screen}");
    leave(pty).await;
}

#[tokio::test]
async fn what_happens_in_another_session_is_marked_unread() {
    let bed = Testbed::start().await;
    let api = bed.api();
    let session = api.session().await;
    let pty = super::open(&bed, &[], 120, 24);
    online(&pty).await;
    pty.sees(&session[..8]).await;
    api.ask(&session, "news for you").await;
    let screen = pty.until("a mark", |screen| screen.contains("● news for you")).await;
    assert!(!screen.contains("You said"), "another session is shown: {screen}");
    leave(pty).await;
}
