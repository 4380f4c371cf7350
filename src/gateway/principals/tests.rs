use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use mosaic_types::signin::Browser;
use mosaic_types::{Chance, Clock, Outside, Principal, Timestamp, TokenId, UserId, UserRole};
use uuid::Uuid;

use super::browsers::{IDLE, OF_A_USER};
use super::*;

/// A clock that is set by hand.
#[derive(Clone, Default)]
struct Hand(Arc<AtomicI64>);

impl Hand {
    fn forward(&self, span: Duration) {
        self.0.fetch_add(i64::try_from(span.as_micros()).expect("short"), Ordering::Relaxed);
    }
}

impl Clock for Hand {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::Relaxed))
    }
}

impl Chance for Hand {
    fn fill(&self, _: &mut [u8]) {
        unreachable!("nothing is drawn here");
    }
}

fn nobody_yet() -> (Principals, Hand) {
    let hand = Hand::default();
    (Principals::new(Outside::new(Arc::new(hand.clone()), Arc::new(hand.clone()))), hand)
}

const DAY: Duration = Duration::from_secs(86_400);
const ADA: Principal = Principal { user: UserId(Uuid::from_u128(1)), role: UserRole::Owner };

fn id(number: u128) -> TokenId {
    TokenId(Uuid::from_u128(number))
}

fn browser(cookie: &str, token: Option<TokenId>, at: Timestamp) -> Browser {
    let (hash, expires_at) = (hash_of(cookie), at.plus(Principals::BROWSER_LIFE));
    Browser { hash, user: ADA.user, role: ADA.role, token, created_at: at, seen_at: at, expires_at }
}

fn whose(found: Result<Credential, Refused>) -> Result<Principal, Refused> {
    found.map(|credential| credential.principal)
}

#[test]
fn a_token_is_good_to_its_end_and_then_told_that_it_has_expired() {
    let (principals, hand) = nobody_yet();
    principals.admit(hash_of("short"), Some(id(1)), ADA, Some(Timestamp(0).plus(DAY)));
    principals.admit(hash_of("for ever"), Some(id(2)), ADA, None);
    hand.forward(DAY - Duration::from_micros(1));
    assert_eq!(whose(principals.bearer("short")), Ok(ADA));
    hand.forward(Duration::from_micros(1));
    assert_eq!(whose(principals.bearer("short")), Err(Refused::Expired));
    assert_eq!(whose(principals.bearer("for ever")), Ok(ADA));
    assert_eq!(whose(principals.bearer("wrong")), Err(Refused::Unknown));
}

#[tokio::test(start_paused = true)]
async fn who_keeps_a_socket_open_hears_of_the_revocation_at_once() {
    let (principals, _) = nobody_yet();
    principals.admit(hash_of("one"), Some(id(1)), ADA, None);
    principals.admit(hash_of("other"), Some(id(2)), ADA, None);
    let one = principals.bearer("one").expect("it is good").ending;
    let other = principals.bearer("other").expect("it is good").ending;
    assert_eq!(one.now(), None);
    principals.revoke(id(1));
    assert_eq!(one.wait().await, End::Revoked);
    assert_eq!(whose(principals.bearer("one")), Err(Refused::Unknown));
    assert!(tokio::time::timeout(DAY, other.wait()).await.is_err(), "another token goes on");
}

