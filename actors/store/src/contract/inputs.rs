//! Turns of several inputs, and their steps.

use std::sync::Arc;

use mosaic_types::journal::{Entry, Outcome, SessionPhase, StepTurn, TurnEnd, TurnState, Write};
use mosaic_types::ledger::UsageQuery;
use mosaic_types::page::Limit;
use mosaic_types::{EventBody, FinishedTurn, Seq, SessionEvent, Usage};

use super::hand::{Hand, failed, finished, said, turn};
use super::sessions::context;
use crate::Store;

/// What the model sees of the only open turn.
async fn dialogue(hand: &Hand) -> Vec<String> {
    let open = hand.store.snapshot(&hand.session, 0).await.expect("reads").expect("is there").open;
    assert_eq!(open.len(), 1);
    open[0].said.iter().map(|said| format!("{} {}: {}", said.seq, said.role.as_str(), said.text)).collect()
}

async fn journal(hand: &Hand) -> Vec<SessionEvent> {
    hand.store.events(&hand.session, 0, Limit::default()).await.expect("reads")
}

fn accept(join: mosaic_types::journal::AcceptTurn) -> Write {
    Write::Accept(Box::new(join))
}

pub async fn an_input_joins_an_open_turn_under_a_key_of_its_own(store: Arc<dyn Store>) {
    let hand = Hand::on(store).await;
    hand.ask(1, true).await;
    hand.ask(2, false).await;
    for (number, into) in [(3, 1), (4, 2)] {
        let events = hand.add(number, into).await;
        let expected = EventBody::TurnAccepted { text: format!("question {number}"), attachments: Vec::new() };
        assert_eq!((&events[0].body, events[0].turn, events.len()), (&expected, Some(turn(into)), 1));
        let again = hand.join(number, into);
        assert_eq!(hand.store.known(&again.inbox).await.expect("reads"), Some((turn(into), [number; 32])));
        let same = Outcome::Duplicate { turn: turn(into), same_body: true };
        assert_eq!(hand.write(accept(again.clone())).await, same);
        let mut other = again;
        other.body_hash = [1; 32];
        assert_eq!(hand.write(accept(other)).await, Outcome::Duplicate { turn: turn(into), same_body: false });
        let newest = hand.store.snapshot(&hand.session, 0).await.expect("reads").expect("is there").last_input;
        assert_eq!(newest, Some((turn(into), [number; 32])));
    }
    let first = hand.accept(1, true);
    assert_eq!(hand.store.known(&first.inbox).await.expect("reads"), Some((turn(1), [1; 32])), "its own body");
    let snapshot = hand.store.snapshot(&hand.session, 0).await.expect("reads").expect("is there");
    let inputs: Vec<Vec<&str>> =
        snapshot.open.iter().map(|open| open.said.iter().map(|said| &*said.text).collect()).collect();
    assert_eq!(inputs, [["question 1", "question 3"], ["question 2", "question 4"]]);
    assert_eq!(snapshot.row.state, SessionPhase::Running);
    let rows = hand.store.messages(&hand.session, None, Limit::default()).await.expect("reads").items;
    assert_eq!(rows.iter().map(|row| row.turn).collect::<Vec<_>>(), [turn(1), turn(2), turn(1), turn(2)]);
    hand.answer(1, Some(2)).await;
    hand.answer(2, None).await;
    let expected = ["question 1", "question 3", "answer 1", "question 2", "question 4", "answer 2"];
    let said = context(&hand, 1_000).await;
    assert_eq!(
        said.iter().filter_map(|said| said.split_once(": ")).map(|(_, text)| text).collect::<Vec<_>>(),
        expected
    );
    let size = "question 2question 4answer 2".len();
    assert_eq!(context(&hand, size + 1).await.len(), 3, "a turn with all its inputs");
    assert!(context(&hand, size - 1).await.is_empty());
}

pub async fn an_input_joins_no_turn_that_has_ended(store: Arc<dyn Store>) {
    let hand = Hand::on(store).await;
    hand.ask(1, true).await;
    hand.answer(1, None).await;
    let before = journal(&hand).await;
    assert_eq!(hand.write(accept(hand.join(2, 1))).await, Outcome::Closed);
    assert_eq!(hand.write(accept(hand.join(2, 9))).await, Outcome::Closed, "nor one that never was");
    let mut late = hand.join(2, 1);
    late.epoch = 0;
    assert_eq!(hand.write(accept(late)).await, Outcome::Stale, "an old epoch");
    assert_eq!(journal(&hand).await, before);
    assert_eq!(hand.store.known(&hand.join(2, 1).inbox).await.expect("reads"), None, "the key is free");
    assert_eq!(hand.ask(2, true).await.len(), 2);
}

