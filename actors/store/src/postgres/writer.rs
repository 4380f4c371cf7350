//! The one connection that writes, how a batch goes through it, and what happens when it is lost.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use diesel::result::{DatabaseErrorKind, Error as DieselError};
use diesel::sql_types::{Nullable, Text};
use diesel::{QueryableByName, sql_query};
use diesel_async::RunQueryDsl;
use futures_util::FutureExt;
use mosaic_types::journal::{Outcome, Write};
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep, timeout_at};

use super::batch;
use super::link::{Backend, Link, execute};
use super::place::Place;
use crate::StoreError;

/// A transaction that the server undid, or whose connection was lost before it was to be committed, is tried so often.
const TRIES: usize = 3;

/// A commit that was sent is waited for at least so long, and so long its fate is asked for.
const COMMIT: Duration = Duration::from_secs(2);

/// Pause between two questions about a transaction that is still being ended.
const ASK_AGAIN: Duration = Duration::from_millis(20);

/// Owns the connection that writes. Its jobs run one after the other.
pub(super) struct Writer {
    place: Arc<Place>,
    slot: Mutex<Slot>,
}

#[derive(Default)]
struct Slot {
    link: Option<Link>,
    /// The server's side of a connection that was lost: it may hold locks, and may not have heard of it.
    lost: Option<Backend>,
    /// It was said that the server is away.
    away: bool,
}

/// How a transaction failed.
enum Trouble {
    /// The server undid it; the connection is good.
    Refused(StoreError),
    /// The connection is lost, and nothing was committed.
    Lost(StoreError),
    /// It panicked on our side, before it was to be committed.
    Panicked,
    /// The connection was lost after the order to commit was given.
    InCommit { id: String },
}

impl Writer {
    pub(super) fn new(place: Arc<Place>) -> Self {
        Self { place, slot: Mutex::default() }
    }

    /// Carries out `batch` in one transaction, or, where that fails, each write in one of its own.
    pub(super) async fn commit(&self, batch: &[Write], deadline: Instant) -> Vec<Result<Outcome, StoreError>> {
        let Ok(mut slot) = timeout_at(deadline, self.slot.lock()).await else {
            return vec![Err(StoreError::Away("what was to be written before did not end".into())); batch.len()];
        };
        match self.transaction(&mut slot, batch, deadline).await {
            Ok(outcomes) => outcomes.into_iter().map(Ok).collect(),
            Err(error) if batch.len() > 1 && !is_of_the_server(&error) => {
                tracing::warn!(store.batch = batch.len(), %error, "batch failed, its writes are tried one by one");
                self.one_by_one(&mut slot, batch, deadline).await
            }
            Err(error) => vec![Err(error); batch.len()],
        }
    }

    async fn one_by_one(
        &self,
        slot: &mut Slot,
        batch: &[Write],
        deadline: Instant,
    ) -> Vec<Result<Outcome, StoreError>> {
        let mut outcomes = Vec::with_capacity(batch.len());
        let mut away = None;
        for write in batch {
            // A server that is away is waited for once: its patience is the batch's, not each write's.
            let outcome = match &away {
                Some(error) => Err(StoreError::clone(error)),
                None => {
                    self.transaction(slot, std::slice::from_ref(write), deadline).await.map(|mut one| one.remove(0))
                }
            };
            if let Err(error @ StoreError::Away(_)) = &outcome {
                away = Some(error.clone());
            }
            outcomes.push(outcome);
        }
        outcomes
    }

    /// Writes a row and takes it away again, in one commit that goes through to the disk.
    pub(super) async fn probe(&self, deadline: Instant) -> Result<(), StoreError> {
        let Ok(mut slot) = timeout_at(deadline, self.slot.lock()).await else {
            return Err(StoreError::Away("what was to be written before did not end".into()));
        };
        let statements = "BEGIN; INSERT INTO cursors (channel, scope, value, updated_at) VALUES ('', 'writable', '', \
                          now()) ON CONFLICT DO NOTHING; DELETE FROM cursors WHERE channel = '' AND scope = \
                          'writable'; COMMIT";
        let mut tries = 1;
        loop {
            let link = self.connected(&mut slot, deadline).await?;
            let error = match timeout_at(deadline, execute(&mut link.conn(), statements)).await {
                Ok(Ok(())) => {
                    slot.link = Some(link);
                    return Ok(());
                }
                Ok(Err(error)) if link.undo().await => {
                    slot.link = Some(link);
                    return Err(error);
                }
                Ok(Err(error)) => error,
                Err(_) => StoreError::Away("it did not answer in time".into()),
            };
            slot.lost = Some(link.backend.clone());
            link.give_up().await;
            if tries == TRIES {
                return Err(error);
            }
            tries += 1;
        }
    }

    /// Takes the connection out of its slot, or opens one. Whoever uses it puts it back while it is good.
    async fn connected(&self, slot: &mut Slot, deadline: Instant) -> Result<Link, StoreError> {
        if let Some(link) = slot.link.take() {
            return Ok(link);
        }
        let link = match Link::open(&self.place, deadline).await {
            Ok(link) => link,
            Err(error) => {
                // Said once: while it lasts, whoever asks is told.
                if !std::mem::replace(&mut slot.away, true) {
                    tracing::warn!(store.place = %self.place, %error, "nothing can be written until the server is back");
                }
                return Err(error);
            }
        };
        if std::mem::take(&mut slot.away) {
            tracing::info!(store.place = %self.place, "the server is back");
        }
        if let Some(lost) = slot.lost.take() {
            link.end(&lost).await?;
        }
        Ok(link)
    }

