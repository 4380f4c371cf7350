//! Who works on this thread just now, readable from another.

use std::any::type_name;
use std::sync::Arc;

use crossbeam_utils::atomic::AtomicCell;

/// An actor and the message it handles, as the compiler names their types.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Names {
    /// Type of the actor.
    pub actor: &'static str,
    /// Type of the message.
    pub message: &'static str,
}

/// Names without a value of either: its address fits one atomic word, so that going on duty is a store.
pub(crate) fn names<A: 'static, M: 'static>() -> Names {
    Names { actor: type_name::<A>(), message: type_name::<M>() }
}

/// The work of one thread. A word that is read by the watchdog while the thread is stuck.
#[derive(Debug, Default)]
pub(crate) struct Desk {
    work: AtomicCell<Option<fn() -> Names>>,
}

impl Desk {
    /// What is being handled; `None` between handlers.
    pub(crate) fn work(&self) -> Option<Names> {
        self.work.load().map(|names| names())
    }
}

thread_local! {
    static DESK: Arc<Desk> = Arc::default();
}

/// The desk of this thread.
pub(crate) fn desk() -> Arc<Desk> {
    DESK.with(Arc::clone)
}

/// Ends a duty on drop.
#[derive(Debug)]
#[must_use = "the duty ends when this is dropped"]
pub struct Duty {
    before: Option<fn() -> Names>,
    /// It belongs to the thread it began on.
    _here: std::marker::PhantomData<*const ()>,
}

/// Marks this thread as handling `M` for `A` until the guard is dropped.
///
/// What comes through a [`Link`](crate::Link) is marked already. A handler that is reached by a bare address or
/// recipient marks itself: `let _duty = on_duty::<Self, M>();` costs two stores.
pub fn on_duty<A: 'static, M: 'static>() -> Duty {
    begin(names::<A, M>)
}

/// Who works on this thread just now; for one who tells of a panic.
pub fn at_work() -> Option<Names> {
    DESK.try_with(|desk| desk.work()).ok().flatten()
}

/// Work of `A` on `M` that goes on after the handler: each step of it is marked.
pub async fn marked<A: 'static, M: 'static, W: Future>(work: W) -> W::Output {
    let mut work = std::pin::pin!(work);
    std::future::poll_fn(move |cx| {
        let _duty = on_duty::<A, M>();
        work.as_mut().poll(cx)
    })
    .await
}

pub(crate) fn begin(names: fn() -> Names) -> Duty {
    let before = DESK.try_with(|desk| desk.work.swap(Some(names))).ok().flatten();
    Duty { before, _here: std::marker::PhantomData }
}

impl Drop for Duty {
    fn drop(&mut self) {
        // A thread that ends has no desk any more, and nobody looks for it.
        let _ = DESK.try_with(|desk| desk.work.store(self.before));
    }
}
