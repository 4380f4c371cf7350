//! Answers that were cut short: what was said until then stays.

use std::sync::Arc;

use mosaic_types::journal::{AcceptTurn, Cut, Outcome, SessionQuery, TurnEnd, Write};
use mosaic_types::page::Limit;
use mosaic_types::{Code, EventBody, Role, Seq, SessionId};

use super::back::fork;
use super::hand::{Hand, session, turn};
use super::sessions::context;
use crate::Store;

fn stopped(text: &str) -> TurnEnd {
    TurnEnd::Cancelled { text: Some(text.to_owned()) }
}

fn broken(text: &str) -> TurnEnd {
    TurnEnd::Failed { code: Code::ProviderStalled, message: "Nothing came.".into(), text: Some(text.to_owned()) }
}

/// The answers of a transcript, each with its mark.
async fn answers(hand: &Hand, id: &SessionId) -> Vec<(String, Option<Cut>)> {
    let page = hand.store.messages(id, None, Limit::default()).await.expect("reads").items;
    let latest = hand.store.latest(id, Seq::MAX, Limit::default()).await.expect("reads");
    assert_eq!(page, latest, "from whichever end it is read");
    let said = page.into_iter().filter(|row| row.role == Role::Assistant);
    said.map(|row| (row.text, row.ended)).collect()
}

pub async fn what_was_said_before_an_answer_was_cut_short_is_kept_with_a_mark(store: Arc<dyn Store>) {
    let hand = Hand::on(store).await;
    hand.ask(1, true).await;
    hand.answer(1, None).await;
    for (number, end) in [(2, stopped("one, tw")), (3, broken("half of i")), (4, TurnEnd::cancelled())] {
        hand.ask(number, true).await;
        let events = hand.events_of(hand.end(number, end.clone(), None)).await;
        let row = hand.store.turn(turn(number)).await.expect("reads").expect("is there");
        assert_eq!(row.end.map(|end| end.body), Some(end.clone().into_event()), "as the journal has it");
        let seq = events.last().and_then(|event| event.seq);
        let last = hand.store.latest(&hand.session, Seq::MAX, Limit::default()).await.expect("reads").pop();
        let last = last.expect("a message");
        let message = (last.role == Role::Assistant).then_some((last.seq, last.turn, last.agent));
        let expected = end.said().map(|_| (seq.expect("journaled"), turn(number), Some(hand.agent.clone())));
        assert_eq!(message, expected, "its number is that of the end");
    }
    let whole = ("answer 1".to_owned(), None);
    let cut = [("one, tw".to_owned(), Some(Cut::Cancelled)), ("half of i".to_owned(), Some(Cut::Failed))];
    assert_eq!(answers(&hand, &hand.session).await, [&[whole][..], &cut[..]].concat());
    // So that "go on" is understood. What said nothing leaves with its question.
    let said = ["question 1", "answer 1", "question 2", "one, tw", "question 3", "half of i"];
    let told = context(&hand, 1_000).await;
    assert_eq!(told.iter().filter_map(|said| said.split_once(": ")).map(|said| said.1).collect::<Vec<_>>(), said);
    let ask = SessionQuery { text: Some("half of".into()), ..SessionQuery::default() };
    let found = hand.store.sessions(ask, None, Limit::default()).await.expect("reads").items;
    assert_eq!(found.len(), 1, "and it is found");
}

pub async fn an_input_that_came_too_late_for_an_answer_stands_before_what_there_is_of_it(store: Arc<dyn Store>) {
    let hand = Hand::on(store).await;
    hand.ask(1, true).await;
    hand.add(2, 1).await;
    hand.events_of(hand.end(1, stopped("one, tw"), None)).await;
    let said = ["user: question 1", "user: question 2", "assistant: one, tw"];
    assert_eq!(context(&hand, 1_000).await, said, "each question has an answer behind it");
}

pub async fn an_answer_that_was_cut_short_is_replaced_and_taken_over_like_any_other(store: Arc<dyn Store>) {
    let hand = Hand::on(store).await;
    hand.ask(1, true).await;
    let end = hand.events_of(hand.end(1, stopped("one, tw"), None)).await;
    let cut = end.last().and_then(|event| event.seq).expect("journaled");
    let (whole, upto) = (session("whole"), session("upto"));
    hand.events_of(fork(&hand, "whole", None)).await;
    hand.events_of(fork(&hand, "upto", Some(cut))).await;
    for id in [&whole, &upto] {
        assert_eq!(answers(&hand, id).await, [("one, tw".to_owned(), Some(Cut::Cancelled))]);
        let kept = hand.store.snapshot(id, 1_000).await.expect("reads").expect("is there").context;
        assert_eq!(kept.iter().map(|said| &*said.text).collect::<Vec<_>>(), ["question 1", "one, tw"]);
        let last = hand.store.events(id, 0, Limit::default()).await.expect("reads").pop().expect("a journal");
        assert_eq!(last.body, stopped("one, tw").into_event());
    }
    // Asked again, it leaves with its question.
    let again = AcceptTurn { replaces: Some(1), ..hand.accept(2, true) };
    let before = hand.store.context_before(&hand.session, 1, 1_000).await.expect("reads");
    assert!(before.is_empty(), "{before:?}");
    assert!(matches!(hand.write(Write::Accept(Box::new(again))).await, Outcome::Written(_)));
    hand.answer(2, None).await;
    assert_eq!(context(&hand, 1_000).await, ["user: question 2", "assistant: answer 2"]);
    assert_eq!(answers(&hand, &hand.session).await, [("answer 2".to_owned(), None)]);
}

pub async fn a_nul_in_what_was_cut_short_spoils_nothing(store: Arc<dyn Store>) {
    let hand = Hand::on(store).await;
    for (number, end) in [(1, stopped("one\0two")), (2, broken("one\0two"))] {
        hand.ask(number, true).await;
        let events = hand.events_of(hand.end(number, end, None)).await;
        let said = events.into_iter().find_map(|event| match event.body {
            EventBody::TurnCancelled { text } | EventBody::TurnFailed { text, .. } => text,
            _ => None,
        });
        let said = said.expect("it said something");
        assert!(["one\0two", "one\u{fffd}two"].contains(&said.as_str()), "{said:?}");
        assert_eq!(answers(&hand, &hand.session).await.pop().map(|(text, _)| text), Some(said), "as it is told");
    }
}
