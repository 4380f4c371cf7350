//! The bound of a link, under more than it can take (C16).

use super::*;

use std::sync::atomic::AtomicUsize;

/// Messages that exist, and the most there ever were.
#[derive(Default)]
struct Census {
    now: AtomicUsize,
    most: AtomicUsize,
    handled: AtomicUsize,
}

/// A message that is counted from its making to its end.
struct Load(Arc<Census>);

impl Load {
    fn new(census: &Arc<Census>) -> Self {
        let now = census.now.fetch_add(1, Ordering::Relaxed) + 1;
        census.most.fetch_max(now, Ordering::Relaxed);
        Self(census.clone())
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.0.now.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Message for Load {
    type Result = ();
}

impl Handler<Load> for Worker {
    type Result = ();
    fn handle(&mut self, load: Load, _: &mut Self::Context) {
        load.0.handled.fetch_add(1, Ordering::Relaxed);
    }
}

const FLOOD: usize = 100_000;

#[actix::test]
async fn a_flood_of_tells_is_refused_at_the_bound_and_the_stop_is_felt_after_one_mailbox() {
    let bed = Bed::new(Scope::Each(Budget::default()));
    let (child, census) = (bed.child("child", Restart::Transient), Arc::<Census>::default());
    child.up().await.expect("it lives");
    let mut refused = 0;
    for sender in [&child; 10].map(Clone::clone) {
        for _ in 0..FLOOD / 10 {
            match sender.tell(Load::new(&census)) {
                Ok(()) => {}
                Err(error) => {
                    assert_eq!(error, LinkError::Full);
                    refused += 1;
                }
            }
        }
    }
    assert_eq!((refused, child.depth()), (FLOOD - 4, 4));
    // Four that wait, and the one that was just offered.
    assert_eq!(census.most.load(Ordering::Relaxed), 5);
    child.control(Control::Stop).expect("control passes the bound");
    let told = Instant::now();
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert!(child.is_gone() && told.elapsed() <= Duration::from_millis(50));
    assert_eq!(census.handled.load(Ordering::Relaxed), 4);
    assert_eq!((census.now.load(Ordering::Relaxed), child.depth()), (0, 0));
    assert_eq!(child.tell(Load::new(&census)), Err(LinkError::Gone));
}

#[actix::test]
async fn askers_who_leave_early_do_not_make_room_for_more() {
    let bed = Bed::new(Scope::Each(Budget::default()));
    let (child, census) = (bed.child("child", Restart::Transient), Arc::<Census>::default());
    child.up().await.expect("it lives");
    let mut refused = 0;
    for _ in 0..FLOOD {
        let ask = Box::pin(child.ask(Load::new(&census)));
        refused += usize::from(matches!(futures_poll_once(ask).await, Some(Err(LinkError::Full))));
    }
    assert_eq!((refused, child.depth(), census.most.load(Ordering::Relaxed)), (FLOOD - 4, 4, 5));
    tokio::time::sleep(Duration::from_millis(7)).await;
    // Nobody waits for their answers any more, so actix passes over them.
    assert_eq!((child.depth(), census.handled.load(Ordering::Relaxed)), (0, 0));
    assert_eq!(child.ask(Do::Answer).await, Ok(1));
}

#[actix::test]
async fn urge_goes_past_the_bound_and_is_answered() {
    let bed = Bed::new(Scope::Each(Budget::default()));
    let child = bed.child("child", Restart::Transient);
    child.up().await.expect("it lives");
    let mut asks: Vec<_> = (0..4).map(|_| Box::pin(child.ask(Forever))).collect();
    for ask in &mut asks {
        assert!(futures_poll_once(ask.as_mut()).await.is_none());
    }
    assert_eq!(child.ask(Do::Answer).await, Err(LinkError::Full));
    assert_eq!(child.tell(Do::Answer), Err(LinkError::Full));
    assert_eq!(child.urge(Do::Answer).await, Ok(1));
    assert_eq!(child.urge(Do::Panic).await, Err(LinkError::Died));
    drop(asks);
    assert_eq!(child.ask(Do::Answer).await, Ok(1));
}

#[actix::test]
async fn down_is_not_full_and_depth_and_the_oldest_wait_can_be_read() {
    let bed = Bed::new(Scope::Each(Budget { restarts: 0, ..Budget::default() }));
    let child = bed.child("child", Restart::Permanent);
    child.up().await.expect("it lives");
    assert_eq!((child.depth(), child.oldest_wait()), (0, Duration::ZERO));
    child.tell(Do::Answer).expect("there is room");
    tokio::time::advance(Duration::ZERO).await; // lets the clock stand still and others run
    child.control(Control::Panic).expect("it lives");
    for _ in 0..3 {
        child.tell(Do::Answer).expect("there is room");
    }
    assert_eq!(child.depth(), 3);
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert!(matches!(child.tell(Do::Answer), Err(LinkError::Down(_))));
    assert!(matches!(child.ask(Do::Answer).await, Err(LinkError::Down(why)) if why.contains("child ended 1 times")));
    assert_eq!((child.depth(), child.oldest_wait()), (0, Duration::ZERO), "what the dead left unread is counted off");
}
