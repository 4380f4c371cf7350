//! What must go out to platforms, and which session a conversation is.

use std::sync::Arc;

use mosaic_types::journal::{Entry, NewSession, Outcome, TurnEnd, Write};
use mosaic_types::outbox::{Content, Conversation, Item, ItemCount, ItemState, SettleItem, Settled, Shown, TakeItems};
use mosaic_types::{SessionId, Timestamp};
use uuid::Uuid;

use super::hand::{Hand, failed, finished, session, turn};
use crate::Store;

const HOLDER: Uuid = Uuid::from_bytes([9; 16]);

fn room(name: &str) -> Conversation {
    Conversation { channel: "chat".into(), account: "bot".into(), name: name.into() }
}

/// Asks from a room; a turn of its own that runs, or, with `into`, a part of that one.
async fn ask_from(hand: &Hand, number: u8, name: &str, into: Option<u8>) {
    let mut accept = hand.accept(number, true);
    let Conversation { channel, account, name } = room(name);
    (accept.inbox.channel, accept.inbox.account, accept.inbox.conversation) = (channel, account, name);
    accept.reply_to = Some(format!("message-{number}").into());
    if let Some(into) = into {
        (accept.turn, accept.entry) = (turn(into), Entry::Joins);
    }
    hand.events_of(Write::Accept(Box::new(accept))).await;
}

async fn end(hand: &Hand, number: u8, how: TurnEnd) {
    let Write::End(mut end) = hand.end(number, how, None) else { unreachable!("it is an end") };
    end.delivers = true;
    hand.events_of(Write::End(end)).await;
}

/// Asks from a room and answers.
async fn talk(hand: &Hand, number: u8, name: &str) {
    ask_from(hand, number, name, None).await;
    end(hand, number, finished(&format!("answer {number}"))).await;
}

async fn take_as(hand: &Hand, holder: Uuid, limit: u32, at: i64) -> (Vec<Item>, Option<Timestamp>) {
    let take = TakeItems { channel: "chat".into(), holder, limit, at: Timestamp(at) };
    match hand.write(Write::TakeItems(take)).await {
        Outcome::Taken { items, next } => (items, next),
        other => panic!("nothing is taken: {other:?}"),
    }
}

async fn take(hand: &Hand, limit: u32, at: i64) -> Vec<Item> {
    take_as(hand, HOLDER, limit, at).await.0
}

/// The only item that is due.
async fn take_one(hand: &Hand, at: i64) -> Item {
    let mut items = take(hand, 10, at).await;
    assert_eq!(items.len(), 1, "{items:?}");
    items.remove(0)
}

async fn settle(hand: &Hand, item: &Item, settled: Settled, at: i64) -> Outcome {
    let (id, session, holder) = (item.id, item.session.clone(), item.holder);
    let (part, attempt) = (item.part, item.attempt);
    let settle = SettleItem { id, session, holder, part, attempt, settled, at: Timestamp(at) };
    hand.write(Write::SettleItem(Box::new(settle))).await
}

fn sent() -> Settled {
    Settled::Shown(Shown { platform_id: Some("p".into()), up_to: None })
}

fn later(due: i64) -> Settled {
    Settled::Later { due: Timestamp(due) }
}

fn more(more: bool) -> Outcome {
    Outcome::Settled { more }
}

fn numbers(items: &[Item]) -> Vec<u8> {
    items.iter().map(|item| item.turn.0.as_bytes()[0]).collect()
}

async fn counts(hand: &Hand) -> Vec<(ItemState, u64)> {
    let counts = hand.store.item_counts().await.expect("reads");
    assert!(counts.iter().all(|count| count.channel == "chat"), "{counts:?}");
    counts.into_iter().map(|count| (count.state, count.items)).collect()
}

