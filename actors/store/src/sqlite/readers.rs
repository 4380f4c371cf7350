//! The connections that only read.

use std::error::Error;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use diesel::SqliteConnection;
use diesel_async::pooled_connection::deadpool::{Object, Pool};
use diesel_async::pooled_connection::{AsyncDieselConnectionManager, ManagerConfig, RecyclingMethod};
use diesel_async::sync_connection_wrapper::{SpawnBlocking, SyncConnectionWrapper};
use futures_util::FutureExt;
use futures_util::future::{self, BoxFuture};

use super::place::Place;
use crate::StoreError;

/// Connections at the most, each opened when it is first needed. A read takes well under a millisecond, so four keep
/// two cores busy.
const READERS: usize = 4;

/// A connection whose work is done on the thread that asks for it.
///
/// With the usual runtime the wrapper would spawn each query by itself; a reader that hangs up then puts a connection
/// back while it still works, and the pool panics over it. Here a whole read is one job, and the connection goes back
/// when the job has ended.
type Reader = SyncConnectionWrapper<SqliteConnection, InPlace>;

struct InPlace;

impl SpawnBlocking for InPlace {
    fn spawn_blocking<'a, R>(
        &mut self,
        task: impl FnOnce() -> R + Send + 'static,
    ) -> BoxFuture<'a, Result<R, Box<dyn Error + Send + Sync + 'static>>>
    where
        R: Send + 'static,
    {
        future::ready(Ok(task())).boxed()
    }

    fn get_runtime() -> Self {
        Self
    }
}

/// The pool of readers; clones share it.
#[derive(Clone)]
pub(super) struct Readers {
    pool: Pool<Reader>,
}

impl Readers {
    /// Makes the pool; nothing is opened yet.
    pub(super) fn new(place: Place, patience: Duration) -> Result<Self, StoreError> {
        let mut config = ManagerConfig::default();
        config.recycling_method = RecyclingMethod::Fast;
        config.custom_setup = Box::new(move |_| {
            let place = place.clone();
            async move {
                let opened = tokio::task::spawn_blocking(move || place.reader(patience)).await;
                let opened = opened.map_err(StoreError::from).flatten();
                opened.map(Reader::new).map_err(|error| diesel::ConnectionError::BadConnection(error.to_string()))
            }
            .boxed()
        });
        let manager = AsyncDieselConnectionManager::new_with_config("", config);
        let pool = Pool::builder(manager).max_size(READERS).build();
        Ok(Self { pool: pool.map_err(|error| StoreError::Io(error.to_string()))? })
    }

    /// Closes every connection that nobody uses just now.
    pub(super) fn close(&self) {
        self.pool.retain(|_, _| false);
    }

    /// Runs `query` on a connection of its own, as one job that is finished also when the future is dropped.
    pub(super) async fn run<T, F>(&self, query: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&mut SqliteConnection) -> Result<T, StoreError> + Send + 'static,
    {
        let mut reader = self.pool.get().await.map_err(|error| {
            let message = error.to_string();
            StoreError::from_message(&message).unwrap_or(StoreError::Io(message))
        })?;
        let job = tokio::task::spawn_blocking(move || {
            let work = AssertUnwindSafe(|| reader.spawn_blocking(move |conn| Ok(query(conn))).now_or_never());
            match catch_unwind(work) {
                Ok(done) => done.expect("work in place is done when it is asked for")?,
                Err(_) => {
                    // A panic leaves the connection's lock poisoned, and the pool would panic over that in its turn.
                    drop(Object::take(reader));
                    Err(StoreError::Panicked)
                }
            }
        });
        job.await?
    }
}
