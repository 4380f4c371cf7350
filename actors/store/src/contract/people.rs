//! People: who there is, what goes with one who leaves, and by whom it was decided.

use std::sync::Arc;

use mosaic_types::journal::{Deed, NewSession, NewToken, NewUser, Outcome, SessionQuery, Write};
use mosaic_types::page::Limit;
use mosaic_types::pairing::LinkSender;
use mosaic_types::signin::{Browser, NewLink};
use mosaic_types::{Timestamp, TokenId, UserId, UserRole};
use uuid::Uuid;

use super::hand::session;
use super::{Hand, pairing};
use crate::Store;

fn user(number: u8) -> UserId {
    UserId(Uuid::from_bytes([number; 16]))
}

fn person(number: u8, name: &str, role: UserRole) -> Write {
    let at = Timestamp(i64::from(number));
    Write::CreateUser(NewUser { id: user(number), name: name.to_owned(), role, at })
}

fn link(sender: &str, user: UserId, hash: u8) -> Write {
    let (channel, account, sender) = ("family".into(), "bot".into(), sender.into());
    Write::LinkSender(LinkSender { channel, account, sender, user, hash: [hash; 32], at: Timestamp(5) })
}

fn of_channel(hand: &Hand, id: &str, user: UserId, channel: &str, at: i64) -> Write {
    Write::CreateSession(NewSession {
        id: session(id),
        user,
        channel: channel.into(),
        agent: hand.agent.clone(),
        title: format!("about {id}"),
        at: Timestamp(at),
    })
}

async fn names(hand: &Hand) -> Vec<(String, UserRole)> {
    let users = hand.store.users().await.expect("reads");
    users.into_iter().map(|user| (user.name, user.role)).collect()
}

pub async fn a_name_is_one_persons_whatever_the_case_of_its_letters(store: Arc<dyn Store>) {
    let hand = Hand::on(store).await;
    hand.events_of(person(2, "bob", UserRole::Member)).await;
    assert_eq!(hand.write(person(3, "Bob", UserRole::Viewer)).await, Outcome::Exists);
    let there = [("ada".to_owned(), UserRole::Owner), ("bob".to_owned(), UserRole::Member)];
    assert_eq!(names(&hand).await, there);
}

pub async fn a_removed_person_leaves_their_sessions_to_the_heir_and_nothing_that_lets_them_in(store: Arc<dyn Store>) {
    let hand = Hand::on(store).await;
    let (bob, at, later) = (user(2), Timestamp(3), Timestamp(1_000));
    hand.events_of(person(2, "bob", UserRole::Member)).await;
    hand.events_of(of_channel(&hand, "his", bob, "api", 4)).await;
    let id = TokenId(Uuid::from_bytes([7; 16]));
    let (role, name, expires_at) = (UserRole::Member, "phone".to_owned(), None);
    hand.events_of(Write::CreateToken(NewToken { id, user: bob, name, role, hash: [7; 32], at, expires_at })).await;
    let browser =
        Browser { hash: [8; 32], user: bob, role, token: Some(id), created_at: at, seen_at: at, expires_at: later };
    hand.events_of(Write::SignIn { browser, link: None }).await;
    hand.events_of(Write::CreateLink(NewLink { hash: [9; 32], user: bob, role, at, expires_at: later })).await;
    assert!(matches!(hand.write(link("66", bob, 6)).await, Outcome::Paired(_)));

    let remove = |heir| Write::RemoveUser { user: bob, heir };
    assert_eq!(hand.write(remove(bob)).await, Outcome::Missing, "nobody inherits from themselves");
    assert_eq!(hand.write(remove(user(9))).await, Outcome::Missing, "there is no such heir");
    assert_eq!(hand.write(remove(hand.user)).await, Outcome::UserRemoved(vec![session("his")]));
    assert_eq!(hand.write(remove(hand.user)).await, Outcome::Missing);
    assert_eq!(names(&hand).await, [("ada".to_owned(), UserRole::Owner)]);
    assert!(hand.store.tokens().await.expect("reads").is_empty());
    assert!(hand.store.browsers().await.expect("reads").is_empty());
    assert!(hand.store.links().await.expect("reads").is_empty());
    assert!(hand.store.pairings().await.expect("reads").is_empty());
    let row = hand.store.session(&session("his")).await.expect("reads").expect("it stays");
    assert_eq!((row.user, row.title.as_str()), (hand.user, "about his"));
    assert_eq!(
        hand.write(Write::Claim { session: session("his") }).await,
        Outcome::Claimed(6),
        "who had it is shut out"
    );
    hand.events_of(person(3, "bob", UserRole::Viewer)).await;
}

