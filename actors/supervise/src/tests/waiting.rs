//! Those who wait for a child that is away.

use std::sync::Mutex;

use super::*;

/// Writes down who it heard.
struct Scribe {
    heard: Arc<Mutex<Vec<u32>>>,
    _tether: Tether,
}

impl Actor for Scribe {
    type Context = Context<Self>;
}
supervised!(Scribe);

#[derive(Message)]
#[rtype(result = "()")]
struct Hear(u32);

impl Handler<Hear> for Scribe {
    type Result = ();
    fn handle(&mut self, heard: Hear, _: &mut Self::Context) {
        self.heard.lock().expect("nobody panics").push(heard.0);
    }
}

#[actix::test]
async fn those_who_wait_for_a_child_are_served_in_the_order_in_which_they_came() {
    let heard: Arc<Mutex<Vec<u32>>> = Arc::default();
    let root = Supervisor::start_root("root", Scope::Shared(Budget::default()), 7, |_| {});
    let notes = heard.clone();
    let spec = ChildSpec::new("scribe", Restart::Permanent, Mailbox::default(), move |birth| Scribe {
        heard: notes.clone(),
        _tether: birth.tether,
    });
    let link = spec.link();
    let asked: Vec<_> = (0..100)
        .map(|number| {
            let link = link.clone();
            actix::spawn(async move { link.ask(Hear(number)).await })
        })
        .collect();
    tokio::task::yield_now().await;
    root.adopt(spec);
    for asked in asked {
        assert_eq!(asked.await.expect("it is not cancelled"), Ok(()));
    }
    assert_eq!(*heard.lock().expect("nobody panics"), (0..100).collect::<Vec<_>>());
}