pub async fn an_end_leaves_an_item_for_each_conversation_that_its_inputs_came_from(store: Arc<dyn Store>) {
    let hand = Hand::on(store).await;
    // Said by HTTP: its asker reads the journal.
    hand.ask(1, true).await;
    end(&hand, 1, finished("nobody waits")).await;
    assert!(take(&hand, 10, 100).await.is_empty());
    ask_from(&hand, 2, "kitchen", None).await;
    ask_from(&hand, 3, "garden", Some(2)).await;
    ask_from(&hand, 4, "kitchen", Some(2)).await;
    hand.add(5, 2).await;
    assert!(take(&hand, 10, 100).await.is_empty(), "the turn runs");
    end(&hand, 2, finished("dinner")).await;
    let items = take(&hand, 10, 100).await;
    let content = Content::Answer { text: "dinner".into(), agent: hand.agent.clone() };
    assert!(items.iter().all(|item| item.content == content && item.turn == turn(2) && item.session == hand.session));
    let to: Vec<_> = items.iter().map(|item| (item.to.clone(), item.reply_to.as_deref())).collect();
    assert_eq!(to, [(room("kitchen"), Some("message-4")), (room("garden"), Some("message-3"))], "its newest input");
    for item in &items {
        let kept = (item.part, item.shown, item.attempt, item.holder, item.created_at, &item.preview);
        assert_eq!(kept, (0, 0, 1, Some(HOLDER), Timestamp(2), &None));
        settle(&hand, item, sent(), 101).await;
    }
    for (number, how) in [(6, failed()), (7, TurnEnd::cancelled())] {
        ask_from(&hand, number, "kitchen", None).await;
        end(&hand, number, how.clone()).await;
        let item = take_one(&hand, 100).await;
        assert_eq!(item.content, Content::of(&how, &hand.agent));
        settle(&hand, &item, sent(), 101).await;
    }
}

pub async fn an_open_turn_knows_that_it_delivers(store: Arc<dyn Store>) {
    let hand = Hand::on(store).await;
    let open = async || {
        let snapshot = hand.store.snapshot(&hand.session, 0).await.expect("reads").expect("is there");
        snapshot.open.iter().map(|turn| turn.delivers).collect::<Vec<_>>()
    };
    hand.ask(1, true).await;
    assert_eq!(open().await, [false]);
    ask_from(&hand, 2, "kitchen", Some(1)).await;
    assert_eq!(open().await, [true]);
}

pub async fn items_of_a_conversation_go_out_one_after_the_other(store: Arc<dyn Store>) {
    let hand = Hand::on(store).await;
    for number in 1..=3 {
        talk(&hand, number, "kitchen").await;
    }
    talk(&hand, 4, "garden").await;
    let first = take(&hand, 10, 100).await;
    assert_eq!(numbers(&first), [1, 4], "one of each");
    assert!(take(&hand, 10, 100).await.is_empty(), "it is under way");
    assert_eq!(settle(&hand, &first[0], later(150), 101).await, more(false));
    assert!(take(&hand, 10, 149).await.is_empty(), "nothing overtakes what is to be tried again");
    let again = take_one(&hand, 150).await;
    assert_eq!((again.id, again.attempt), (first[0].id, 2));
    assert_eq!(settle(&hand, &again, sent(), 151).await, more(true));
    let second = take_one(&hand, 151).await;
    assert_eq!(numbers(std::slice::from_ref(&second)), [2]);
    assert_eq!(settle(&hand, &second, Settled::Dead { why: "gone".into() }, 152).await, more(true));
    let third = take_one(&hand, 152).await;
    let owes = async || hand.store.owes(&room("kitchen")).await.expect("known");
    assert!(owes().await, "the third is under way");
    assert_eq!(settle(&hand, &third, Settled::Unknown { why: "cut off".into() }, 153).await, more(false));
    assert!(!owes().await && hand.store.owes(&room("garden")).await.expect("known"), "each conversation by itself");
    settle(&hand, &first[1], sent(), 154).await;
    assert_eq!(counts(&hand).await, [(ItemState::Dead, 1), (ItemState::Unknown, 1)]);
    // With nothing open, the next is due at once.
    talk(&hand, 5, "kitchen").await;
    take_one(&hand, 154).await;
}

