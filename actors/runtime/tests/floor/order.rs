//! What one sender sends without waiting is taken in as it was sent.

use futures_util::future::join_all;
use mosaic_types::journal::TurnState;
use mosaic_types::page::Limit;
use mosaic_types::{EventBody, limits};

use crate::house::House;
use crate::panic::When;

#[actix::test]
async fn what_is_sent_to_a_session_that_is_awake_without_waiting_is_accepted_in_the_order_of_sending() {
    let house = House::start(When::Held, 0).await;
    for _ in 0..20 {
        let session = house.session().await;
        assert_eq!(house.say(&session, "0").await.state, TurnState::Running);
        let inputs = (1..=limits::WAITING_INPUTS).map(|number| house.input(&session, &number.to_string()));
        let asked: Vec<_> = inputs.map(|input| house.router.ask(input)).collect();
        for answer in join_all(asked).await {
            answer.expect("the router answers").expect("there is room");
        }
        let limit = Limit::new(Some(200)).expect("a good limit");
        let events = house.doors.store.events(&session, 0, limit).await.expect("it can be read");
        let texts: Vec<String> = events
            .into_iter()
            .filter_map(|event| if let EventBody::TurnAccepted { text, .. } = event.body { Some(text) } else { None })
            .collect();
        let wanted: Vec<String> = (0..=limits::WAITING_INPUTS).map(|number| number.to_string()).collect();
        assert_eq!(texts, wanted);
    }
}
