//! Inputs, turns and their ends.

use std::sync::Arc;

use mosaic_types::journal::{NewToken, Outcome, RestartTurn, SessionPhase, TurnEnd, TurnState, Write};
use mosaic_types::page::Limit;
use mosaic_types::{EventBody, SessionEvent, Timestamp, TokenId, UserId, UserRole, limits};
use uuid::Uuid;

use super::hand::{Hand, failed, finished, route, turn};
use crate::Store;

fn seqs(events: &[SessionEvent]) -> Vec<i64> {
    events.iter().map(|event| event.seq.expect("journaled events are numbered")).collect()
}

async fn phase(hand: &Hand) -> SessionPhase {
    hand.store.session(&hand.session).await.expect("reads").expect("is there").state
}

pub async fn an_input_is_stored_once(store: Arc<dyn Store>) {
    let hand = Hand::on(store).await;
    let accept = hand.accept(1, true);
    let again = Outcome::Duplicate { turn: turn(1), same_body: true };
    let both = vec![Write::Accept(Box::new(accept.clone())), Write::Accept(Box::new(accept.clone()))];
    assert_eq!(hand.store.known(&accept.inbox).await.expect("reads"), None);
    let outcomes = hand.commit(both).await;
    assert_eq!(hand.store.known(&accept.inbox).await.expect("reads"), Some((turn(1), accept.body_hash)));
    assert!(matches!(outcomes[0], Ok(Outcome::Written(_))), "{outcomes:?}");
    assert_eq!(outcomes[1].as_ref().expect("answered"), &again, "in the same batch");
    let mut stale = accept;
    (stale.epoch, stale.turn) = (0, turn(2));
    assert_eq!(hand.write(Write::Accept(Box::new(stale))).await, again, "whoever asks");
    assert_eq!(hand.store.events(&hand.session, 0, Limit::default()).await.expect("reads").len(), 2);
}

pub async fn a_repeat_with_another_body_is_a_conflict(store: Arc<dyn Store>) {
    let hand = Hand::on(store).await;
    hand.ask(1, true).await;
    let mut other = hand.accept(2, false);
    other.inbox = hand.accept(1, false).inbox;
    let outcome = hand.write(Write::Accept(Box::new(other))).await;
    assert_eq!(outcome, Outcome::Duplicate { turn: turn(1), same_body: false });
}

pub async fn a_key_is_forgotten_after_its_time(store: Arc<dyn Store>) {
    let hand = Hand::on(store).await;
    hand.ask(1, true).await;
    let mut late = hand.accept(2, false);
    late.inbox = hand.accept(1, false).inbox;
    late.at = Timestamp(1).plus(limits::IDEMPOTENCY);
    let last_moment = hand.write(Write::Accept(Box::new(late.clone()))).await;
    assert_eq!(last_moment, Outcome::Duplicate { turn: turn(1), same_body: false });
    late.at = Timestamp(late.at.0 + 1);
    assert_eq!(hand.events_of(Write::Accept(Box::new(late.clone()))).await.len(), 1);
    late.turn = turn(3);
    let again = hand.write(Write::Accept(Box::new(late))).await;
    assert_eq!(again, Outcome::Duplicate { turn: turn(2), same_body: true }, "the key names the new turn now");
}

pub async fn a_turn_is_told_in_order(store: Arc<dyn Store>) {
    let hand = Hand::on(store).await;
    let mut events = hand.ask(1, true).await;
    assert_eq!(phase(&hand).await, SessionPhase::Running);
    events.extend(hand.answer(1, None).await);
    assert_eq!(seqs(&events), [1, 2, 3, 4]);
    assert!(matches!(&events[0].body, EventBody::TurnAccepted { text, .. } if text == "question 1"));
    assert!(matches!(&events[1].body, EventBody::TurnStarted { .. }));
    assert!(matches!(&events[2].body, EventBody::StepFinished { .. }));
    assert!(matches!(&events[3].body, EventBody::TurnFinished(end) if end.text == "answer 1"));
    assert!(events.iter().all(|event| event.turn == Some(turn(1)) && event.session == hand.session));
    assert_eq!(hand.store.events(&hand.session, 0, Limit::default()).await.expect("reads"), events);
    assert_eq!(phase(&hand).await, SessionPhase::Idle);
    let row = hand.store.turn(turn(1)).await.expect("reads").expect("is there");
    assert_eq!((row.state, &row.session, row.end.as_ref()), (TurnState::Finished, &hand.session, events.last()));
}

