//! Asks whether the database takes writes, once at a time.
//!
//! Health is asked often, and by callers with little patience. While a database is held or away each probe would stand
//! in the writer's way for as long as a commit does; so whoever asks meanwhile gets the answer of the probe under way.

use std::sync::{Mutex, PoisonError};

use tokio::sync::watch;

use crate::StoreError;

/// `None` until it is known.
type Given = Option<Result<(), StoreError>>;

/// The newest probe.
#[derive(Default)]
pub(crate) struct Probe {
    newest: Mutex<Option<watch::Receiver<Given>>>,
}

/// Where the answer of a probe is wanted. Dropped, it says that there will be none.
pub(crate) struct Answer(watch::Sender<Given>);

impl Answer {
    pub(crate) fn give(self, answer: Result<(), StoreError>) {
        self.0.send_replace(Some(answer));
    }
}

impl Probe {
    /// Joins the probe under way, or begins one with `start`.
    pub(crate) fn ask<F>(&self, start: F) -> impl Future<Output = Result<(), StoreError>> + Send + use<F>
    where
        F: FnOnce(Answer),
    {
        let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        let under_way = newest.take().filter(|probe| probe.borrow().is_none() && probe.has_changed().is_ok());
        let mut probe = under_way.unwrap_or_else(|| {
            let (answer, probe) = watch::channel(None);
            start(Answer(answer));
            probe
        });
        *newest = Some(probe.clone());
        async move {
            let answer = probe.wait_for(Option::is_some).await.map_err(|_| StoreError::Closed)?;
            answer.clone().expect("it was waited for")
        }
    }
}