    async fn transaction(
        &self,
        slot: &mut Slot,
        batch: &[Write],
        deadline: Instant,
    ) -> Result<Vec<Outcome>, StoreError> {
        let mut tries = 1;
        loop {
            let link = self.connected(slot, deadline).await?;
            let (outcomes, trouble) = attempt(&link, batch, deadline).await;
            let error = match trouble {
                None => {
                    slot.link = Some(link);
                    return Ok(outcomes);
                }
                Some(Trouble::Refused(error)) => {
                    slot.link = Some(link);
                    if !may_pass(&error) {
                        return Err(error);
                    }
                    error
                }
                Some(Trouble::Lost(error)) => {
                    slot.lost = Some(link.backend.clone());
                    link.give_up().await;
                    StoreError::Away(error.to_string())
                }
                Some(Trouble::Panicked) => {
                    slot.lost = Some(link.backend.clone());
                    link.give_up().await;
                    return Err(StoreError::Panicked);
                }
                Some(Trouble::InCommit { id }) => {
                    let before = link.backend.clone();
                    slot.lost = Some(before.clone());
                    drop(link);
                    tracing::warn!(store.batch = batch.len(), "the connection was lost in a commit");
                    match self.fate(slot, &before, &id).await {
                        Some(true) => return Ok(outcomes),
                        Some(false) => StoreError::Away("the connection was lost in a commit".into()),
                        None => return Err(StoreError::Unknown),
                    }
                }
            };
            tracing::debug!(%error, "a transaction failed");
            if tries == TRIES || Instant::now() >= deadline {
                return Err(error);
            }
            tries += 1;
        }
    }

    /// Whether transaction `id` of a connection that was lost is committed; `None`: nobody knows.
    async fn fate(&self, slot: &mut Slot, before: &Backend, id: &str) -> Option<bool> {
        let deadline = Instant::now() + COMMIT;
        let asking = async {
            let link = self.connected(slot, deadline).await.ok()?;
            // A crash may give a number away twice, and a server that took over may never have heard of this one.
            let same_server = link.backend.server == before.server;
            let fate = if same_server { ask(&link, id).await } else { None };
            slot.link = Some(link);
            fate
        };
        timeout_at(deadline, asking).await.ok().flatten()
    }
}

/// Asks until the transaction has ended one way or the other.
async fn ask(link: &Link, id: &str) -> Option<bool> {
    #[derive(QueryableByName)]
    struct Status {
        #[diesel(sql_type = Nullable<Text>)]
        status: Option<String>,
    }
    loop {
        let question = sql_query("SELECT pg_xact_status($1::xid8) AS status").bind::<Text, _>(id);
        let Status { status } = question.get_result(&mut link.conn()).await.ok()?;
        match status?.as_str() {
            "committed" => return Some(true),
            "aborted" => return Some(false),
            _ => sleep(ASK_AGAIN).await,
        }
    }
}

/// One try. The outcomes count where there is no trouble, or where it turns out that there was none.
async fn attempt(link: &Link, batch: &[Write], deadline: Instant) -> (Vec<Outcome>, Option<Trouble>) {
    let none = |trouble| (Vec::new(), Some(trouble));
    let work = async {
        execute(&mut link.conn(), "BEGIN").await?;
        batch::apply(link.conn(), batch).await
    };
    let (outcomes, id) = match timeout_at(deadline, AssertUnwindSafe(work).catch_unwind()).await {
        // What it had asked may be under way still, so the connection is not used again.
        Ok(Err(_)) => return none(Trouble::Panicked),
        Ok(Ok(done)) => match done {
            Ok(done) => done,
            Err(error) if link.undo().await => return none(Trouble::Refused(error)),
            Err(error) => return none(Trouble::Lost(error)),
        },
        Err(_) => return none(Trouble::Lost(StoreError::Away("it did not answer in time".into()))),
    };
    let patience = deadline.max(Instant::now() + COMMIT);
    match timeout_at(patience, execute(&mut link.conn(), "COMMIT")).await {
        Ok(Ok(())) => (outcomes, None),
        Ok(Err(error)) if link.undo().await => none(Trouble::Refused(error)),
        _ => (outcomes, Some(Trouble::InCommit { id })),
    }
}

/// Whether the failure is the server's, so that trying each write by itself is of no use.
fn is_of_the_server(error: &StoreError) -> bool {
    matches!(error, StoreError::Away(_) | StoreError::Login(_) | StoreError::Unknown | StoreError::ReadOnly)
}

/// Whether the same may succeed when it is tried again: two transactions stood in each other's way.
fn may_pass(error: &StoreError) -> bool {
    let StoreError::Refused(error) = error else { return false };
    matches!(&**error, DieselError::DatabaseError(DatabaseErrorKind::SerializationFailure, _))
        || error.to_string().contains("deadlock detected")
}
