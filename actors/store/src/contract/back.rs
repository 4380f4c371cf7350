//! Inputs that take the place of others, and sessions made from a part of another.

use std::sync::Arc;

use mosaic_types::journal::{AcceptTurn, ForkSession, Outcome, SessionPhase, TurnEnd, Write};
use mosaic_types::page::Limit;
use mosaic_types::{EventBody, Seq, SessionId, Timestamp};

use super::hand::{Hand, failed, session};
use super::sessions::context;
use crate::Store;

async fn transcript(hand: &Hand, id: &SessionId) -> Vec<String> {
    let page = hand.store.messages(id, None, Limit::default()).await.expect("reads");
    page.items.iter().map(|message| message.text.clone()).collect()
}

fn replacing(hand: &Hand, number: u8, replaces: Seq) -> AcceptTurn {
    AcceptTurn { replaces: Some(replaces), ..hand.accept(number, true) }
}

fn accept(accept: &AcceptTurn) -> Write {
    Write::Accept(Box::new(accept.clone()))
}

/// Three questions, each answered before the next: they have the seqs 1, 5 and 9.
async fn three_questions(store: Arc<dyn Store>) -> Hand {
    let hand = Hand::on(store).await;
    for number in 1..=3 {
        hand.ask(number, true).await;
        hand.answer(number, None).await;
    }
    hand
}

pub async fn an_input_takes_the_place_of_another_and_of_all_after_it(store: Arc<dyn Store>) {
    let hand = three_questions(store).await;
    let before = hand.store.events(&hand.session, 0, Limit::default()).await.expect("reads");
    let expected = hand.store.context_before(&hand.session, 5, 1_000).await.expect("reads");
    let again = replacing(&hand, 4, 5);
    let events = hand.events_of(accept(&again)).await;
    assert_eq!(events[0].body, EventBody::MessagesSuperseded { from: 5 });
    assert!(matches!(&events[1].body, EventBody::TurnAccepted { text, .. } if text == "question 4"), "{events:?}");
    assert_eq!(events.len(), 3, "and it runs");
    assert_eq!(transcript(&hand, &hand.session).await, ["question 1", "answer 1", "question 4"]);
    let latest = hand.store.latest(&hand.session, Seq::MAX, Limit::default()).await.expect("reads");
    assert_eq!(latest.len(), 3);
    let snapshot = hand.store.snapshot(&hand.session, 1_000).await.expect("reads").expect("is there");
    assert_eq!(snapshot.context, expected, "what stays is what was told beforehand");
    assert_eq!(snapshot.last_input.map(|(_, hash)| hash), Some([4; 32]));
    hand.answer(4, None).await;
    let said = ["user: question 1", "assistant: answer 1", "user: question 4", "assistant: answer 4"];
    assert_eq!(context(&hand, 1_000).await, said);
    let kept = hand.store.events(&hand.session, 0, Limit::default()).await.expect("reads");
    assert_eq!(kept[..before.len()], before, "the journal keeps all");
    assert_eq!(hand.write(accept(&again)).await, Outcome::Duplicate { turn: again.turn, same_body: true });

    // The very first, once more: nothing is left before it.
    hand.events_of(accept(&replacing(&hand, 5, 1))).await;
    assert_eq!(transcript(&hand, &hand.session).await, ["question 5"]);
    assert!(context(&hand, 1_000).await.is_empty());
}

pub async fn what_is_no_input_of_the_dialogue_cannot_be_replaced(store: Arc<dyn Store>) {
    let hand = three_questions(store).await;
    hand.events_of(accept(&replacing(&hand, 4, 5))).await;
    hand.answer(4, None).await;
    let before = hand.store.events(&hand.session, 0, Limit::default()).await.expect("reads");
    for (replaces, why) in [(5, "it has left already"), (9, "it left with it"), (4, "an answer"), (99, "nothing")] {
        assert_eq!(hand.write(accept(&replacing(&hand, 5, replaces))).await, Outcome::Missing, "{why}");
    }
    let mut late = replacing(&hand, 5, 1);
    late.epoch = 0;
    assert_eq!(hand.write(accept(&late)).await, Outcome::Stale);
    late.replaces = Some(99);
    assert_eq!(hand.write(accept(&late)).await, Outcome::Stale, "an old epoch is told first");
    assert_eq!(hand.store.events(&hand.session, 0, Limit::default()).await.expect("reads"), before);
    assert!(hand.store.context_before(&hand.session, 99, 1_000).await.expect("reads").is_empty());
}

