//! Asks whether the disk takes writes, once at a time.
//!
//! Health is asked often, and by callers with little patience. While a lock is held elsewhere each probe would stand
//! in the writer's way for as long as a commit does; so whoever asks meanwhile gets the answer of the probe under way.

use std::sync::{Arc, Mutex, PoisonError};

use diesel::SqliteConnection;
use diesel::connection::SimpleConnection;
use tokio::sync::watch;

use super::writer::{Writer, transaction};
use crate::StoreError;

type Answer = Option<Result<(), StoreError>>;

/// The newest probe.
#[derive(Default)]
pub(super) struct Probe {
    newest: Mutex<Option<watch::Receiver<Answer>>>,
}

impl Probe {
    /// Joins the probe under way, or starts one.
    pub(super) fn ask(&self, writer: &Arc<Writer>) -> impl Future<Output = Result<(), StoreError>> + Send + use<> {
        let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        let under_way = newest.take().filter(|probe| probe.borrow().is_none() && probe.has_changed().is_ok());
        let mut probe = under_way.unwrap_or_else(|| start(writer));
        *newest = Some(probe.clone());
        async move {
            let answer = probe.wait_for(Option::is_some).await.map_err(|_| StoreError::Closed)?;
            answer.clone().expect("it was waited for")
        }
    }
}

fn start(writer: &Arc<Writer>) -> watch::Receiver<Answer> {
    let (done, probe) = watch::channel(None);
    // The job goes on without its future.
    drop(writer.run(move |conn| {
        done.send_replace(Some(write(conn)));
        Ok(())
    }));
    probe
}

/// Writes a row and takes it away again, in one commit that goes through to the disk.
fn write(conn: &mut SqliteConnection) -> Result<(), StoreError> {
    transaction(conn, "BEGIN IMMEDIATE", |conn| {
        Ok(conn.batch_execute(
            "INSERT INTO cursors (channel, scope, value, updated_at) VALUES ('', 'writable', '', 0);
             DELETE FROM cursors WHERE channel = '' AND scope = 'writable';",
        )?)
    })
}