pub async fn a_turn_ends_once(store: Arc<dyn Store>) {
    let hand = Hand::on(store).await;
    hand.ask(1, true).await;
    assert_eq!(hand.store.turn(turn(1)).await.expect("reads").expect("is there").end, None);
    let twice = hand.commit(vec![hand.end(1, finished("yes"), None), hand.end(1, TurnEnd::cancelled(), None)]).await;
    assert!(matches!(twice[0], Ok(Outcome::Written(_))), "{twice:?}");
    assert_eq!(twice[1].as_ref().expect("answered"), &Outcome::Stale);
    assert_eq!(hand.write(hand.end(7, finished("never asked"), None)).await, Outcome::Stale);
    let events = hand.store.events(&hand.session, 0, Limit::default()).await.expect("reads");
    assert_eq!(events.iter().filter(|event| event.body.is_end()).count(), 1);
    assert_eq!(hand.store.turn(turn(7)).await.expect("reads"), None);
}

pub async fn an_end_starts_the_next_turn(store: Arc<dyn Store>) {
    let hand = Hand::on(store).await;
    hand.ask(1, true).await;
    assert_eq!(hand.ask(2, false).await.len(), 1);
    assert_eq!(hand.ask(3, false).await.len(), 1);
    let events = hand.answer(1, Some(2)).await;
    assert!(matches!(events.last().map(|event| &event.body), Some(EventBody::TurnStarted { .. })), "{events:?}");
    assert_eq!(events.last().and_then(|event| event.turn), Some(turn(2)));
    assert_eq!(seqs(&events), [5, 6, 7]);
    assert_eq!(phase(&hand).await, SessionPhase::Running);
    let nobody = hand.write(hand.end(2, failed(), Some(9))).await;
    assert_eq!(nobody, Outcome::Stale, "the next one does not wait, so nothing is changed");
    assert_eq!(seqs(&hand.events_of(hand.end(2, failed(), None)).await), [8, 9]);
    assert_eq!(phase(&hand).await, SessionPhase::Queued, "the third waits still");
}

pub async fn a_waiting_turn_can_be_cancelled(store: Arc<dyn Store>) {
    let hand = Hand::on(store).await;
    hand.ask(1, true).await;
    hand.ask(2, false).await;
    hand.events_of(hand.end(2, TurnEnd::cancelled(), None)).await;
    assert_eq!(phase(&hand).await, SessionPhase::Running, "the first goes on");
    assert_eq!(hand.store.turn(turn(2)).await.expect("reads").expect("is there").state, TurnState::Cancelled);
    hand.answer(1, None).await;
    assert_eq!(phase(&hand).await, SessionPhase::Idle);
}

pub async fn a_waiting_turn_is_started_where_nothing_runs(store: Arc<dyn Store>) {
    let hand = Hand::on(store).await;
    hand.ask(1, false).await;
    hand.ask(2, false).await;
    assert_eq!(phase(&hand).await, SessionPhase::Queued);
    let start = |number, epoch| Write::Start {
        session: hand.session.clone(),
        epoch,
        next: hand.begin(number),
        at: Timestamp(9),
    };
    assert_eq!(hand.write(start(1, 0)).await, Outcome::Stale, "an old epoch");
    assert_eq!(hand.write(start(3, 1)).await, Outcome::Stale, "nobody");
    let events = hand.events_of(start(1, 1)).await;
    assert!(matches!(&events[..], [only] if matches!(only.body, EventBody::TurnStarted { .. })), "{events:?}");
    assert_eq!(phase(&hand).await, SessionPhase::Running);
    assert_eq!(hand.write(start(1, 1)).await, Outcome::Stale, "it runs");
    assert_eq!(hand.write(start(2, 1)).await, Outcome::Stale, "another runs");
}

pub async fn what_a_rule_decided_for_a_turn_is_known_for_all_its_attempts(store: Arc<dyn Store>) {
    let hand = Hand::on(store).await;
    let open = async || {
        let snapshot = hand.store.snapshot(&hand.session, 0).await.expect("reads").expect("is there");
        snapshot.open.into_iter().map(|open| open.route).collect::<Vec<_>>()
    };
    let begun = hand.ask(1, true).await;
    hand.ask(2, false).await;
    assert!(matches!(&begun[1].body, EventBody::TurnStarted { route: Some(told), .. } if *told == route(1)));
    assert_eq!(open().await, [Some(route(1)), None], "of a turn that waits nothing is decided");
    let again = RestartTurn {
        session: hand.session.clone(),
        epoch: 1,
        turn: turn(1),
        attempt: 2,
        charged: 0,
        lost: Vec::new(),
        agent: hand.agent.clone(),
        unknown: Vec::new(),
        at: Timestamp(3),
    };
    hand.events_of(Write::Restart(again)).await;
    assert_eq!(open().await, [Some(route(1)), None]);
    let events = hand.answer(1, Some(2)).await;
    let started = events.last().map(|event| event.body.clone());
    assert!(matches!(started, Some(EventBody::TurnStarted { route: Some(told), .. }) if told == route(2)));
    assert_eq!(open().await, [Some(route(2))]);
}