pub async fn an_input_in_the_middle_of_a_turn_takes_the_rest_of_it_along(store: Arc<dyn Store>) {
    let hand = Hand::on(store).await;
    hand.ask(1, true).await;
    // Accepted while the first runs, which another input joins: in time it stands between them.
    hand.ask(2, false).await;
    let joined = hand.add(3, 1).await[0].seq.expect("journaled");
    hand.answer(1, Some(2)).await;
    hand.answer(2, None).await;
    hand.ask(4, true).await;
    hand.events_of(hand.end(4, failed(), None)).await;
    let expected = hand.store.context_before(&hand.session, joined, 1_000).await.expect("reads");
    hand.events_of(accept(&replacing(&hand, 5, joined))).await;
    assert_eq!(transcript(&hand, &hand.session).await, ["question 1", "question 5"], "later turns leave too");
    let snapshot = hand.store.snapshot(&hand.session, 1_000).await.expect("reads").expect("is there");
    assert_eq!(snapshot.context, expected);
    assert_eq!(snapshot.context.iter().map(|said| said.text.to_string()).collect::<Vec<_>>(), ["question 1"]);
}

pub(super) fn fork(hand: &Hand, id: &str, through: Option<Seq>) -> Write {
    let Write::CreateSession(new) = hand.new_session(&session(id), Timestamp(50)) else { panic!("it makes a session") };
    let model = Some("lab/m-1".parse().expect("valid"));
    Write::Fork(ForkSession { source: hand.session.clone(), through, new, model })
}

pub async fn a_fork_has_the_transcript_up_to_its_message_and_goes_on_by_itself(store: Arc<dyn Store>) {
    let hand = three_questions(store).await;
    hand.events_of(accept(&replacing(&hand, 4, 9))).await;
    hand.answer(4, None).await;
    let all = ["question 1", "answer 1", "question 2", "answer 2", "question 4", "answer 4"];
    for (id, through, expected) in [("all", None, 6), ("answer", Some(8), 4), ("newest", Some(14), 5)] {
        hand.events_of(fork(&hand, id, through)).await;
        let id = session(id);
        assert_eq!(transcript(&hand, &id).await, all[..expected], "{id}");
        let row = hand.store.session(&id).await.expect("reads").expect("is there");
        assert_eq!((row.state, row.updated_at, row.model.is_some()), (SessionPhase::Idle, Timestamp(50), true));
        let events = hand.store.events(&id, 0, Limit::default()).await.expect("reads");
        let seqs: Vec<_> = events.iter().filter_map(|event| event.seq).collect();
        assert_eq!(seqs, (1..=i64::try_from(events.len()).expect("few")).collect::<Vec<_>>(), "without gaps");
        assert!(events.iter().all(|event| event.session == id && event.turn.is_some()));
        let theirs = hand.store.events(&hand.session, 0, Limit::default()).await.expect("reads");
        let (ours, bodies) = (&events[..8], &theirs[..8]);
        assert!(ours.iter().zip(bodies).all(|(one, other)| one.body == other.body && one.turn != other.turn));
        let snapshot = hand.store.snapshot(&id, 1_000).await.expect("reads").expect("is there");
        assert!(snapshot.open.is_empty());
        // What was cut off in the middle of a turn is shown, and no part of what the model sees.
        assert_eq!(snapshot.context.len(), expected - expected % 2, "{id}");
        let ended = events.last().expect("a journal");
        assert_eq!(ended.body == EventBody::TurnCancelled { text: None }, expected % 2 == 1, "{id}: {ended:?}");
        let end = hand.store.turn(ended.turn.expect("a turn's")).await.expect("reads").expect("is there");
        assert_eq!(end.end.as_ref(), Some(ended));
    }
    assert_eq!(hand.write(fork(&hand, "all", None)).await, Outcome::Exists);
    for missing in [9, 2, 99] {
        assert_eq!(
            hand.write(fork(&hand, "none", Some(missing))).await,
            Outcome::Missing,
            "no message of the dialogue"
        );
    }
    assert_eq!(hand.store.session(&session("none")).await.expect("reads"), None);
    hand.events_of(Write::Delete { session: hand.session.clone() }).await;
    assert_eq!(transcript(&hand, &session("all")).await, all, "what it was made from is not needed any more");
}

pub async fn a_fork_of_what_runs_has_it_cancelled(store: Arc<dyn Store>) {
    let hand = Hand::on(store).await;
    hand.ask(1, true).await;
    hand.ask(2, false).await;
    hand.events_of(fork(&hand, "fork", None)).await;
    let id = session("fork");
    let events = hand.store.events(&id, 0, Limit::default()).await.expect("reads");
    assert_eq!(events.iter().filter(|event| event.body == EventBody::TurnCancelled { text: None }).count(), 2);
    let row = hand.store.session(&id).await.expect("reads").expect("is there");
    assert_eq!(row.state, SessionPhase::Idle);
    assert_eq!(hand.store.unfinished().await.expect("reads"), *std::slice::from_ref(&hand.session));
    hand.answer(1, Some(2)).await;
    hand.events_of(hand.end(2, TurnEnd::cancelled(), None)).await;
}
