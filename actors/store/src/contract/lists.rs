//! Lists and their pages.

use std::collections::HashSet;
use std::sync::Arc;

use mosaic_types::UserId;
use mosaic_types::journal::{ChangeSession, SessionQuery, Write};
use mosaic_types::page::Limit;
use mosaic_types::{Role, Timestamp};
use uuid::Uuid;

use super::hand::{Hand, finished, session, turn};
use crate::{Store, StoreError};

fn rows(rows: u32) -> Limit {
    Limit::new(Some(rows)).expect("within bounds")
}

pub async fn sessions_come_newest_change_first(store: Arc<dyn Store>) {
    let hand = Hand::on(store).await;
    hand.make(&session("s3"), Timestamp(0)).await;
    hand.make(&session("s2"), Timestamp(0)).await;
    let order = async |user| {
        let page = hand
            .store
            .sessions(SessionQuery { user, ..SessionQuery::default() }, None, Limit::default())
            .await
            .expect("reads");
        assert_eq!(page.next, None);
        page.items.iter().map(|row| row.id.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(order(None).await, ["s3", "s2", "s1"], "ties by id");
    hand.ask(1, true).await;
    assert_eq!(order(None).await, ["s1", "s3", "s2"]);
    assert_eq!(order(Some(hand.user)).await, ["s1", "s3", "s2"]);
    assert!(order(Some(UserId(Uuid::from_bytes([8; 16])))).await.is_empty(), "only theirs");
}

pub async fn pages_of_sessions_are_complete_while_others_are_made(store: Arc<dyn Store>) {
    let hand = Hand::on(store).await;
    let mut expected = HashSet::from(["s1".to_owned()]);
    for number in 0..20 {
        // Moments repeat, so pages end within ties.
        hand.make(&session(&format!("old-{number}")), Timestamp(number / 7)).await;
        expected.insert(format!("old-{number}"));
    }
    let (mut seen, mut cursor, mut made) = (Vec::new(), None, 0);
    loop {
        let page = hand
            .store
            .sessions(SessionQuery { user: Some(hand.user), ..SessionQuery::default() }, cursor, rows(3))
            .await
            .expect("reads");
        assert!(page.items.len() == 3 || page.next.is_none(), "a page is full unless it is the last");
        seen.extend(page.items.iter().map(|row| row.id.to_string()));
        made += 1;
        hand.make(&session(&format!("new-{made}")), Timestamp(100 + made)).await;
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(seen.iter().collect::<HashSet<_>>().len(), seen.len(), "no repeats");
    assert_eq!(seen.into_iter().collect::<HashSet<_>>(), expected, "complete");
}

pub async fn pages_of_messages_are_complete_while_others_are_written(store: Arc<dyn Store>) {
    let hand = Hand::on(store).await;
    hand.ask(1, true).await;
    hand.ask(2, false).await;
    let (mut seen, mut cursor) = (Vec::new(), None);
    for number in 1..=6 {
        let page = hand.store.messages(&hand.session, cursor.clone(), rows(2)).await.expect("reads");
        // What the last page did not name is read on from where it ended.
        cursor = page.next.or(cursor);
        seen.extend(page.items);
        hand.answer(number, Some(number + 1)).await;
        hand.ask(number + 2, false).await;
    }
    while let Some(from) = cursor {
        let page = hand.store.messages(&hand.session, Some(from), rows(2)).await.expect("reads");
        (cursor, _) = (page.next, seen.extend(page.items));
    }
    let unique: Vec<_> =
        seen.iter().map(|row| row.seq).collect::<std::collections::BTreeSet<_>>().into_iter().collect();
    let all = hand.store.messages(&hand.session, None, rows(200)).await.expect("reads").items;
    assert_eq!(unique, all.iter().map(|row| row.seq).collect::<Vec<_>>(), "complete and oldest first");
    assert_eq!(all.iter().filter(|row| row.role == Role::User).count(), 8);
    let first = &all[0];
    assert_eq!((first.id.as_str(), first.turn, first.text.as_str()), ("s1.1", turn(1), "question 1"));
    let answer = all.iter().find(|row| row.role == Role::Assistant).expect("answered");
    assert_eq!((answer.agent.as_ref(), answer.text.as_str()), (Some(&hand.agent), "answer 1"));
}

pub async fn the_newest_messages_are_read_from_behind(store: Arc<dyn Store>) {
    let hand = Hand::on(store).await;
    let latest = async |session, count| hand.store.latest(session, i64::MAX, rows(count)).await.expect("reads");
    assert_eq!(latest(&hand.session, 5).await, []);
    hand.ask(1, true).await;
    hand.ask(2, false).await;
    hand.answer(1, Some(2)).await;
    let all = hand.store.messages(&hand.session, None, rows(200)).await.expect("reads").items;
    assert_eq!(all.len(), 3);
    assert_eq!(latest(&hand.session, 200).await, all);
    assert_eq!(latest(&hand.session, 2).await, all[1..]);
    assert_eq!(latest(&session("other"), 2).await, []);
    let before = async |seq, count| hand.store.latest(&hand.session, seq, rows(count)).await.expect("reads");
    assert_eq!(before(all[2].seq, 1).await, all[1..2]);
    assert_eq!(before(all[2].seq, 5).await, all[..2]);
    assert_eq!(before(all[0].seq, 5).await, []);
}

pub async fn a_foreign_cursor_is_refused(store: Arc<dyn Store>) {
    let hand = Hand::on(store).await;
    hand.make(&session("s2"), Timestamp(0)).await;
    let of_sessions =
        hand.store.sessions(SessionQuery::default(), None, rows(1)).await.expect("reads").next.expect("there is more");
    for foreign in ["", "12", "../..", "sffffffffffffffff"] {
        let lists = hand.store.sessions(SessionQuery::default(), Some(foreign.into()), Limit::default()).await;
        assert!(matches!(lists, Err(StoreError::BadCursor)), "{foreign:?}");
    }
    let messages = hand.store.messages(&hand.session, Some(of_sessions), Limit::default()).await;
    assert!(matches!(messages, Err(StoreError::BadCursor)));
}

pub async fn a_cursor_at_the_end_of_time_is_only_a_position(store: Arc<dyn Store>) {
    let hand = Hand::on(store).await;
    for (moment, there) in [(i64::MAX, true), (i64::MIN, false), (0, false)] {
        // As a list would have given it out for a session of that moment.
        let cursor = format!("s{:016x}{}", moment.cast_unsigned(), "s");
        let page = hand.store.sessions(SessionQuery::default(), Some(cursor), Limit::default()).await.expect("reads");
        assert_eq!(!page.items.is_empty(), there, "{moment}");
    }
}

pub async fn what_holds_a_nul_is_stored_as_it_is_told(store: Arc<dyn Store>) {
    let hand = Hand::on(store).await;
    let mut accept = hand.accept(1, true);
    accept.text = "ques\0tion".into();
    let mut told = hand.events_of(Write::Accept(Box::new(accept))).await;
    told.extend(hand.events_of(hand.end(1, finished("ans\0wer"), None)).await);
    assert_eq!(hand.store.events(&hand.session, 0, Limit::default()).await.expect("reads"), told);
    let messages = hand.store.messages(&hand.session, None, Limit::default()).await.expect("reads").items;
    let texts: Vec<_> = messages.iter().map(|message| message.text.replace('\u{fffd}', "\0")).collect();
    assert_eq!(texts, ["ques\0tion", "ans\0wer"], "at most the character that cannot be held is another one");
}

pub async fn events_are_read_after_a_position(store: Arc<dyn Store>) {
    let hand = Hand::on(store).await;
    let mut all = hand.ask(1, true).await;
    all.extend(hand.answer(1, None).await);
    for after in 0..=4 {
        let read = hand.store.events(&hand.session, after, Limit::default()).await.expect("reads");
        assert_eq!(read, all[usize::try_from(after).expect("small")..]);
    }
    assert_eq!(hand.store.events(&hand.session, 1, rows(2)).await.expect("reads"), all[1..3]);
    assert!(hand.store.events(&session("nobody"), 0, rows(2)).await.expect("reads").is_empty());
    let gone = Write::Delete { session: hand.session.clone() };
    hand.events_of(gone).await;
    assert!(hand.store.events(&hand.session, 0, rows(2)).await.expect("reads").is_empty());
}

pub async fn sessions_that_are_put_away_are_listed_apart(store: Arc<dyn Store>) {
    let hand = Hand::on(store).await;
    for number in 0..9 {
        let id = session(&format!("x{number}"));
        hand.make(&id, Timestamp(number)).await;
        let change = ChangeSession {
            session: id,
            epoch: number + 1,
            user: hand.user,
            agent: hand.agent.clone(),
            title: String::new(),
            archived: number % 2 == 1,
            model: None,
            at: Timestamp(100 + number),
        };
        hand.events_of(Write::Change(change)).await;
    }
    let list = async |archived| {
        let ask = SessionQuery { user: Some(hand.user), archived, ..SessionQuery::default() };
        let (mut ids, mut cursor) = (Vec::new(), None);
        loop {
            let page = hand.store.sessions(ask.clone(), cursor, rows(2)).await.expect("reads");
            ids.extend(page.items.iter().map(|row| row.id.to_string()));
            cursor = page.next;
            if cursor.is_none() {
                return ids.join(" ");
            }
        }
    };
    assert_eq!(list(Some(false)).await, "x8 x6 x4 x2 x0 s1");
    assert_eq!(list(Some(true)).await, "x7 x5 x3 x1");
    assert_eq!(list(None).await, "x8 x7 x6 x5 x4 x3 x2 x1 x0 s1", "both, in one order");
}

pub async fn a_search_finds_titles_and_the_newest_messages(store: Arc<dyn Store>) {
    let hand = Hand::on(store).await;
    for (name, title) in [("s2", "100% Rye_bread"), ("s3", "100 Rye bread"), ("s4", "a\\b")] {
        let Write::CreateSession(mut new) = hand.new_session(&session(name), Timestamp(5)) else {
            panic!("it makes a session")
        };
        new.title = title.to_owned();
        hand.events_of(Write::CreateSession(new)).await;
    }
    hand.ask(1, true).await;
    hand.answer(1, None).await;
    let found = async |text: &str| {
        let ask = SessionQuery {
            user: Some(hand.user),
            archived: Some(false),
            text: Some(text.to_owned()),
            ..SessionQuery::default()
        };
        let page = hand.store.sessions(ask, None, Limit::default()).await.expect("reads");
        page.items.iter().map(|row| row.id.to_string()).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(found("rYE").await, "s3 s2", "whatever the case");
    assert_eq!((found("0%").await.as_str(), found("e_b").await.as_str()), ("s2", "s2"), "what stands for itself");
    assert_eq!(found("a\\b").await, "s4");
    assert_eq!((found("QUESTION 1").await.as_str(), found("answer 1").await.as_str()), ("s1", "s1"), "what was said");
    assert_eq!((found("nothing").await.as_str(), found("\0").await.as_str()), ("", ""));
    for number in 2..=12 {
        hand.ask(number, true).await;
        hand.answer(number, None).await;
    }
    assert_eq!(found("question 12").await, "s1");
    assert_eq!(found("question 2").await, "", "only the newest messages are looked into");
    let user = Some(UserId(Uuid::from_bytes([8; 16])));
    let theirs = SessionQuery { user, text: Some("Rye".into()), ..SessionQuery::default() };
    assert!(hand.store.sessions(theirs, None, Limit::default()).await.expect("reads").items.is_empty());
}