pub async fn an_item_is_settled_once_and_by_its_holder_only(store: Arc<dyn Store>) {
    let hand = Hand::on(store).await;
    talk(&hand, 1, "kitchen").await;
    let item = take_one(&hand, 100).await;
    assert_eq!(hand.store.held_items().await.expect("reads"), *std::slice::from_ref(&item));
    let other = Item { holder: Some(Uuid::from_bytes([8; 16])), ..item.clone() };
    assert_eq!(settle(&hand, &other, sent(), 101).await, Outcome::Stale);
    let nobody = Item { holder: None, ..item.clone() };
    assert_eq!(settle(&hand, &nobody, sent(), 101).await, Outcome::Stale);
    assert_eq!(settle(&hand, &other, Settled::Calling, 101).await, Outcome::Stale);
    assert_eq!(settle(&hand, &item, Settled::Calling, 101).await, more(false));
    assert_eq!(hand.store.held_items().await.expect("reads"), [Item { called: true, ..item.clone() }]);
    assert!(take(&hand, 10, 1_000).await.is_empty(), "it is held");
    assert_eq!(settle(&hand, &item, later(102), 101).await, more(false));
    assert_eq!(settle(&hand, &item, sent(), 101).await, Outcome::Stale, "it was put back");
    let before = item;
    let item = take_one(&hand, 102).await;
    assert!(!item.called, "not for this time");
    assert_eq!(settle(&hand, &before, later(103), 103).await, Outcome::Stale, "it was taken up again");
    assert_eq!(settle(&hand, &item, sent(), 103).await, more(false));
    assert_eq!(settle(&hand, &item, later(104), 104).await, Outcome::Stale, "it was sent");
    assert!(hand.store.held_items().await.expect("reads").is_empty());
    assert!(take(&hand, 10, 1_000).await.is_empty());
}

pub async fn what_was_put_back_is_due_at_its_moment_whatever_the_clock_does(store: Arc<dyn Store>) {
    let hand = Hand::on(store).await;
    // Written by a clock that was far ahead: never tried, so due.
    talk(&hand, 200, "kitchen").await;
    let item = take_one(&hand, 100).await;
    settle(&hand, &item, later(150), 100).await;
    assert_eq!(take_as(&hand, HOLDER, 10, 149).await, (vec![], Some(Timestamp(150))), "and says when it is");
    let item = take_one(&hand, 150).await;
    settle(&hand, &item, later(9_000), 8_900).await;
    // The clock was set back since: 9,000 may be far away.
    take_one(&hand, 200).await;
}

pub async fn a_long_text_goes_out_in_parts(store: Arc<dyn Store>) {
    let hand = Hand::on(store).await;
    talk(&hand, 1, "kitchen").await;
    talk(&hand, 2, "kitchen").await;
    let first = take_one(&hand, 100).await;
    let shown = |up_to| Settled::Shown(Shown { platform_id: Some("p".into()), up_to });
    assert_eq!(settle(&hand, &first, shown(Some(6)), 101).await, more(true));
    assert!(hand.store.held_items().await.expect("reads").is_empty(), "a crash between two parts leaves no doubt");
    let second = take_one(&hand, 101).await;
    let kept = (second.id, second.part, second.shown, second.attempt, second.rest());
    assert_eq!(kept, (first.id, 1, 6, 1, " 1"), "before what waits behind it");
    assert_eq!(settle(&hand, &second, shown(None), 102).await, more(true));
    assert_eq!(numbers(&[take_one(&hand, 102).await]), [2]);
}

pub async fn what_a_conversation_was_told_by_is_known_the_newest_first(store: Arc<dyn Store>) {
    let hand = Hand::on(store).await;
    let shown = async |name: &str| hand.store.shown(&room(name)).await.expect("reads");
    let by = |id: usize, up_to| Settled::Shown(Shown { platform_id: Some(format!("p{id}")), up_to });
    for number in 1..=20 {
        talk(&hand, number, "kitchen").await;
        let item = take_one(&hand, 100).await;
        settle(&hand, &item, by(usize::from(number), None), 100).await;
    }
    let newest: Vec<String> = (5..=20).rev().map(|id| format!("p{id}")).collect();
    assert_eq!(shown("kitchen").await, newest);
    talk(&hand, 21, "garden").await;
    assert_eq!(shown("garden").await, [""; 0], "nothing went out there");
    let item = take_one(&hand, 100).await;
    settle(&hand, &item, by(30, Some(6)), 100).await;
    assert_eq!(shown("garden").await, ["p30"], "its own first part");
}

