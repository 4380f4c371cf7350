//! Rules of people's own.

use std::sync::Arc;

use mosaic_types::journal::{NewUser, Outcome, Write};
use mosaic_types::routing::{OwnRule, Rule, Task};
use mosaic_types::{RuleId, Timestamp, UserId, UserRole};
use uuid::Uuid;

use super::hand::Hand;
use crate::Store;

fn own(number: u8, at: i64) -> OwnRule {
    let name = format!("rule-{number}").parse().expect("valid");
    let rule = Rule {
        task: vec![Task::Code],
        hours: Some("22:00-06:00".parse().expect("valid")),
        timezone: "Europe/Berlin".parse().expect("valid"),
        budget_left_below: Some(0.5),
        models: vec!["openai/gpt-5-mini".parse().expect("valid")],
        ..Rule::named(name)
    };
    let id = RuleId(Uuid::from_bytes([number; 16]));
    OwnRule { id, rule, created_at: Timestamp(at), updated_at: Timestamp(at + 1) }
}

pub async fn rules_of_people_are_kept_in_their_order(store: Arc<dyn Store>) {
    let hand = Hand::on(store).await;
    let other = UserId(Uuid::from_bytes([0xff; 16]));
    let new = NewUser { id: other, name: "grace".into(), role: UserRole::Member, at: Timestamp(1) };
    assert_eq!(hand.write(Write::CreateUser(new)).await, Outcome::Written(Vec::new()));
    let set = async |user, rules: &[OwnRule]| {
        let written = hand.write(Write::SetRules { user, rules: rules.to_vec() }).await;
        assert_eq!(written, Outcome::Written(Vec::new()));
    };
    let all = async || hand.store.rules().await.expect("reads");
    assert_eq!(all().await, []);
    set(hand.user, &[own(1, 10), own(2, 20)]).await;
    set(other, &[own(3, 30)]).await;
    let theirs =
        async |user| all().await.into_iter().filter(|(of, _)| *of == user).map(|(_, own)| own).collect::<Vec<_>>();
    assert_eq!(theirs(hand.user).await, [own(1, 10), own(2, 20)]);
    // Put the other way round, and one of them is another.
    set(hand.user, &[own(2, 20), own(4, 40), own(1, 11)]).await;
    assert_eq!(theirs(hand.user).await, [own(2, 20), own(4, 40), own(1, 11)]);
    set(hand.user, &[]).await;
    assert_eq!((theirs(hand.user).await, theirs(other).await), (Vec::new(), vec![own(3, 30)]));
}