pub async fn an_answer_is_refused_while_there_is_input_that_it_has_not_seen(store: Arc<dyn Store>) {
    let hand = Hand::on(store).await;
    let saw = |write, seq: Seq| match write {
        Write::End(mut end) => {
            end.saw = seq;
            Write::End(end)
        }
        other => other,
    };
    hand.ask(1, true).await;
    // What waits in another turn does not matter.
    hand.ask(2, false).await;
    hand.add(3, 1).await;
    let before = journal(&hand).await;
    assert_eq!(hand.write(saw(hand.end(1, finished("too early"), None), 1)).await, Outcome::Unseen);
    assert_eq!(hand.write(saw(hand.end_at(0, 1, finished("too early"), None), 1)).await, Outcome::Stale);
    assert_eq!(journal(&hand).await, before);
    hand.events_of(saw(hand.end(1, finished("in time"), Some(2)), 4)).await;
    assert_eq!(hand.write(saw(hand.end(1, finished("again"), None), 1)).await, Outcome::Stale, "it has ended");
    for (number, end) in [(2, failed()), (5, TurnEnd::cancelled())] {
        if number == 5 {
            hand.ask(5, true).await;
        }
        hand.add(number + 4, number).await;
        hand.events_of(saw(hand.end(number, end, None), 1)).await;
        let row = hand.store.turn(turn(number)).await.expect("reads").expect("is there");
        assert!(matches!(row.state, TurnState::Failed | TurnState::Cancelled), "other ends need not have seen all");
    }
}

pub async fn a_step_is_stored_with_its_place_and_its_price(store: Arc<dyn Store>) {
    let hand = Hand::on(store).await;
    hand.ask(1, true).await;
    hand.add(2, 1).await;
    let write = |step: StepTurn| Write::Step(Box::new(step));
    let half = FinishedTurn { cost_usd: Some(0.5), ..said("half") };
    let first = hand.step(1, 1, 1, half);
    assert_eq!(hand.write(write(StepTurn { epoch: 0, ..first.clone() })).await, Outcome::Stale, "an old epoch");
    let events = hand.events_of(write(first.clone())).await;
    assert_eq!((&events[0].body, events[0].turn, events[0].seq), (&first.said.step(), Some(turn(1)), Some(4)));
    assert_eq!(events.len(), 1);
    let expected = ["1 user: question 1", "4 assistant: half", "3 user: question 2"];
    assert_eq!(dialogue(&hand).await, expected, "what it said stands before what it had not seen");
    let open = hand.store.snapshot(&hand.session, 0).await.expect("reads").expect("is there").open.remove(0);
    let (usage, cost_usd) = (Usage::new(3, 5), Some(0.5));
    assert_eq!((open.state, open.spent.usage, open.spent.cost_usd), (TurnState::Running, usage, cost_usd));

    hand.add(3, 1).await;
    let sum = |text: &str, calls: u64, cost_usd| {
        let usage = Usage::new(3 * calls, 5 * calls);
        FinishedTurn { usage, cost_usd: Some(cost_usd), ..said(text) }
    };
    hand.events_of(write(hand.step(1, 2, 3, sum("more", 2, 1.0)))).await;
    let expected = [&expected[..], &["6 assistant: more", "5 user: question 3"]].concat();
    assert_eq!(dialogue(&hand).await, expected);
    let Write::End(mut end) = hand.end(1, TurnEnd::Finished(sum("all", 3, 1.5)), None) else { unreachable!("an end") };
    (end.step, end.saw) = (3, 5);
    hand.events_of(Write::End(end)).await;
    assert_eq!(hand.write(write(first)).await, Outcome::Stale, "it has ended");

    let said: Vec<String> =
        expected.iter().filter_map(|said| said.split_once(' ')).map(|said| said.1.to_owned()).collect();
    assert_eq!(context(&hand, 1_000).await, [said, vec!["assistant: all".to_owned()]].concat());
    let sums = hand.store.usage(UsageQuery::default(), None, Limit::default()).await.expect("reads").items;
    let day = &sums[0];
    assert_eq!((day.turns, day.input_tokens, day.output_tokens, day.cost_usd), (1, 9, 15, Some(1.5)), "once each");
}

pub async fn what_a_cancelled_turn_had_spent_stays_spent(store: Arc<dyn Store>) {
    let hand = Hand::on(store).await;
    hand.ask(1, true).await;
    hand.add(2, 1).await;
    hand.events_of(Write::Step(Box::new(hand.step(1, 1, 1, said("half"))))).await;
    hand.events_of(hand.end(1, TurnEnd::cancelled(), None)).await;
    let sums = hand.store.usage(UsageQuery::default(), None, Limit::default()).await.expect("reads").items;
    assert_eq!(sums.iter().map(|day| (day.turns, day.input_tokens)).collect::<Vec<_>>(), [(1, 3)]);
    assert!(context(&hand, 1_000).await.is_empty(), "it is no part of the dialogue");
}

pub async fn a_waiting_turn_remembers_that_it_collects(store: Arc<dyn Store>) {
    let hand = Hand::on(store).await;
    let mut first = hand.accept(1, false);
    first.entry = Entry::Waits { collects: true };
    hand.events_of(accept(first)).await;
    hand.ask(2, false).await;
    hand.add(3, 1).await;
    let snapshot = hand.store.snapshot(&hand.session, 0).await.expect("reads").expect("is there");
    let collects: Vec<_> = snapshot.open.iter().map(|open| (open.id, open.collects, open.said.len())).collect();
    assert_eq!(collects, [(turn(1), true, 2), (turn(2), false, 1)]);
    assert_eq!(snapshot.row.state, SessionPhase::Queued);
}
