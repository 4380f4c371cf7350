use futures_util::FutureExt;
use mosaic_types::event::StepKind;
use mosaic_types::{EventBody, SessionEvent, SessionId, TurnId};

use super::{Hub, Interest, Missed, Reader};

fn session() -> SessionId {
    "s".parse().expect("valid")
}

fn turn() -> TurnId {
    TurnId(uuid::Uuid::nil())
}

fn end(seq: i64) -> SessionEvent {
    SessionEvent {
        body: EventBody::TurnCancelled { text: None },
        session: session(),
        turn: Some(turn()),
        seq: Some(seq),
    }
}

#[actix::test]
async fn one_who_comes_late_gets_the_text_so_far_then_the_rest() {
    let hub = Hub::default();
    hub.begin_step(&session(), turn(), 1, 1);
    hub.delta(&session(), turn(), 1, 1, "häl".into());
    let mut reader = hub.subscribe(&session(), Interest::All);
    hub.delta(&session(), turn(), 1, 1, "lo".into());
    let mut seen = Vec::new();
    for _ in 0..2 {
        if let EventBody::TurnDelta { offset, text, .. } = &reader.next().await.expect("an event").body {
            seen.push((*offset, text.clone()));
        }
    }
    assert_eq!(seen, [(0, "häl".to_owned()), (3, "lo".to_owned())]);
}

#[actix::test]
async fn last_words_are_what_readers_were_told_and_nothing_follows_them() {
    let hub = Hub::default();
    let mut reader = hub.subscribe(&session(), Interest::All);
    assert_eq!(hub.last_words(&session(), turn()), None, "nothing runs");
    hub.begin_step(&session(), turn(), 1, 1);
    assert_eq!(hub.last_words(&session(), turn()), None, "nothing was said");
    hub.begin_step(&session(), turn(), 1, 1);
    hub.delta(&session(), turn(), 1, 1, "häl".into());
    hub.delta(&session(), turn(), 1, 1, "lo".into());
    assert_eq!(hub.last_words(&session(), turn()).as_deref(), Some("hällo"));
    hub.delta(&session(), turn(), 1, 1, " again".into());
    assert_eq!(hub.last_words(&session(), turn()), None, "told once");
    let mut told = String::new();
    while let Some(Ok(event)) = reader.next().now_or_never() {
        if let EventBody::TurnDelta { text, .. } = &event.body {
            told.push_str(text);
        }
    }
    assert_eq!(told, "hällo");
    let other = TurnId(uuid::Uuid::max());
    hub.begin_step(&session(), other, 1, 1);
    hub.delta(&session(), other, 1, 1, "theirs".into());
    assert_eq!(hub.last_words(&session(), turn()), None, "another turn's");
}

#[actix::test]
async fn text_of_an_earlier_attempt_is_not_heard() {
    let hub = Hub::default();
    let mut reader = hub.subscribe(&session(), Interest::All);
    hub.begin_step(&session(), turn(), 2, 1);
    hub.delta(&session(), turn(), 1, 1, "old".into());
    hub.publish(&session(), [end(1)]);
    assert!(reader.next().await.expect("an event").body.is_end());
}

#[actix::test]
async fn what_a_finished_step_said_is_not_said_again_to_one_who_comes_later() {
    let hub = Hub::default();
    let mut early = hub.subscribe(&session(), Interest::All);
    hub.begin_step(&session(), turn(), 1, 1);
    hub.delta(&session(), turn(), 1, 1, "half".into());
    let body = EventBody::StepFinished { kind: StepKind::Model, name: "p/m".into(), ok: true, part: None, tool: None };
    hub.publish(&session(), [SessionEvent { body, ..end(3) }]);
    let mut late = hub.subscribe(&session(), Interest::All);
    hub.begin_step(&session(), turn(), 1, 2);
    hub.delta(&session(), turn(), 1, 2, "all".into());
    for _ in 0..2 {
        early.next().await.expect("an event");
    }
    for reader in [&mut early, &mut late] {
        let body = &reader.next().await.expect("an event").body;
        assert!(matches!(body, EventBody::TurnDelta { step: 2, offset: 0, text, .. } if text == "all"), "{body:?}");
    }
}

#[actix::test]
async fn a_slow_reader_is_cut_and_the_hub_forgets_it() {
    let hub = Hub::default();
    let mut slow = hub.subscribe(&session(), Interest::Journaled);
    for seq in 0..2_000 {
        hub.publish(&session(), [end(seq)]);
    }
    let mut heard = 0;
    while slow.next().await.is_ok() {
        heard += 1;
    }
    assert_eq!(slow.next().await, Err(Missed::Lagged));
    assert_eq!(heard, 1_024);
    assert!(hub.is_empty());
    assert_eq!(hub.readers(), 1, "it still holds on to what it was told");
    drop(slow);
    assert_eq!(hub.readers(), 0);
}

/// What a model says before a reader is heard again: many times what may wait.
const FLOOD: usize = 10_000;