pub async fn the_last_owner_stays(store: Arc<dyn Store>) {
    let hand = Hand::on(store).await;
    hand.events_of(person(2, "bob", UserRole::Member)).await;
    let remove = |gone, heir| Write::RemoveUser { user: gone, heir };
    assert_eq!(hand.write(remove(hand.user, user(2))).await, Outcome::Closed);
    hand.events_of(person(3, "eve", UserRole::Owner)).await;
    assert!(matches!(hand.write(remove(hand.user, user(3))).await, Outcome::UserRemoved(_)));
    assert_eq!(hand.write(remove(user(3), user(2))).await, Outcome::Closed);
    let becomes = |number, role| Write::SetRole { user: user(number), role };
    assert_eq!(hand.write(becomes(3, UserRole::Member)).await, Outcome::Closed);
    hand.events_of(becomes(3, UserRole::Owner)).await;
    hand.events_of(becomes(2, UserRole::Owner)).await;
    hand.events_of(becomes(3, UserRole::Viewer)).await;
    assert_eq!(hand.store.owner().await.expect("reads"), Some(user(2)), "whose home it is now");
    assert_eq!(hand.write(becomes(2, UserRole::Viewer)).await, Outcome::Closed);
    assert_eq!(hand.write(becomes(9, UserRole::Owner)).await, Outcome::Missing);
}

pub async fn what_was_made_for_a_person_can_do_no_more_than_they(store: Arc<dyn Store>) {
    let hand = Hand::on(store).await;
    let (bob, at, later) = (user(2), Timestamp(3), Timestamp(1_000));
    hand.events_of(person(2, "bob", UserRole::Owner)).await;
    let token = |number: u8, role| {
        let (id, hash) = (TokenId(Uuid::from_bytes([number; 16])), [number; 32]);
        Write::CreateToken(NewToken { id, user: bob, name: String::new(), role, hash, at, expires_at: None })
    };
    let browser = |number: u8, role| {
        let (hash, token) = ([number; 32], None);
        let browser = Browser { hash, user: bob, role, token, created_at: at, seen_at: at, expires_at: later };
        Write::SignIn { browser, link: None }
    };
    let link =
        |number: u8, role| Write::CreateLink(NewLink { hash: [number; 32], user: bob, role, at, expires_at: later });
    let roles = async || {
        let tokens = hand.store.tokens().await.expect("reads");
        let browsers = hand.store.browsers().await.expect("reads");
        let links = hand.store.links().await.expect("reads");
        let mut tokens: Vec<_> = tokens.iter().map(|row| (row.hash[0], row.role)).collect();
        let mut browsers: Vec<_> = browsers.iter().map(|row| (row.hash[0], row.role)).collect();
        tokens.sort();
        browsers.sort();
        (tokens, browsers, links.iter().map(|row| (row.hash[0], row.role)).collect::<Vec<_>>())
    };
    let (viewer, member, owner) = (UserRole::Viewer, UserRole::Member, UserRole::Owner);
    for write in [token(1, owner), token(2, viewer), browser(3, owner), browser(4, viewer), link(5, owner)] {
        hand.events_of(write).await;
    }
    assert!(matches!(hand.write(self::link("66", bob, 6)).await, Outcome::Paired(_)));
    hand.events_of(Write::SetRole { user: bob, role: member }).await;
    let bounded = (vec![(1, member), (2, viewer)], vec![(3, member), (4, viewer)], vec![(5, member)]);
    assert_eq!(roles().await, bounded);
    let speaks = hand.store.pairings().await.expect("reads").remove(0).user.map(|user| user.role);
    assert_eq!(speaks, Some(member));
    // What was asked for before and comes after is bounded too.
    for write in [token(6, owner), browser(7, owner), link(8, owner)] {
        hand.events_of(write).await;
    }
    let (tokens, browsers, links) = roles().await;
    assert_eq!((tokens[2], browsers[2], links), ((6, member), (7, member), vec![(8, member)]));
    // More for the person is no more for what they have.
    hand.events_of(Write::SetRole { user: bob, role: owner }).await;
    assert_eq!(roles().await.0, [(1, member), (2, viewer), (6, member)]);
}