#[tokio::test(start_paused = true)]
async fn who_keeps_a_socket_open_hears_that_its_token_expired() {
    let (principals, hand) = nobody_yet();
    principals.admit(hash_of("short"), Some(id(1)), ADA, Some(Timestamp(0).plus(DAY)));
    let ending = principals.bearer("short").expect("it is good").ending;
    let begun = tokio::time::Instant::now();
    let (ended, ()) = tokio::join!(ending.wait(), async {
        tokio::time::sleep(Duration::from_secs(10)).await;
        // The clock is set forward: what has expired by it ends soon, not after a day.
        hand.forward(DAY);
    });
    assert_eq!(ended, End::Expired);
    assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_browser_ends_with_the_token_that_it_was_signed_in_with() {
    let (principals, _) = nobody_yet();
    principals.admit(hash_of("token"), Some(id(1)), ADA, None);
    assert_eq!(principals.sign_in(&browser("by token", Some(id(1)), Timestamp(0))), Some(Vec::new()));
    assert_eq!(principals.sign_in(&browser("by link", None, Timestamp(0))), Some(Vec::new()));
    let ending = principals.browser("by token").expect("it is signed in").0.ending;
    principals.revoke(id(1));
    assert_eq!(ending.wait().await, End::Revoked);
    assert_eq!(principals.browser("by token").err(), Some(Refused::Unknown));
    assert_eq!(principals.browser("by link").expect("it is signed in").0.principal, ADA);
    assert_eq!(principals.sign_in(&browser("late", Some(id(1)), Timestamp(0))), None, "its token is gone");
    assert!(principals.sign_out(&hash_of("by link")) && !principals.sign_out(&hash_of("by link")));
    assert_eq!(principals.browser("by link").err(), Some(Refused::Unknown));
}

#[test]
fn a_browser_ends_when_it_is_not_used_and_in_any_case_after_its_time() {
    let (principals, hand) = nobody_yet();
    principals.sign_in(&browser("used", None, Timestamp(0)));
    principals.sign_in(&browser("idle", None, Timestamp(0)));
    let mut told = 0;
    while hand.now() < Timestamp(0).plus(Principals::BROWSER_LIFE) {
        let (_, due) = principals.browser("used").expect("it is used every day");
        told += u32::from(due);
        assert!(!principals.browser("used").expect("it is good").1, "the store was told already");
        hand.forward(IDLE / 7);
    }
    assert_eq!(told, 29, "once a day, and not at its sign-in");
    assert_eq!(principals.browser("used").err(), Some(Refused::Expired));
    assert_eq!(principals.browser("idle").err(), Some(Refused::Expired));
}

#[test]
fn a_user_has_so_many_browsers_and_the_one_not_used_for_longest_goes() {
    let (principals, hand) = nobody_yet();
    for number in 0..OF_A_USER {
        hand.forward(Duration::from_secs(1));
        assert_eq!(principals.sign_in(&browser(&number.to_string(), None, hand.now())), Some(Vec::new()));
    }
    hand.forward(Duration::from_secs(1));
    principals.browser("0").expect("it is in use again");
    let gone = principals.sign_in(&browser("one more", None, hand.now()));
    assert_eq!(gone, Some(vec![hash_of("1")]));
    assert_eq!(principals.browser("1").err(), Some(Refused::Unknown));
    assert!(principals.browser("0").is_ok() && principals.browser("one more").is_ok());
}

#[test]
fn what_a_browser_sends_along_is_made_of_its_cookie_and_is_not_its_hash() {
    assert_eq!(Principals::csrf_of("one"), Principals::csrf_of("one"));
    assert_ne!(Principals::csrf_of("one"), Principals::csrf_of("two"));
    let hash: String = hash_of("one").iter().map(|byte| format!("{byte:02x}")).collect();
    assert_ne!(Principals::csrf_of("one"), hash, "who reads the database cannot send it");
}

#[tokio::test(start_paused = true)]
async fn whoever_may_do_less_may_do_it_at_once_with_all_they_have() {
    let (principals, _) = nobody_yet();
    let bob = |role| Principal { user: UserId(Uuid::from_u128(2)), role };
    let (viewer, member, owner) = (bob(UserRole::Viewer), bob(UserRole::Member), bob(UserRole::Owner));
    principals.admit(hash_of("much"), Some(id(1)), owner, None);
    principals.admit(hash_of("little"), Some(id(2)), viewer, None);
    principals.admit(hash_of("ada's"), Some(id(3)), ADA, None);
    let his = |cookie, role| Browser { user: viewer.user, role, ..browser(cookie, None, Timestamp(0)) };
    principals.sign_in(&his("browser", UserRole::Owner));
    let ending = |token| principals.bearer(token).expect("it is good").ending;
    let (much, little, hers) = (ending("much"), ending("little"), ending("ada's"));
    let cookie = principals.browser("browser").expect("it is signed in").0.ending;
    principals.set_role(viewer.user, UserRole::Member);
    assert_eq!((much.wait().await, cookie.wait().await), (End::Changed, End::Changed));
    assert_eq!((little.now(), hers.now()), (None, None), "what could not do more goes on");
    assert_eq!(["much", "little"].map(|token| whose(principals.bearer(token))), [Ok(member), Ok(viewer)]);
    assert_eq!(principals.browser("browser").expect("it is signed in still").0.principal, member);
    assert_eq!(ending("much").now(), None, "who comes anew is let in");
    // What was being made meanwhile comes late.
    principals.admit(hash_of("late"), Some(id(4)), owner, None);
    principals.sign_in(&his("late", UserRole::Owner));
    assert_eq!(whose(principals.bearer("late")), Ok(member));
    assert_eq!(principals.browser("late").expect("it is signed in").0.principal, member);
    // With more again, what is made new has it.
    principals.set_role(viewer.user, UserRole::Owner);
    principals.admit(hash_of("new"), Some(id(5)), owner, None);
    assert_eq!(["much", "new"].map(|token| whose(principals.bearer(token))), [Ok(member), Ok(owner)]);
}

#[tokio::test(start_paused = true)]
async fn the_homes_own_token_goes_over_to_the_next_owner() {
    let (principals, _) = nobody_yet();
    let bob = Principal { user: UserId(Uuid::from_u128(2)), role: UserRole::Owner };
    principals.admit(hash_of("home"), None, ADA, None);
    principals.admit(hash_of("ada's"), Some(id(1)), ADA, None);
    let socket = principals.bearer("home").expect("it is good").ending;
    principals.hand_over(ADA.user, bob);
    principals.remove_user(ADA.user);
    assert_eq!(socket.wait().await, End::Changed);
    assert_eq!(whose(principals.bearer("home")), Ok(bob));
    assert_eq!(whose(principals.bearer("ada's")), Err(Refused::Unknown));
}

#[tokio::test(start_paused = true)]
async fn nothing_of_a_removed_user_is_good_and_nothing_that_was_being_made_for_them() {
    let (principals, _) = nobody_yet();
    let bob = Principal { user: UserId(Uuid::from_u128(2)), role: UserRole::Member };
    principals.admit(hash_of("ada's"), Some(id(1)), ADA, None);
    principals.admit(hash_of("bob's"), Some(id(2)), bob, None);
    let his = |cookie| Browser { user: bob.user, role: bob.role, ..browser(cookie, None, Timestamp(0)) };
    principals.sign_in(&his("by link"));
    let token = principals.bearer("bob's").expect("it is good").ending;
    let cookie = principals.browser("by link").expect("it is signed in").0.ending;
    principals.remove_user(bob.user);
    assert_eq!((token.wait().await, cookie.wait().await), (End::Revoked, End::Revoked));
    principals.admit(hash_of("late"), Some(id(3)), bob, None);
    assert_eq!(principals.sign_in(&his("late")), None);
    for text in ["bob's", "late"] {
        assert_eq!(whose(principals.bearer(text)), Err(Refused::Unknown));
    }
    assert_eq!(principals.browser("by link").err(), Some(Refused::Unknown));
    assert_eq!(whose(principals.bearer("ada's")), Ok(ADA), "everybody else stays");
}
