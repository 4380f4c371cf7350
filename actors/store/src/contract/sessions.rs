//! Sessions, people, and what a session needs to live again.

use std::sync::Arc;

use mosaic_types::journal::{
    ChangeSession, NewToken, NewUser, OpenTurn, Outcome, SessionPhase, TurnEnd, TurnState, Write,
};
use mosaic_types::page::Limit;
use mosaic_types::{EventBody, Timestamp, TokenId, UserId, UserRole};
use uuid::Uuid;

use super::hand::{Hand, failed, said, session, turn};
use crate::Store;

pub(super) async fn context(hand: &Hand, bytes: usize) -> Vec<String> {
    let snapshot = hand.store.snapshot(&hand.session, bytes).await.expect("reads").expect("is there");
    snapshot.context.iter().map(|message| format!("{}: {}", message.role.as_str(), message.text)).collect()
}

pub async fn a_snapshot_holds_what_is_open_and_what_was_said(store: Arc<dyn Store>) {
    let hand = Hand::on(store).await;
    let empty = hand.store.snapshot(&hand.session, 1_000).await.expect("reads").expect("is there");
    assert!(empty.open.is_empty() && empty.context.is_empty() && empty.last_input.is_none());
    assert_eq!(hand.store.snapshot(&session("nobody"), 1_000).await.expect("reads"), None);

    hand.ask(1, true).await;
    hand.ask(2, false).await;
    hand.ask(3, false).await;
    hand.ask(4, false).await;
    hand.answer(1, Some(2)).await;
    hand.events_of(hand.end(2, failed(), Some(3))).await;
    hand.events_of(hand.end(4, TurnEnd::cancelled(), None)).await;
    hand.answer(3, None).await;
    hand.ask(5, true).await;
    hand.ask(6, false).await;

    let snapshot = hand.store.snapshot(&hand.session, 1_000).await.expect("reads").expect("is there");
    assert_eq!((snapshot.row.id, snapshot.row.state), (hand.session.clone(), SessionPhase::Running));
    let text = |open: &OpenTurn| open.said.iter().map(|said| said.text.to_string()).collect::<String>();
    let open: Vec<_> = snapshot.open.iter().map(|open| (open.id, open.state, text(open))).collect();
    let expected =
        [(turn(5), TurnState::Running, "question 5".to_owned()), (turn(6), TurnState::Queued, "question 6".to_owned())];
    assert_eq!(open, expected);
    let models: Vec<_> = snapshot.open.iter().map(|open| open.model.as_ref().map(ToString::to_string)).collect();
    assert_eq!(models, [None, Some("openai/gpt-5-mini".to_owned())]);
    assert!(snapshot.open.iter().all(|open| (open.attempt, open.charged, &open.agent) == (1, 0, &hand.agent)));
    assert_eq!(snapshot.last_input, Some((turn(6), [6; 32])));
    // Each answer after its own question, though all questions were stored first; what has no answer is left out.
    let said = ["user: question 1", "assistant: answer 1", "user: question 3", "assistant: answer 3"];
    assert_eq!(context(&hand, 1_000).await, said);
}

pub async fn many_snapshots_at_once_are_those_of_each_session(store: Arc<dyn Store>) {
    let mut hand = Hand::on(store).await;
    let names = ["s1", "quiet", "busy", "nobody"].map(session);
    hand.ask(1, true).await;
    hand.answer(1, None).await;
    hand.ask(2, true).await;
    hand.make(&names[1], Timestamp(0)).await;
    hand.make(&names[2], Timestamp(0)).await;
    hand.session = names[2].clone();
    hand.ask(3, true).await;
    hand.ask(4, false).await;
    let (mut said, saw) = (said("half"), 1);
    said.cost_usd = Some(0.5);
    hand.events_of(Write::Step(Box::new(hand.step(3, 1, saw, said)))).await;
    let snapshots = hand.store.snapshots(names.to_vec(), 1_000).await.expect("reads");
    let open: Vec<_> = snapshots.iter().map(|found| found.as_ref().map(|snapshot| snapshot.open.len())).collect();
    assert_eq!(open, [Some(1), Some(0), Some(2), None]);
    for (name, snapshot) in names.iter().zip(&snapshots) {
        assert_eq!(hand.store.snapshot(name, 1_000).await.expect("reads"), *snapshot, "{name}");
    }
    let [Some(first), Some(quiet), Some(busy), None] = &snapshots[..] else { panic!("not as asked") };
    assert_eq!((first.context.len(), quiet.context.len(), busy.context.len()), (2, 0, 0));
    assert_eq!((first.last_input, quiet.last_input), (Some((turn(2), [2; 32])), None));
    let texts = |open: &OpenTurn| open.said.iter().map(|said| said.text.to_string()).collect::<Vec<_>>();
    assert_eq!(busy.open.iter().map(texts).collect::<Vec<_>>(), [vec!["question 3", "half"], vec!["question 4"]]);
    let spent: Vec<_> = busy.open.iter().map(|open| open.spent.cost_usd).collect();
    assert_eq!(spent, [Some(0.5), Some(0.0)]);
    assert_eq!(hand.store.snapshots(Vec::new(), 1_000).await.expect("reads"), Vec::new());
}

