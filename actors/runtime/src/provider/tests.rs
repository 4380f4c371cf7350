use std::sync::Arc;
use std::time::Duration;

use mosaic_messages::CallResult;
use mosaic_types::ErrorClass;
use tokio::time::Instant;

use super::state::ProviderState;

#[actix::test]
async fn a_pause_holds_one_model_for_as_long_as_was_asked() {
    tokio::time::pause();
    let mut state = ProviderState::default();
    let (big, small): (Arc<str>, Arc<str>) = ("big".into(), "small".into());
    let asked = ErrorClass::Transient { retry_after: Some(Duration::from_secs(7)) };
    state.ended(&big, CallResult::Failed(asked), Instant::now());
    assert_eq!(state.rest(&big, Instant::now()), Some(Duration::from_secs(7)));
    assert_eq!(state.rest(&small, Instant::now()), None);
    tokio::time::advance(Duration::from_secs(7)).await;
    assert_eq!(state.rest(&big, Instant::now()), None);
}

#[actix::test]
async fn an_answer_ends_the_pause_and_a_plain_failure_begins_none() {
    tokio::time::pause();
    let mut state = ProviderState::default();
    let model: Arc<str> = "m".into();
    state.ended(&model, CallResult::Failed(ErrorClass::Overloaded), Instant::now());
    assert!(state.rest(&model, Instant::now()).is_some());
    state.ended(&model, CallResult::Answered, Instant::now());
    state.ended(&model, CallResult::Failed(ErrorClass::Defect), Instant::now());
    assert_eq!(state.rest(&model, Instant::now()), None);
}

#[actix::test]
async fn a_rest_that_is_over_is_forgotten_though_nobody_asks_for_its_model_again() {
    tokio::time::pause();
    let mut state = ProviderState::default();
    for name in ["once", "never again"] {
        state.ended(&name.into(), CallResult::Failed(ErrorClass::Overloaded), Instant::now());
    }
    assert!(state.any_rests(Instant::now()));
    tokio::time::advance(Duration::from_secs(5)).await;
    assert!(!state.any_rests(Instant::now()), "so that calls take their places without asking the actor again");
}
