//! A write that panics, for tests of what that costs.

use std::sync::Arc;

use mosaic_types::journal::{Outcome, Write};

use crate::contract::Hand;
use crate::{Store, StoreError};

/// Claims of this session panic.
pub(crate) const PANICS: &str = "panics";

/// What such a write costs: its own transaction.
pub(crate) async fn a_panic_costs_only_itself(store: Arc<dyn Store>) {
    let hand = Hand::on(store).await;
    let claim = |id: &str| Write::Claim { session: id.parse().expect("valid") };
    let ask = |number| Write::Accept(Box::new(hand.accept(number, false)));
    let outcomes = hand.commit(vec![ask(1), claim(PANICS), ask(2)]).await;
    assert!(matches!(&outcomes[..], [Ok(Outcome::Written(_)), Err(StoreError::Panicked), Ok(Outcome::Written(_))]));
    assert!(matches!(hand.commit(vec![claim(PANICS)]).await[0], Err(StoreError::Panicked)));
    assert_eq!(hand.ask(3, false).await.len(), 1, "the next one goes through");
}

/// Panics at a claim of [`PANICS`].
pub(crate) fn panic_at(write: &Write) {
    assert!(!matches!(write, Write::Claim { session } if session.as_str() == PANICS), "planted in a write");
}
