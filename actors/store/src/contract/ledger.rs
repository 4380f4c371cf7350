//! What was spent, summed up.

use std::sync::Arc;

use mosaic_types::Timestamp;
use mosaic_types::event::{Part, StepKind};
use mosaic_types::journal::{EndTurn, Outcome, PartTurn, RestartTurn, StepTurn, TurnEnd, Write};
use mosaic_types::ledger::{Beside, Known, UsageBy, UsageQuery, UsageSum};
use mosaic_types::page::Limit;
use mosaic_types::{EventBody, FinishedTurn, Seq, Spent, Usage, UserId};
use uuid::Uuid;

use super::hand::{Hand, failed, finished, own, said, turn};
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
        calls: 1,
        beside: Vec::new(),
        own: own(&TurnEnd::Finished(end.clone())),
        end: TurnEnd::Finished(end),
        step: 1,
        saw: Seq::MAX,
        steps: Vec::new(),
        delivers: false,
        cuts_tools: false,
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
    UsageSum { key: key.into(), turns, calls: turns, input_tokens, output_tokens, cost_usd, unpriced_turns }
}

pub async fn what_was_spent_is_summed_by_day_agent_model_and_session(store: Arc<dyn Store>) {
    let hand = Hand::on(store).await;
    let all = UsageQuery::default();
    assert!(sums(&*hand.store, all.clone()).await.is_empty());
    spend(&hand, 1, Timestamp(5), "assistant", "m-1", Some(0.5)).await;
    spend(&hand, 2, Timestamp(DAY - 1), "assistant", "m-2", None).await;
    spend(&hand, 3, Timestamp(DAY), "poet", "m-1", Some(0.25)).await;
    // What ended without an answer has no place in the ledger.
    hand.ask(4, true).await;
    hand.events_of(hand.end(4, failed(), None)).await;

    assert_eq!(
        sums(&*hand.store, all.clone()).await,
        [sum("1970-01-02", 1, Some(0.25), 0), sum("1970-01-01", 2, Some(0.5), 1)],
        "the newest day first; what has no price is counted and not guessed"
    );
    let by = |by| UsageQuery { by, ..all.clone() };
    let agents = [sum("assistant", 2, Some(0.5), 1), sum("poet", 1, Some(0.25), 0)];
    assert_eq!(sums(&*hand.store, by(UsageBy::Agent)).await, agents);
    assert_eq!(
        sums(&*hand.store, by(UsageBy::Model)).await,
        [sum("p/m-1", 2, Some(0.75), 0), sum("p/m-2", 1, None, 1)]
    );
    assert_eq!(sums(&*hand.store, by(UsageBy::Session)).await, [sum("s1", 3, Some(0.75), 1)]);

    let between = UsageQuery { since: Some(Timestamp(DAY - 1)), until: Some(Timestamp(DAY)), ..all.clone() };
    assert_eq!(sums(&*hand.store, between).await, [sum("1970-01-01", 1, None, 1)], "from the first, before the last");
    let theirs = UsageQuery { user: Some(hand.user), by: UsageBy::Session, ..all.clone() };
    assert_eq!(sums(&*hand.store, theirs).await.len(), 1);
    let agent: mosaic_types::AgentName = "poet".parse().expect("valid");
    let poets = UsageQuery { agent: Some(agent), session: Some(hand.session.clone()), ..all.clone() };
    assert_eq!(sums(&*hand.store, poets).await, [sum("1970-01-02", 1, Some(0.25), 0)]);
    let elsewhere = UsageQuery { session: Some("s2".parse().expect("valid")), ..all.clone() };
    assert!(sums(&*hand.store, elsewhere).await.is_empty());
    let nobodys = UsageQuery { user: Some(UserId(Uuid::from_bytes([8; 16]))), ..all.clone() };
    assert!(sums(&*hand.store, nobodys).await.is_empty());

    hand.events_of(Write::Delete { session: hand.session.clone() }).await;
    assert_eq!(sums(&*hand.store, by(UsageBy::Agent)).await, agents, "what was spent stays spent");
}

