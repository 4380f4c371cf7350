//! The runtime that connections live on, and the jobs on it.

use std::sync::Arc;

use tokio::runtime::{Builder, Runtime};

use crate::StoreError;

/// A runtime of the store's own: one thread drives every connection, and each job has a thread while it runs.
///
/// A job is a thread rather than a task so that its queries need not be `Send`, as SQLite's are not.
pub(super) struct Jobs {
    /// `None` once it is being dropped.
    runtime: Option<Runtime>,
}

impl Jobs {
    pub(super) fn start() -> Result<Self, StoreError> {
        let runtime = Builder::new_multi_thread().worker_threads(1).thread_name("mosaic-postgres").enable_all().build();
        Ok(Self { runtime: Some(runtime.map_err(|error| StoreError::Io(error.to_string()))?) })
    }

    /// Starts `job` at once; it goes on to its end also when the future is dropped.
    pub(super) fn run<T, F>(self: &Arc<Self>, job: F) -> impl Future<Output = Result<T, StoreError>> + Send + use<T, F>
    where
        T: Send + 'static,
        F: AsyncFnOnce() -> Result<T, StoreError> + Send + 'static,
    {
        let jobs = self.clone();
        self.run_blocking(move || jobs.runtime().handle().block_on(job()))
    }

    /// The same for work that blocks its thread.
    pub(super) fn run_blocking<T, F>(&self, job: F) -> impl Future<Output = Result<T, StoreError>> + Send + use<T, F>
    where
        T: Send + 'static,
        F: FnOnce() -> Result<T, StoreError> + Send + 'static,
    {
        let job = self.runtime().spawn_blocking(job);
        async move { job.await? }
    }

    pub(super) fn runtime(&self) -> &Runtime {
        self.runtime.as_ref().expect("it is taken out only when it is dropped")
    }
}

impl Drop for Jobs {
    fn drop(&mut self) {
        // Where this is an actor's thread or a job's, waiting for the runtime to end would be an error.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