pub async fn a_restarted_turn_keeps_its_count(store: Arc<dyn Store>) {
    let hand = Hand::on(store).await;
    hand.ask(1, true).await;
    let restart = |number, epoch| {
        let (session, turn) = (hand.session.clone(), turn(number));
        Write::Restart(RestartTurn {
            session,
            epoch,
            turn,
            attempt: 2,
            charged: 1,
            lost: Vec::new(),
            agent: hand.agent.clone(),
            unknown: Vec::new(),
            at: Timestamp(3),
        })
    };
    let events = hand.events_of(restart(1, 1)).await;
    assert!(matches!(events[0].body, EventBody::TurnRestarted { attempt: 2 }));
    let open = hand.store.snapshot(&hand.session, 0).await.expect("reads").expect("is there").open;
    assert_eq!((open[0].state, open[0].attempt, open[0].charged), (TurnState::Running, 2, 1));
    assert_eq!(hand.write(restart(1, 0)).await, Outcome::Stale, "an old epoch");
    hand.answer(1, None).await;
    assert_eq!(hand.write(restart(1, 1)).await, Outcome::Stale, "it has ended");
}

pub async fn an_old_epoch_changes_nothing(store: Arc<dyn Store>) {
    let hand = Hand::on(store).await;
    hand.ask(1, true).await;
    let before = hand.store.events(&hand.session, 0, Limit::default()).await.expect("reads");
    assert_eq!(hand.write(Write::Claim { session: hand.session.clone() }).await, Outcome::Claimed(2));
    assert_eq!(hand.write(hand.end(1, finished("late"), None)).await, Outcome::Stale);
    assert_eq!(hand.write(Write::Accept(Box::new(hand.accept(2, false)))).await, Outcome::Stale);
    assert_eq!(hand.store.events(&hand.session, 0, Limit::default()).await.expect("reads"), before);
    assert_eq!(hand.store.turn(turn(2)).await.expect("reads"), None);
    let events = hand.events_of(hand.end_at(2, 1, finished("in time"), None)).await;
    assert_eq!(seqs(&events), [3, 4], "refused writes use up no numbers");
}

pub async fn a_bad_write_costs_only_itself(store: Arc<dyn Store>) {
    let hand = Hand::on(store).await;
    let nobody = UserId(Uuid::from_bytes([9; 16]));
    let token = NewToken {
        id: TokenId(nobody.0),
        user: nobody,
        name: "of nobody".into(),
        role: UserRole::Member,
        hash: [1; 32],
        at: Timestamp(1),
        expires_at: None,
    };
    let known_turn = hand.accept(1, false);
    let mut clash = hand.accept(2, false);
    clash.turn = known_turn.turn;
    let outcomes = hand
        .commit(vec![
            Write::Accept(Box::new(known_turn)),
            Write::CreateToken(token),
            Write::Accept(Box::new(clash)),
            Write::Accept(Box::new(hand.accept(3, false))),
        ])
        .await;
    let done: Vec<bool> = outcomes.iter().map(|outcome| matches!(outcome, Ok(Outcome::Written(_)))).collect();
    assert_eq!(done, [true, false, false, true], "{outcomes:?}");
    assert!(outcomes[1].is_err() && outcomes[2].is_err(), "{outcomes:?}");
    let events = hand.store.events(&hand.session, 0, Limit::default()).await.expect("reads");
    assert_eq!(seqs(&events), [1, 2], "a bad write leaves no gap");
}

pub async fn a_dropped_commit_is_carried_out(store: Arc<dyn Store>) {
    let hand = Hand::on(store).await;
    drop(hand.store.commit(vec![Write::Accept(Box::new(hand.accept(1, true)))]));
    // Whichever of the two comes first, it is stored once, and the second commit finds no open transaction.
    let outcome = hand.write(Write::Accept(Box::new(hand.accept(1, true)))).await;
    let events = hand.store.events(&hand.session, 0, Limit::default()).await.expect("reads");
    assert_eq!(seqs(&events), [1, 2], "{outcome:?}");
}