pub async fn who_waited_longest_is_taken_first(store: Arc<dyn Store>) {
    let hand = Hand::on(store).await;
    for number in 1..=3 {
        talk(&hand, number, "flood").await;
    }
    talk(&hand, 4, "kitchen").await;
    talk(&hand, 5, "garden").await;
    let mut order = Vec::new();
    for at in 100..105 {
        let items = take(&hand, 1, at).await;
        order.extend(numbers(&items));
        settle(&hand, &items[0], sent(), at).await;
    }
    assert_eq!(order, [1, 4, 5, 2, 3], "however many wait in one conversation");
}

pub async fn a_channel_is_taken_from_by_itself(store: Arc<dyn Store>) {
    let hand = Hand::on(store).await;
    talk(&hand, 1, "kitchen").await;
    let take = TakeItems { channel: "other".into(), holder: HOLDER, limit: 10, at: Timestamp(100) };
    let nothing = Outcome::Taken { items: vec![], next: None };
    assert_eq!(hand.write(Write::TakeItems(take)).await, nothing);
    take_one(&hand, 100).await;
}

pub async fn what_waits_behind_a_removed_session_goes_on(store: Arc<dyn Store>) {
    let hand = Hand::on(store.clone()).await;
    talk(&hand, 1, "kitchen").await;
    let held = take_one(&hand, 100).await;
    // The conversation goes on in another session.
    let other = Hand { store, user: hand.user, session: session("s2"), agent: hand.agent.clone() };
    other.make(&other.session, Timestamp(0)).await;
    talk(&other, 2, "kitchen").await;
    assert!(take(&hand, 10, 100).await.is_empty());
    hand.events_of(Write::Delete { session: hand.session.clone() }).await;
    assert_eq!(settle(&hand, &held, sent(), 101).await, Outcome::Stale);
    assert_eq!(numbers(&[take_one(&hand, 101).await]), [2]);
}

fn keep(number: u8, name: &str, platform_id: &str) -> Write {
    Write::KeepPreview {
        turn: turn(number),
        conversation: room(name),
        platform_id: platform_id.into(),
        at: Timestamp(50),
    }
}

pub async fn a_preview_is_kept_and_becomes_the_end(store: Arc<dyn Store>) {
    let hand = Hand::on(store).await;
    let kept = async |number, name: &str| hand.store.preview(turn(number), &room(name)).await.expect("reads");
    assert_eq!(hand.write(keep(1, "kitchen", "p1")).await, Outcome::Missing);
    ask_from(&hand, 1, "kitchen", None).await;
    ask_from(&hand, 2, "garden", Some(1)).await;
    let written = Outcome::Written(vec![]);
    assert_eq!(kept(1, "kitchen").await, None);
    assert_eq!(hand.write(keep(1, "kitchen", "p1")).await, written);
    assert_eq!(hand.write(keep(1, "kitchen", "p1")).await, written, "said again");
    assert_eq!(hand.write(keep(1, "kitchen", "p2")).await, Outcome::Exists);
    assert_eq!(kept(1, "kitchen").await.as_deref(), Some("p1"));
    assert_eq!(kept(1, "garden").await, None);
    end(&hand, 1, finished("dinner")).await;
    assert_eq!(kept(1, "kitchen").await, None, "its end has it");
    // One that is told late is still in time while nothing went out.
    assert_eq!(hand.write(keep(1, "garden", "p3")).await, written);
    let items = take(&hand, 10, 100).await;
    let previews: Vec<_> = items.iter().map(|item| item.preview.as_deref()).collect();
    assert_eq!(previews, [Some("p1"), Some("p3")]);
    assert_eq!(hand.write(keep(1, "garden", "p4")).await, Outcome::Closed);
    assert_eq!(hand.write(keep(1, "attic", "p5")).await, Outcome::Closed, "nothing is said there");
}

