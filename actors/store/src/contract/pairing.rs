//! Strangers on channels, and who is let in.

use std::sync::Arc;

use mosaic_types::Timestamp;
use mosaic_types::journal::{Outcome, Write};
use mosaic_types::page::Limit;
use mosaic_types::pairing::NewPairing;

use super::Hand;
use crate::Store;

pub(super) fn offer(hash: u8, channel: &str, sender: &str, at: i64) -> Write {
    Write::OfferPairing(NewPairing {
        hash: [hash; 32],
        channel: channel.into(),
        account: "bot".into(),
        sender: sender.into(),
        name: format!("{sender} by name").into(),
        at: Timestamp(at),
        expires_at: Timestamp(at + 10),
    })
}

/// Who waits and who is in, in order.
async fn known(hand: &Hand) -> Vec<(String, bool)> {
    let rows = hand.store.pairings().await.expect("reads");
    rows.into_iter().map(|row| (row.sender, row.user.is_some())).collect()
}

pub async fn a_stranger_waits_until_somebody_lets_them_in_or_their_code_expires(store: Arc<dyn Store>) {
    let hand = Hand::on(store).await;
    hand.events_of(offer(1, "family", "eve", 1)).await;
    assert_eq!(hand.write(offer(2, "family", "eve", 2)).await, Outcome::Exists, "one code a stranger");
    let pair = |hash: u8, at| Write::Pair { hash: [hash; 32], user: hand.user, at: Timestamp(at) };
    assert_eq!(hand.write(pair(2, 2)).await, Outcome::Missing, "there is no such code");
    assert_eq!(hand.write(pair(1, 11)).await, Outcome::Missing, "it has expired by then");
    let Outcome::Paired(row) = hand.write(pair(1, 10)).await else { panic!("it is good") };
    assert_eq!((row.channel.as_str(), row.sender.as_str(), row.name.as_str()), ("family", "eve", "eve by name"));
    assert_eq!((row.user.map(|user| user.id), row.expires_at), (Some(hand.user), Timestamp(11)));
    assert_eq!(hand.write(pair(1, 10)).await, Outcome::Missing, "it is spent");
    assert_eq!(hand.write(offer(3, "family", "eve", 100)).await, Outcome::Exists, "who is in stays in");
    assert_eq!(known(&hand).await, [("eve".to_owned(), true)]);
    let unpair = |sender: &str| Write::Unpair { channel: "family".into(), sender: sender.into() };
    assert_eq!(hand.write(unpair("bob")).await, Outcome::Missing);
    hand.events_of(unpair("eve")).await;
    assert_eq!(known(&hand).await, []);
    hand.events_of(offer(1, "family", "eve", 101)).await;
}

pub async fn three_strangers_of_a_channel_wait_and_no_more(store: Arc<dyn Store>) {
    let hand = Hand::on(store).await;
    for (hash, sender) in [(1, "a"), (2, "b"), (3, "c")] {
        hand.events_of(offer(hash, "family", sender, 1)).await;
    }
    assert_eq!(hand.write(offer(4, "family", "d", 2)).await, Outcome::Closed);
    hand.events_of(offer(5, "work", "d", 2)).await;
    let pair = Write::Pair { hash: [2; 32], user: hand.user, at: Timestamp(3) };
    assert!(matches!(hand.write(pair).await, Outcome::Paired(_)));
    hand.events_of(offer(6, "family", "d", 4)).await;
    assert_eq!(hand.write(offer(7, "family", "e", 10)).await, Outcome::Closed);
    // Those who came first have expired by then.
    hand.events_of(offer(7, "family", "e", 11)).await;
    let names = known(&hand).await.into_iter().map(|(sender, _)| sender).collect::<Vec<_>>();
    assert_eq!(names, ["b", "d", "e", "d"], "the one of the other channel has a moment left");
}

pub async fn what_a_channel_keeps_is_found_again(store: Arc<dyn Store>) {
    let hand = Hand::on(store).await;
    let keep = |channel: &str, scope: &str, value: &str, at| Write::KeepCursor {
        channel: channel.into(),
        scope: scope.into(),
        value: value.into(),
        at: Timestamp(at),
    };
    for (channel, scope, value, at) in
        [("guild", "bot", "1", 1), ("guild", "bot/7", "ada", 2), ("other", "bot", "9", 3), ("guild", "bot", "5", 4)]
    {
        assert_eq!(hand.write(keep(channel, scope, value, at)).await, Outcome::Written(Vec::new()));
    }
    let kept = async |channel, limit| {
        hand.store.cursors(channel, Limit::new(Some(limit)).expect("in bounds")).await.expect("reads")
    };
    let pair = |scope: &str, value: &str| (scope.to_owned(), value.to_owned());
    assert_eq!(kept("guild", 10).await, [pair("bot", "5"), pair("bot/7", "ada")], "what was kept last comes first");
    assert_eq!(kept("guild", 1).await, [pair("bot", "5")]);
    assert_eq!(kept("nobody", 10).await, []);
}
