//! What was spent, summed up.

use std::sync::Arc;

use mosaic_types::Timestamp;
use mosaic_types::journal::{EndTurn, TurnEnd, Write};
use mosaic_types::ledger::{UsageBy, UsageQuery, UsageSum};
use mosaic_types::page::Limit;
use mosaic_types::{FinishedTurn, Seq, Usage, UserId};
use uuid::Uuid;

use super::hand::{Hand, failed, finished, turn};
use crate::{Store, StoreError};

/// Microseconds of a day.
const DAY: i64 = 86_400_000_000;

/// Asks a question and has it answered at a moment, by an agent and a model, at a price.
async fn spend(hand: &Hand, number: u8, at: Timestamp, agent: &str, model: &str, cost_usd: Option<f64>) {
    hand.ask(number, true).await;
    let TurnEnd::Finished(end) = finished("so it is") else { unreachable!("it is finished") };
    let end = FinishedTurn { model: model.into(), cost_usd, ..end };
    hand.events_of(Write::End(Box::new(EndTurn {
        session: hand.session.clone(),
        epoch: 1,
        turn: turn(number),
        agent: agent.parse().expect("a valid agent's name"),
        end: TurnEnd::Finished(end),
        step: 1,
        saw: Seq::MAX,
        steps: Vec::new(),
        delivers: false,
        next: None,
        at,
    })))
    .await;
}

async fn sums(store: &dyn Store, ask: UsageQuery) -> Vec<UsageSum> {
    let page = store.usage(ask, None, Limit::default()).await.expect("reads");
    assert_eq!(page.next, None);
    page.items
}

fn sum(key: &str, turns: u64, cost_usd: Option<f64>, unpriced_turns: u64) -> UsageSum {
    // Each turn of a `Hand` used 3 tokens and made 5.
    let (input_tokens, output_tokens) = (3 * turns, 5 * turns);
    UsageSum { key: key.into(), turns, input_tokens, output_tokens, cost_usd, unpriced_turns }
}

pub async fn what_was_spent_is_summed_by_day_agent_model_and_session(store: Arc<dyn Store>) {
    let hand = Hand::on(store).await;
    let all = UsageQuery::default();
    assert!(sums(&*hand.store, all).await.is_empty());
    spend(&hand, 1, Timestamp(5), "assistant", "m-1", Some(0.5)).await;
    spend(&hand, 2, Timestamp(DAY - 1), "assistant", "m-2", None).await;
    spend(&hand, 3, Timestamp(DAY), "poet", "m-1", Some(0.25)).await;
    // What ended without an answer has no place in the ledger.
    hand.ask(4, true).await;
    hand.events_of(hand.end(4, failed(), None)).await;

    assert_eq!(
        sums(&*hand.store, all).await,
        [sum("1970-01-02", 1, Some(0.25), 0), sum("1970-01-01", 2, Some(0.5), 1)],
        "the newest day first; what has no price is counted and not guessed"
    );
    let by = |by| UsageQuery { by, ..all };
    let agents = [sum("assistant", 2, Some(0.5), 1), sum("poet", 1, Some(0.25), 0)];
    assert_eq!(sums(&*hand.store, by(UsageBy::Agent)).await, agents);
    assert_eq!(
        sums(&*hand.store, by(UsageBy::Model)).await,
        [sum("p/m-1", 2, Some(0.75), 0), sum("p/m-2", 1, None, 1)]
    );
    assert_eq!(sums(&*hand.store, by(UsageBy::Session)).await, [sum("s1", 3, Some(0.75), 1)]);

    let between = UsageQuery { since: Some(Timestamp(DAY - 1)), until: Some(Timestamp(DAY)), ..all };
    assert_eq!(sums(&*hand.store, between).await, [sum("1970-01-01", 1, None, 1)], "from the first, before the last");
    let theirs = UsageQuery { user: Some(hand.user), by: UsageBy::Session, ..all };
    assert_eq!(sums(&*hand.store, theirs).await.len(), 1);
    let nobodys = UsageQuery { user: Some(UserId(Uuid::from_bytes([8; 16]))), ..all };
    assert!(sums(&*hand.store, nobodys).await.is_empty());

    hand.events_of(Write::Delete { session: hand.session.clone() }).await;
    assert_eq!(sums(&*hand.store, by(UsageBy::Agent)).await, agents, "what was spent stays spent");
}

pub async fn pages_of_sums_are_complete(store: Arc<dyn Store>) {
    let hand = Hand::on(store).await;
    for number in 1..=7 {
        let at = Timestamp(DAY * i64::from(number));
        spend(&hand, number, at, &format!("agent-{number}"), &format!("größe {number}"), None).await;
    }
    let two = Limit::new(Some(2)).expect("within bounds");
    for by in [UsageBy::Day, UsageBy::Agent, UsageBy::Model] {
        let ask = UsageQuery { by, ..UsageQuery::default() };
        let whole = sums(&*hand.store, ask).await;
        assert_eq!(whole.len(), 7);
        let (mut seen, mut cursor) = (Vec::new(), None);
        loop {
            let page = hand.store.usage(ask, cursor, two).await.expect("reads");
            assert!(page.items.len() == 2 || page.next.is_none(), "a page is full unless it is the last");
            seen.extend(page.items);
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!(seen, whole, "by {by}");
    }
    let of_days = hand.store.usage(UsageQuery::default(), None, two).await.expect("reads").next;
    let agents = UsageQuery { by: UsageBy::Agent, ..UsageQuery::default() };
    for foreign in [of_days.expect("there is more"), "uday-6d".into(), "12".into()] {
        let refused = hand.store.usage(agents, Some(foreign.clone()), two).await;
        assert!(matches!(refused, Err(StoreError::BadCursor)), "{foreign:?}");
    }
    let day = hand.store.usage(UsageQuery::default(), Some("uday-6d".into()), two).await;
    assert!(matches!(day, Err(StoreError::BadCursor)), "no day");
}

/// What a server that lies about its counts leaves behind can still be read.
pub async fn absurd_counts_do_not_spoil_the_sum(store: Arc<dyn Store>) {
    let hand = Hand::on(store).await;
    for number in 1..=3 {
        hand.ask(number, true).await;
        let TurnEnd::Finished(end) = finished("so it is") else { unreachable!("it is finished") };
        let usage = Usage::new(u64::MAX, 1);
        hand.events_of(hand.end(number, TurnEnd::Finished(FinishedTurn { usage, ..end }), None)).await;
    }
    let day = &sums(&*hand.store, UsageQuery::default()).await[0];
    assert_eq!((day.turns, day.output_tokens), (3, 3));
    assert!(day.input_tokens > u64::MAX / 2, "{}", day.input_tokens);
}