pub async fn what_was_done_is_kept_with_it_and_only_where_it_was_done(store: Arc<dyn Store>) {
    let hand = Hand::on(store).await;
    let audited = |number: u8, action, subject: &str, write| {
        let (id, subject) = (Uuid::from_bytes([number; 16]), subject.to_owned());
        let deed = Deed { id, at: Timestamp(i64::from(number)), by: hand.user, action, subject };
        Write::Audited { deed, write: Box::new(write) }
    };
    hand.events_of(audited(1, "user.add", "bob", person(2, "bob", UserRole::Member))).await;
    assert_eq!(hand.write(audited(2, "user.add", "Bob", person(3, "Bob", UserRole::Member))).await, Outcome::Exists);
    let removed = audited(3, "user.remove", "bob", Write::RemoveUser { user: user(2), heir: hand.user });
    assert_eq!(hand.write(removed).await, Outcome::UserRemoved(Vec::new()));
    let kept = hand.store.audit(Limit::default()).await.expect("reads");
    let kept: Vec<_> = kept.iter().map(|row| (row.at.0, row.by, row.action.as_str(), row.subject.as_str())).collect();
    assert_eq!(kept, [(3, Some(hand.user), "user.remove", "bob"), (1, Some(hand.user), "user.add", "bob")]);
    assert_eq!(hand.store.audit(Limit::new(Some(1)).expect("in bounds")).await.expect("reads").len(), 1);
}

pub async fn whoever_speaks_as_a_user_is_a_stranger_once_that_one_is_gone(store: Arc<dyn Store>) {
    let hand = Hand::on(store).await;
    hand.events_of(person(2, "bob", UserRole::Member)).await;
    assert_eq!(hand.write(link("66", user(9), 1)).await, Outcome::Missing, "there is no such user");
    let pair = |by| Write::Pair { hash: [2; 32], user: by, at: Timestamp(1) };
    hand.events_of(pairing::offer(2, "family", "66", 1)).await;
    assert_eq!(hand.write(pair(user(9))).await, Outcome::Missing);
    let speaks = |outcome: Outcome| match outcome {
        Outcome::Paired(row) => row.user.map(|user| (user.name, user.role)),
        other => panic!("not paired: {other:?}"),
    };
    assert_eq!(speaks(hand.write(pair(hand.user)).await), Some(("ada".to_owned(), UserRole::Owner)));
    assert_eq!(speaks(hand.write(link("66", user(2), 3)).await), Some(("bob".to_owned(), UserRole::Member)));
    assert_eq!(speaks(hand.write(link("77", user(2), 4)).await), Some(("bob".to_owned(), UserRole::Member)));
    let rows = hand.store.pairings().await.expect("reads");
    let listed = |row: &mosaic_types::pairing::PairingRow| (row.sender.clone(), row.user.clone().map(|user| user.name));
    let bobs = ["66", "77"].map(|sender| (sender.to_owned(), Some("bob".to_owned())));
    assert_eq!(rows.iter().map(listed).collect::<Vec<_>>(), bobs);
    hand.write(Write::RemoveUser { user: user(2), heir: hand.user }).await;
    hand.events_of(pairing::offer(5, "family", "66", 6)).await;
    assert_eq!(
        hand.store.pairings().await.expect("reads").iter().map(|row| row.user.clone()).collect::<Vec<_>>(),
        [None]
    );
}

pub async fn an_owner_is_shown_the_sessions_of_platforms_beside_their_own(store: Arc<dyn Store>) {
    let hand = Hand::on(store).await;
    hand.events_of(person(2, "bob", UserRole::Member)).await;
    for (id, whose, channel, at) in [
        ("own", hand.user, "api", 1),
        ("chat", user(2), "family", 2),
        ("his", user(2), "api", 3),
        ("group", hand.user, "family", 4),
        ("late", user(2), "family", 5),
    ] {
        hand.events_of(of_channel(&hand, id, whose, channel, at)).await;
    }
    let list = async |user, platforms, text: Option<&str>| {
        let ask = SessionQuery { user: Some(user), platforms, archived: Some(false), text: text.map(str::to_owned) };
        let (mut ids, mut cursor) = (Vec::new(), None);
        loop {
            let limit = Limit::new(Some(2)).expect("in bounds");
            let page = hand.store.sessions(ask.clone(), cursor, limit).await.expect("reads");
            ids.extend(page.items.iter().map(|row| row.id.to_string()));
            cursor = page.next;
            if cursor.is_none() {
                return ids.join(" ");
            }
        }
    };
    assert_eq!(list(hand.user, true, None).await, "late group chat own s1");
    assert_eq!(list(hand.user, false, None).await, "group own s1");
    assert_eq!(list(user(2), false, None).await, "late his chat");
    assert_eq!(list(hand.user, true, Some("about")).await, "late group chat own");
}