/// An entry of `hand`'s user.
fn beside(hand: &Hand, id: u8, of: Option<u8>, model: &str, calls: u64, cost_usd: Option<f64>) -> Beside {
    let usage = Usage::new(3 * calls, 5 * calls);
    Beside {
        id: Uuid::from_bytes([id; 16]),
        user: hand.user,
        agent: hand.agent.clone(),
        of: of.map(|number| (hand.session.clone(), turn(number))),
        model: model.parse().expect("a valid model"),
        calls,
        spent: Spent { usage, cost_usd },
        known: if of.is_none() { Known::Reckoned } else { Known::Said },
        at: Timestamp(7),
    }
}

pub async fn what_was_spent_beside_an_answer_is_in_the_sums_once_and_is_no_turn(store: Arc<dyn Store>) {
    let hand = Hand::on(store).await;
    spend(&hand, 1, Timestamp(5), "assistant", "m", Some(0.5)).await;
    hand.ask(2, true).await;
    let lost = beside(&hand, 101, Some(2), "q/slow", 1, Some(0.25));
    let free = beside(&hand, 102, None, "p/m", 4, None);
    for _ in 0..2 {
        hand.events_of(Write::Spend(vec![lost.clone(), free.clone()])).await;
    }
    hand.events_of(hand.end(2, TurnEnd::cancelled(), None)).await;
    let day = sum("1970-01-01", 2, Some(0.75), 0);
    let [told] = &sums(&*hand.store, UsageQuery::default()).await[..] else { panic!("one day") };
    assert_eq!(*told, UsageSum { turns: 1, calls: 6, input_tokens: 18, output_tokens: 30, ..day });
    let sessions = sums(&*hand.store, UsageQuery { by: UsageBy::Session, ..UsageQuery::default() }).await;
    let keys: Vec<_> = sessions.iter().map(|sum| (sum.key.as_str(), sum.turns, sum.calls)).collect();
    assert_eq!(keys, [("", 0, 4), ("s1", 1, 2)]);
    let models = sums(&*hand.store, UsageQuery { by: UsageBy::Model, ..UsageQuery::default() }).await;
    let keys: Vec<_> = models.iter().map(|sum| (sum.key.as_str(), sum.calls, sum.cost_usd)).collect();
    assert_eq!(keys, [("p/m", 5, Some(0.5)), ("q/slow", 1, Some(0.25))]);
}

pub async fn an_estimate_gives_way_to_what_is_known_and_nothing_else_does(store: Arc<dyn Store>) {
    let hand = Hand::on(store).await;
    hand.ask(1, true).await;
    let entry = |id, known, cost| Beside { known, ..beside(&hand, id, Some(1), "q/m", 1, Some(cost)) };
    let void = |id, known| Beside { calls: 0, spent: Spent::default(), known, ..entry(id, known, 0.0) };
    let spend = async |entries: Vec<Beside>| drop(hand.events_of(Write::Spend(entries)).await);
    let told = async || {
        let ask = UsageQuery { by: UsageBy::Model, ..UsageQuery::default() };
        let sums = sums(&*hand.store, ask).await;
        sums.first().map(|sum| (sum.calls, sum.cost_usd))
    };
    // Cut off: what may have been spent stands, and nothing is entered twice.
    let lost = vec![entry(101, Known::Foreseen, 1.0), entry(102, Known::Foreseen, 1.0)];
    let (session, turn) = (hand.session.clone(), turn(1));
    let restart = RestartTurn {
        session,
        epoch: 1,
        turn,
        attempt: 2,
        charged: 0,
        lost,
        agent: hand.agent.clone(),
        unknown: Vec::new(),
        at: Timestamp(3),
    };
    hand.events_of(Write::Restart(restart.clone())).await;
    assert_eq!(told().await, Some((2, Some(2.0))));
    hand.events_of(Write::Restart(RestartTurn { attempt: 3, ..restart })).await;
    assert_eq!(told().await, Some((2, Some(2.0))));
    let open = hand.store.snapshot(&hand.session, 0).await.expect("reads").expect("is there").open.remove(0);
    assert_eq!(open.beside.cost_usd, Some(2.0), "the turn knows of it");
    // What is reckoned counts for more than what was foreseen, whichever came first; what was said counts for most.
    spend(vec![entry(101, Known::Reckoned, 0.5)]).await;
    spend(vec![entry(101, Known::Foreseen, 1.0)]).await;
    assert_eq!(told().await, Some((2, Some(1.5))));
    spend(vec![entry(101, Known::Said, 0.25), void(102, Known::Said)]).await;
    spend(vec![entry(101, Known::Reckoned, 0.5), void(101, Known::Said)]).await;
    assert_eq!(told().await, Some((1, Some(0.25))), "it was not made, and the other one is known");
    // The place of a call that was not made is kept until its turn ends, and shows nowhere.
    spend(vec![void(103, Known::Foreseen), entry(104, Known::Foreseen, 1.0)]).await;
    spend(vec![entry(103, Known::Foreseen, 1.0)]).await;
    assert_eq!(told().await, Some((2, Some(1.25))));
    let Write::End(mut end) = hand.end(1, failed(), None) else { unreachable!("it is an end") };
    end.beside = vec![void(103, Known::Said), void(104, Known::Said), entry(105, Known::Said, 0.125)];
    hand.events_of(Write::End(end)).await;
    assert_eq!(told().await, Some((2, Some(0.375))));
}

