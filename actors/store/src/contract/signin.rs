//! Browsers and the links that sign them in.

use std::sync::Arc;

use mosaic_types::journal::{NewToken, Outcome, Write};
use mosaic_types::signin::{Browser, NewLink};
use mosaic_types::{Timestamp, TokenId, UserRole};
use uuid::Uuid;

use super::Hand;
use crate::Store;

fn browser(hand: &Hand, hash: u8, at: i64) -> Browser {
    Browser {
        hash: [hash; 32],
        user: hand.user,
        role: UserRole::Owner,
        token: None,
        created_at: Timestamp(at),
        seen_at: Timestamp(at),
        expires_at: Timestamp(at + 100),
    }
}

fn link(hand: &Hand, hash: u8, at: i64) -> Write {
    let (at, expires_at) = (Timestamp(at), Timestamp(at + 10));
    Write::CreateLink(NewLink { hash: [hash; 32], user: hand.user, role: UserRole::Owner, at, expires_at })
}

/// What is signed in, by the first byte of its hash.
async fn signed_in(hand: &Hand) -> Vec<u8> {
    hand.store.browsers().await.expect("reads").iter().map(|browser| browser.hash[0]).collect()
}

async fn links(hand: &Hand) -> Vec<(u8, bool)> {
    hand.store.links().await.expect("reads").iter().map(|link| (link.hash[0], link.spent)).collect()
}

pub async fn a_link_signs_one_browser_in_once(store: Arc<dyn Store>) {
    let hand = Hand::on(store).await;
    hand.events_of(link(&hand, 1, 1)).await;
    assert_eq!(hand.write(link(&hand, 1, 1)).await, Outcome::Exists);
    let spend = |link: u8, browser| Write::SignIn { browser, link: Some([link; 32]) };
    assert_eq!(hand.write(spend(9, browser(&hand, 1, 2))).await, Outcome::Missing, "there is no such link");
    assert_eq!(hand.write(spend(1, browser(&hand, 1, 11))).await, Outcome::Missing, "it has expired by then");
    assert_eq!(signed_in(&hand).await, [0; 0]);
    let first = browser(&hand, 1, 10);
    hand.events_of(spend(1, first.clone())).await;
    assert_eq!(hand.store.browsers().await.expect("reads"), [first]);
    assert_eq!(hand.write(spend(1, browser(&hand, 2, 10))).await, Outcome::Missing, "it is spent");
    assert_eq!(signed_in(&hand).await, [1]);
    assert_eq!(links(&hand).await, [(1, true)]);
}

pub async fn a_newer_link_voids_the_older_one(store: Arc<dyn Store>) {
    let hand = Hand::on(store).await;
    hand.events_of(link(&hand, 1, 1)).await;
    hand.events_of(link(&hand, 2, 2)).await;
    assert_eq!(links(&hand).await, [(2, false)]);
    let spend = |link: u8, browser| Write::SignIn { browser, link: Some([link; 32]) };
    assert_eq!(hand.write(spend(1, browser(&hand, 1, 3))).await, Outcome::Missing);
    hand.events_of(spend(2, browser(&hand, 1, 3))).await;
    hand.events_of(link(&hand, 3, 4)).await;
    assert_eq!(links(&hand).await, [(2, true), (3, false)], "that one was spent is remembered");
    hand.events_of(spend(3, browser(&hand, 2, 5))).await;
    assert_eq!(links(&hand).await, [(3, true)]);
}

pub async fn a_browser_ends_with_its_token_and_by_itself(store: Arc<dyn Store>) {
    let hand = Hand::on(store).await;
    let token = TokenId(Uuid::from_bytes([7; 16]));
    let row = NewToken {
        id: token,
        user: hand.user,
        name: String::new(),
        role: UserRole::Owner,
        hash: [7; 32],
        at: Timestamp(1),
        expires_at: None,
    };
    hand.events_of(Write::CreateToken(row)).await;
    let sign_in = |browser| Write::SignIn { browser, link: None };
    let by_token = |hash| Browser { token: Some(token), ..browser(&hand, hash, 2) };
    hand.events_of(sign_in(by_token(1))).await;
    hand.events_of(sign_in(browser(&hand, 2, 3))).await;
    assert_eq!(hand.write(sign_in(browser(&hand, 2, 3))).await, Outcome::Exists);
    hand.events_of(Write::SeeBrowser { browser: [1; 32], at: Timestamp(9) }).await;
    assert_eq!(signed_in(&hand).await, [2, 1], "the one not used for longest first");

    hand.events_of(Write::RevokeToken { token, at: Timestamp(9) }).await;
    assert_eq!(signed_in(&hand).await, [2]);
    assert_eq!(hand.write(sign_in(by_token(3))).await, Outcome::Missing, "its token is revoked");
    assert_eq!(hand.write(Write::SeeBrowser { browser: [1; 32], at: Timestamp(9) }).await, Outcome::Missing);

    hand.events_of(sign_in(browser(&hand, 4, 102))).await;
    assert_eq!(signed_in(&hand).await, [2, 4], "one that lasts a moment longer is kept");
    hand.events_of(sign_in(browser(&hand, 5, 103))).await;
    assert_eq!(signed_in(&hand).await, [4, 5], "what has expired goes when another comes");
    hand.events_of(Write::SignOut { browser: [4; 32] }).await;
    assert_eq!(hand.write(Write::SignOut { browser: [4; 32] }).await, Outcome::Missing);
    assert_eq!(signed_in(&hand).await, [5]);
}