fn flood(hub: &Hub, step: u32, pieces: usize) {
    for _ in 0..pieces {
        hub.delta(&session(), turn(), 1, step, "ä".into());
    }
}

/// Reads all that is there: the text of each step, in pieces that follow each other, and their number.
fn heard(reader: &mut Reader) -> (Vec<(u32, usize)>, usize, usize) {
    let (mut steps, mut pieces, mut others): (Vec<(u32, usize)>, _, _) = (Vec::new(), 0, 0);
    // Tokio lets a task read only so many at once before others have their turn; here there are none.
    while let Some(event) = tokio::task::unconstrained(reader.next()).now_or_never() {
        let EventBody::TurnDelta { step, offset, text, .. } = &event.expect("it is not cut").body else {
            others += 1;
            continue;
        };
        if steps.last().is_none_or(|(last, _)| last != step) {
            steps.push((*step, 0));
        }
        let (_, chars) = steps.last_mut().expect("just put there");
        assert_eq!(offset, chars, "no gap and no repeat");
        *chars += text.chars().count();
        pieces += 1;
    }
    (steps, pieces, others)
}

#[actix::test]
async fn a_reader_that_is_late_gets_what_a_model_said_meanwhile_as_one_piece_and_is_not_cut() {
    let hub = Hub::default();
    let mut reader = hub.subscribe(&session(), Interest::All);
    hub.begin_step(&session(), turn(), 1, 1);
    flood(&hub, 1, FLOOD);
    assert_eq!(heard(&mut reader), (vec![(1, FLOOD)], 257, 0));
    // On time again, it is told each piece.
    hub.begin_step(&session(), turn(), 1, 2);
    flood(&hub, 2, 3);
    assert_eq!(heard(&mut reader), (vec![(2, 3)], 3, 0));
}

#[actix::test]
async fn text_of_steps_that_are_over_is_whole_for_a_reader_that_is_late() {
    let hub = Hub::default();
    let mut reader = hub.subscribe(&session(), Interest::All);
    for step in 1..=3 {
        hub.begin_step(&session(), turn(), 1, step);
        flood(&hub, step, FLOOD);
        hub.live(&session(), turn(), EventBody::TurnThinking { text: "hm".into() });
    }
    hub.publish(&session(), [end(1)]);
    // The thought is kept from it, the end is not.
    assert_eq!(heard(&mut reader), (vec![(1, FLOOD), (2, FLOOD), (3, FLOOD)], 259, 1));
}

#[actix::test]
async fn a_reader_that_reads_while_a_model_floods_hears_each_piece_once() {
    let hub = Hub::default();
    let mut reader = hub.subscribe(&session(), Interest::All);
    hub.begin_step(&session(), turn(), 1, 1);
    let model = std::thread::spawn({
        let hub = hub.clone();
        move || flood(&hub, 1, 20 * FLOOD)
    });
    let mut chars = 0;
    while chars < 20 * FLOOD {
        if let EventBody::TurnDelta { offset, text, .. } = &reader.next().await.expect("it is not cut").body {
            assert_eq!(*offset, chars, "no gap and no repeat");
            chars += text.chars().count();
        }
    }
    model.join().expect("it ends well");
    assert_eq!(heard(&mut reader), (vec![], 0, 0));
}

#[actix::test]
async fn nothing_is_kept_for_sessions_that_nobody_reads() {
    let hub = Hub::default();
    hub.begin_step(&session(), turn(), 1, 1);
    drop(hub.subscribe(&session(), Interest::All));
    hub.publish(&session(), [end(1)]);
    assert!(hub.is_empty());
}

#[actix::test]
async fn a_reader_that_leaves_a_session_in_which_nothing_happens_is_forgotten_at_once() {
    let hub = Hub::default();
    let (first, second) = (hub.subscribe(&session(), Interest::All), hub.subscribe(&session(), Interest::Journaled));
    drop(first);
    assert_eq!(hub.len(), 1, "one still reads");
    drop(second);
    assert!(hub.is_empty());
}

#[test]
fn a_session_is_in_doubt_until_it_was_read_anew_or_is_no_more() {
    let hub = Hub::default();
    let other: SessionId = "other".parse().expect("valid");
    hub.doubt(&session());
    hub.doubt(&other);
    assert_eq!(hub.doubted(), [other.clone(), session()]);
    hub.resync(&session());
    hub.close(&other);
    assert!(hub.doubted().is_empty());
}

#[actix::test]
async fn readers_of_a_session_that_was_read_anew_are_told_once_and_read_on() {
    let hub = Hub::default();
    let mut reader = hub.subscribe(&session(), Interest::Journaled);
    hub.resync(&session()); // nothing is in doubt
    hub.doubt(&session());
    hub.resync(&session());
    hub.resync(&session());
    hub.publish(&session(), [end(1)]);
    assert_eq!(reader.next().await, Err(Missed::Unannounced));
    assert_eq!(reader.next().await.expect("an event").seq, Some(1));
    hub.close(&session());
    assert_eq!(reader.next().await, Err(Missed::Lagged));
    hub.resync(&session());
    assert!(hub.is_empty());
}