pub async fn context_is_cut_at_whole_turns(store: Arc<dyn Store>) {
    let hand = Hand::on(store).await;
    for number in 1..=3 {
        hand.ask(number, true).await;
        hand.answer(number, None).await;
    }
    let size = "question 1".len() + "answer 1".len();
    assert!(context(&hand, size - 1).await.is_empty());
    assert_eq!(context(&hand, size).await, ["user: question 3", "assistant: answer 3"]);
    assert_eq!(context(&hand, 2 * size + "answer 1".len()).await.len(), 4, "never a part of a turn");
    assert_eq!(context(&hand, 3 * size).await.len(), 6);
}

pub async fn a_long_context_is_read_whole_and_in_order(store: Arc<dyn Store>) {
    const TURNS: u8 = 100;
    let hand = Hand::on(store).await;
    // Each question waits while the one before it is answered.
    hand.ask(1, true).await;
    for number in 1..=TURNS {
        hand.ask(number + 1, false).await;
        hand.answer(number, Some(number + 1)).await;
    }
    let expected: Vec<String> = (1..=TURNS)
        .flat_map(|number| [format!("user: question {number}"), format!("assistant: answer {number}")])
        .collect();
    assert_eq!(context(&hand, 100_000).await, expected);
}

pub async fn sessions_with_open_turns_are_found(store: Arc<dyn Store>) {
    let hand = Hand::on(store).await;
    hand.make(&session("idle"), Timestamp(0)).await;
    assert!(hand.store.unfinished().await.expect("reads").is_empty());
    hand.ask(1, true).await;
    hand.ask(2, false).await;
    hand.answer(1, None).await;
    assert_eq!(hand.store.unfinished().await.expect("reads"), *std::slice::from_ref(&hand.session), "one waits");
    hand.events_of(hand.end(2, TurnEnd::cancelled(), None)).await;
    assert!(hand.store.unfinished().await.expect("reads").is_empty());
}

pub async fn a_session_is_made_changed_and_removed(store: Arc<dyn Store>) {
    let hand = Hand::on(store).await;
    let id = hand.session.clone();
    assert_eq!(hand.write(hand.new_session(&id, Timestamp(5))).await, Outcome::Exists);
    assert_eq!(hand.write(Write::Claim { session: session("nobody") }).await, Outcome::Missing);
    let mut first = hand.accept(1, true);
    first.title = Some("question".into());
    hand.events_of(Write::Accept(Box::new(first))).await;
    let row = hand.store.session(&id).await.expect("reads").expect("is there");
    assert_eq!(
        (row.title.as_str(), row.user, row.created_at, row.updated_at),
        ("question", hand.user, Timestamp(0), Timestamp(1))
    );

    let change = |epoch| {
        let (agent, title) = ("poet".parse().expect("valid"), "Verses".to_owned());
        let model = Some("lab/m-1".parse().expect("valid"));
        Write::Change(ChangeSession {
            session: id.clone(),
            epoch,
            user: hand.user,
            agent,
            title,
            archived: true,
            model,
            at: Timestamp(8),
        })
    };
    assert_eq!(hand.write(change(0)).await, Outcome::Stale);
    let events = hand.events_of(change(1)).await;
    assert!(matches!(&events[..], [only] if only.seq == Some(3) && only.turn.is_none()), "{events:?}");
    assert!(matches!(&events[0].body, EventBody::SessionChanged { title, .. } if title == "Verses"));
    let row = hand.store.session(&id).await.expect("reads").expect("is there");
    assert!(row.archived && row.model.is_some_and(|model| model.to_string() == "lab/m-1"));
    let mut second = hand.accept(2, false);
    second.title = Some("another".into());
    hand.events_of(Write::Accept(Box::new(second))).await;
    let row = hand.store.session(&id).await.expect("reads").expect("is there");
    assert_eq!((row.title.as_str(), row.agent.as_str()), ("Verses", "poet"), "a title is given once");
    assert!(!row.archived && row.model.is_some(), "what is talked in is not put away");

    hand.events_of(Write::Delete { session: id.clone() }).await;
    assert_eq!(hand.write(Write::Delete { session: id.clone() }).await, Outcome::Missing);
    assert_eq!(hand.store.session(&id).await.expect("reads"), None);
    assert_eq!(hand.write(hand.end(1, TurnEnd::cancelled(), None)).await, Outcome::Stale);
}