pub async fn what_ended_long_ago_is_removed_and_counted_while_it_is_there(store: Arc<dyn Store>) {
    let hand = Hand::on(store).await;
    let ends = [sent(), sent(), sent(), Settled::Unknown { why: "?".into() }, Settled::Dead { why: "!".into() }];
    for (number, settled) in (1..).zip(ends) {
        talk(&hand, number, "kitchen").await;
        let item = take_one(&hand, 100).await;
        settle(&hand, &item, settled, i64::from(number)).await;
    }
    talk(&hand, 6, "kitchen").await;
    talk(&hand, 7, "kitchen").await;
    take_one(&hand, 100).await;
    let all = [(ItemState::Pending, 1), (ItemState::Sending, 1), (ItemState::Dead, 1), (ItemState::Unknown, 1)];
    assert_eq!(counts(&hand).await, all);
    let oldest = hand.store.item_counts().await.expect("reads");
    let pending = ItemCount { channel: "chat".into(), state: ItemState::Pending, items: 1, oldest: Timestamp(7) };
    assert_eq!(oldest[0], pending);
    let prune =
        |sent, lost, limit| Write::PruneItems { sent_before: Timestamp(sent), lost_before: Timestamp(lost), limit };
    assert_eq!(hand.write(prune(3, 1, 10)).await, Outcome::Removed(2), "the third is too young");
    assert_eq!(hand.write(prune(10, 10, 2)).await, Outcome::Removed(2), "so many at the most");
    assert_eq!(hand.write(prune(1_000, 1_000, 10)).await, Outcome::Removed(1));
    assert_eq!(hand.write(prune(1_000, 1_000, 10)).await, Outcome::Removed(0), "never what is open");
    assert_eq!(counts(&hand).await, all[..2]);
}

pub async fn a_conversation_finds_its_session_or_makes_one(store: Arc<dyn Store>) {
    let hand = Hand::on(store).await;
    let bind = |name: &str, id: &str| {
        let Write::CreateSession(new) = hand.new_session(&session(id), Timestamp(5)) else { unreachable!("it is") };
        Write::Bind { conversation: room(name), new: NewSession { channel: "chat".into(), ..new } }
    };
    let bound = |id: &str| Outcome::Bound { session: session(id), user: hand.user };
    let known = async |name: &str| -> Option<SessionId> {
        hand.store.binding(&room(name)).await.expect("reads").map(|(session, user)| {
            assert_eq!(user, hand.user);
            session
        })
    };
    assert_eq!(known("kitchen").await, None);
    assert_eq!(hand.write(bind("kitchen", "k1")).await, bound("k1"));
    let row = hand.store.session(&session("k1")).await.expect("reads").expect("is there");
    assert_eq!((row.channel.as_str(), row.created_at), ("chat", Timestamp(5)));
    assert_eq!(hand.write(bind("kitchen", "k2")).await, bound("k1"), "the one that is there");
    assert_eq!(hand.store.session(&session("k2")).await.expect("reads"), None);
    assert_eq!(hand.write(bind("garden", "k1")).await, Outcome::Exists, "the id is taken");
    assert_eq!(known("garden").await, None);

    let rebind =
        |name: &str, id: &str| Write::Rebind { conversation: room(name), session: session(id), at: Timestamp(6) };
    assert_eq!(hand.write(rebind("kitchen", "nobody")).await, Outcome::Missing);
    assert_eq!(hand.write(rebind("kitchen", "s1")).await, bound("s1"));
    assert_eq!(hand.write(rebind("garden", "s1")).await, bound("s1"), "a conversation that had none");
    assert_eq!((known("kitchen").await, known("garden").await), (Some(session("s1")), Some(session("s1"))));
    hand.events_of(Write::Delete { session: session("s1") }).await;
    assert_eq!(known("kitchen").await, None, "it goes with its session");
    assert_eq!(hand.write(bind("kitchen", "k3")).await, bound("k3"));
}
