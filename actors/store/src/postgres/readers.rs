//! The connections that only read.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};

use super::PATIENCE;
use super::dialect::Conn;
use super::jobs::Jobs;
use super::link::Link;
use super::place::Place;
use crate::StoreError;

/// Connections at the most. A read takes about a millisecond; a server's default is a hundred connections for all.
const READERS: usize = 4;

/// A read that met a lost connection is asked again, on a new one; so often in all.
const TRIES: usize = 3;

/// The pool of readers.
///
/// No pool of the field's: those open a connection on whichever runtime asks for it, where it dies with its arbiter.
pub(super) struct Readers {
    place: Arc<Place>,
    idle: Mutex<Vec<Link>>,
    /// Who has a permit has a connection, or a thread to open one on: those who wait hold nothing.
    free: Arc<Semaphore>,
}

impl Readers {
    pub(super) fn new(place: Arc<Place>) -> Self {
        Self { place, idle: Mutex::default(), free: Arc::new(Semaphore::new(READERS)) }
    }

    /// Runs `query` on a connection of its own, as one job that is finished also when the future is dropped.
    pub(super) fn run<T, F>(
        self: &Arc<Self>,
        jobs: &Arc<Jobs>,
        query: F,
    ) -> impl Future<Output = Result<T, StoreError>> + Send + use<T, F>
    where
        T: Send + 'static,
        F: AsyncFn(&mut Conn<'_>) -> Result<T, StoreError> + Send + 'static,
    {
        let (readers, jobs) = (self.clone(), jobs.clone());
        let deadline = Instant::now() + PATIENCE;
        async move {
            let free = timeout_at(deadline, readers.free.clone().acquire_owned()).await;
            let permit = free.map_err(|_| StoreError::Away("every connection is in use".into()))?;
            jobs.run(async move || {
                let _permit = permit;
                readers.ask(query, deadline).await
            })
            .await
        }
    }

    async fn ask<T>(
        &self,
        query: impl AsyncFn(&mut Conn<'_>) -> Result<T, StoreError>,
        deadline: Instant,
    ) -> Result<T, StoreError> {
        let mut tries = 1;
        loop {
            let idle = self.idle().pop();
            let link = match idle {
                Some(link) => link,
                None => Link::open(&self.place, deadline).await?,
            };
            let Ok(answer) = timeout_at(deadline, query(&mut link.conn())).await else {
                link.give_up().await;
                return Err(StoreError::Away("it did not answer in time".into()));
            };
            match answer {
                Ok(answer) => {
                    self.idle().push(link);
                    return Ok(answer);
                }
                Err(error) if link.undo().await => {
                    self.idle().push(link);
                    return Err(error);
                }
                Err(error) => {
                    // What happened to this one has most likely happened to the others.
                    self.idle().clear();
                    tracing::debug!(%error, "a connection was lost while it was read from");
                    if tries == TRIES {
                        return Err(StoreError::Away(error.to_string()));
                    }
                    tries += 1;
                }
            }
        }
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Link>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