pub async fn a_removed_session_frees_its_keys(store: Arc<dyn Store>) {
    let hand = Hand::on(store).await;
    hand.ask(1, true).await;
    hand.answer(1, None).await;
    hand.events_of(Write::Delete { session: hand.session.clone() }).await;
    assert_eq!(hand.store.turn(turn(1)).await.expect("reads"), None);
    assert!(hand.store.messages(&hand.session, None, Limit::default()).await.expect("reads").items.is_empty());
    hand.make(&hand.session, Timestamp(9)).await;
    let mut accept = hand.accept(1, true);
    let theirs = Write::Accept(Box::new(accept.clone()));
    assert_eq!(hand.write(theirs).await, Outcome::Stale, "who held the one before does not hold this one");
    accept.epoch = 10;
    let Outcome::Written(events) = hand.write(Write::Accept(Box::new(accept))).await else {
        panic!("its new owner writes")
    };
    assert_eq!(events.first().and_then(|event| event.seq), Some(1), "the input is new, and so is the count");
}

pub async fn people_and_tokens_are_kept(store: Arc<dyn Store>) {
    assert_eq!(store.owner().await.expect("reads"), None);
    let hand = Hand::on(store).await;
    assert_eq!(hand.store.owner().await.expect("reads"), Some(hand.user));
    let person =
        |byte, role| NewUser { id: UserId(Uuid::from_bytes([byte; 16])), name: "bob".into(), role, at: Timestamp(2) };
    assert_eq!(hand.write(Write::CreateUser(person(1, UserRole::Viewer))).await, Outcome::Exists);
    hand.events_of(Write::CreateUser(person(0, UserRole::Owner))).await;
    assert_eq!(hand.store.owner().await.expect("reads"), Some(hand.user), "the first");

    let token = |byte, hash| NewToken {
        id: TokenId(Uuid::from_bytes([byte; 16])),
        user: hand.user,
        name: "laptop".into(),
        role: UserRole::Member,
        hash: [hash; 32],
        at: Timestamp(3),
        expires_at: (byte == 2).then_some(Timestamp(9)),
    };
    hand.events_of(Write::CreateToken(token(1, 1))).await;
    assert_eq!(hand.write(Write::CreateToken(token(1, 2))).await, Outcome::Exists, "the id is taken");
    assert_eq!(hand.write(Write::CreateToken(token(2, 1))).await, Outcome::Exists, "the hash is taken");
    hand.events_of(Write::CreateToken(token(2, 2))).await;
    let revoke = |byte| Write::RevokeToken { token: token(byte, 0).id, at: Timestamp(4) };
    hand.events_of(revoke(1)).await;
    assert_eq!(hand.write(revoke(1)).await, Outcome::Missing, "revoked before");
    assert_eq!(hand.write(revoke(3)).await, Outcome::Missing);
    let tokens = hand.store.tokens().await.expect("reads");
    let kept: Vec<_> = tokens.iter().map(|row| (row.hash[0], row.revoked, row.role, row.user_name.as_str())).collect();
    assert_eq!(kept, [(1, true, UserRole::Member, "ada"), (2, false, UserRole::Member, "ada")]);
    let ends: Vec<_> = tokens.iter().map(|row| row.expires_at).collect();
    assert_eq!(ends, [None, Some(Timestamp(9))]);
}

pub async fn a_store_says_that_it_can_be_written(store: Arc<dyn Store>) {
    store.writable().await.expect("can be written");
    store.writable().await.expect("and again");
}