pub async fn a_part_is_stored_with_its_price_and_known_until_its_step_ends(store: Arc<dyn Store>) {
    let hand = Hand::on(store).await;
    hand.ask(1, true).await;
    let part = Part {
        number: 1,
        ms: 12,
        usage: Usage::new(3, 5),
        cost_usd: Some(0.25),
        estimated: false,
        text: Some("I think so".into()),
        code: None,
        saw: 1,
    };
    let name = "q/m-1".to_owned();
    let event =
        EventBody::StepFinished { kind: StepKind::Model, name, ok: true, part: Some(Box::new(part)), tool: None };
    let write = |epoch, id| {
        let (session, event, at) = (hand.session.clone(), event.clone(), Timestamp(9));
        let beside = beside(&hand, id, Some(1), "q/m-1", 1, Some(0.25));
        Write::Part(Box::new(PartTurn { session, epoch, turn: turn(1), event, beside, at }))
    };
    assert_eq!(hand.write(write(0, 101)).await, Outcome::Stale, "an old epoch");
    let events = hand.events_of(write(1, 101)).await;
    assert_eq!((&events[0].body, events[0].turn, events[0].seq), (&event, Some(turn(1)), Some(3)));
    let open = async || hand.store.snapshot(&hand.session, 0).await.expect("reads").expect("is there").open.remove(0);
    let known = open().await;
    assert_eq!(
        (known.parts, known.beside.cost_usd, known.spent.cost_usd),
        (vec![event.clone()], Some(0.25), Some(0.0))
    );

    let step = StepTurn { parts: vec![event.clone()], ..hand.step(1, 1, 1, said("half")) };
    let events = hand.events_of(Write::Step(Box::new(step))).await;
    assert_eq!(events.iter().filter_map(|event| event.seq).collect::<Vec<_>>(), [4, 5]);
    assert_eq!(events[0].body, event);
    let known = open().await;
    assert!(known.parts.is_empty(), "they belong to the step that is over");
    assert_eq!(known.beside.usage, Usage::new(3, 5), "what they cost stays");
    hand.events_of(hand.end(1, failed(), None)).await;
    assert_eq!(hand.write(write(1, 102)).await, Outcome::Stale, "it has ended");
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
        let whole = sums(&*hand.store, ask.clone()).await;
        assert_eq!(whole.len(), 7);
        let (mut seen, mut cursor) = (Vec::new(), None);
        loop {
            let page = hand.store.usage(ask.clone(), cursor, two).await.expect("reads");
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
        let refused = hand.store.usage(agents.clone(), Some(foreign.clone()), two).await;
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
