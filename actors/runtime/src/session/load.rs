//! Takes sessions out of the store into memory, many together.
//!
//! After a crash thousands want to live again at once. Each by itself would cost the store two jobs and a dozen questions;
//! so those that come while others are being read are gathered and read as the next batch, as writes are.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use mosaic_store::StoreError;
use mosaic_types::journal::{Outcome, Snapshot, Write};
use mosaic_types::{Classify, Code, Epoch, ErrorClass, Failure, Point, SessionId};
use tokio::sync::{Semaphore, oneshot};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::wake::LOAD_AGAIN;
use crate::doors::Doors;

/// Sessions of one batch, at the most: bounds how long the last to come may wait for the first to be read.
const AT_ONCE: usize = 64;

/// Batches under way at once: one is claimed while the other is read.
const BATCHES: usize = 2;

/// For so long whoever has asked a session for something waits for it to be read.
const PATIENCE: Duration = Duration::from_secs(5);

/// What a session needs to live: what is stored of it, its epoch, and how much text of old exchanges it keeps, in bytes.
type Loaded = (Snapshot, Epoch, usize);

/// What becomes of a load; `None` where there is no such session.
type Answer = Result<Option<Loaded>, Failure>;

/// Whether somebody waits for a session that is being loaded. Clones are one.
#[derive(Debug, Clone, Default)]
pub(super) struct Asked(CancellationToken);

impl Asked {
    /// From now on somebody does.
    pub(super) fn set(&self) {
        self.0.cancel();
    }
}

/// A session in the line.
struct Waiting {
    id: SessionId,
    asked: Asked,
    answer: oneshot::Sender<Answer>,
}

/// The line of sessions that are to be read into memory; clones share it.
#[derive(Clone)]
pub struct Loads {
    line: Arc<Mutex<VecDeque<Waiting>>>,
    batches: Arc<Semaphore>,
}

impl Default for Loads {
    fn default() -> Self {
        Self { line: Arc::default(), batches: Arc::new(Semaphore::new(BATCHES)) }
    }
}

impl Loads {
    fn join(&self, id: &SessionId, asked: &Asked) -> oneshot::Receiver<Answer> {
        let (answer, answered) = oneshot::channel();
        self.line().push_back(Waiting { id: id.clone(), asked: asked.clone(), answer });
        answered
    }

    /// The next ones, at most [`AT_ONCE`]: first those that somebody waits for. Who left the line is passed over.
    fn next(&self) -> Vec<Waiting> {
        let mut line = self.line();
        line.retain(|waiting| !waiting.answer.is_closed());
        line.make_contiguous().sort_by_key(|waiting| !waiting.asked.0.is_cancelled());
        let count = line.len().min(AT_ONCE);
        line.drain(..count).collect()
    }

    fn line(&self) -> MutexGuard<'_, VecDeque<Waiting>> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Raises the session's epoch, so that nobody else writes to it any more, and reads what it needs to live.
///
/// # Errors
/// What the store says; `busy` where somebody has waited for too long.
pub(super) async fn load(doors: &Doors, id: &SessionId, asked: &Asked) -> Answer {
    let mut answered = doors.loads.join(id, asked);
    let impatient = async {
        asked.0.cancelled().await;
        sleep(PATIENCE).await;
    };
    tokio::pin!(impatient);
    // Whoever waits carries out the next batch when its turn comes, also one that it is not part of.
    let mut taken = false;
    loop {
        tokio::select! {
            biased;
            answer = &mut answered => match answer {
                Ok(answer) => return answer,
                // Who carried the batch out has died over it.
                Err(_) => (answered, taken) = (doors.loads.join(id, asked), false),
            },
            () = &mut impatient => {
                let sentence = "Many sessions are being read just now, and this one has to wait. Send the same request \
                                again in a moment.";
                return Err(Failure::new(Code::Busy, sentence).after(LOAD_AGAIN));
            }
            place = doors.loads.batches.acquire(), if !taken => {
                let _place = place.expect("the semaphore is never closed");
                let batch = doors.loads.next();
                taken = batch.is_empty();
                carry_out(doors, batch).await;
            }
        }
    }
}

/// Text of old exchanges that a session keeps at hand, in bytes a token of its agent's bound.
const BYTES_PER_TOKEN: usize = 4;

/// Claims the sessions of a batch and reads them.
async fn carry_out(doors: &Doors, batch: Vec<Waiting>) {
    let claims = batch.iter().map(|waiting| doors.commit(Write::Claim { session: waiting.id.clone() }));
    let mut claimed = Vec::with_capacity(batch.len());
    for (claim, waiting) in join_all(claims).await.into_iter().zip(batch) {
        match claim {
            Ok(Outcome::Claimed(epoch)) => claimed.push((waiting, epoch)),
            Ok(_) => drop(waiting.answer.send(Ok(None))),
            Err(failure) => drop(waiting.answer.send(Err(failure))),
        }
    }
    if claimed.is_empty() {
        return;
    }
    Point::ClaimAfter.pass();
    let most = doors.agents.profiles().iter().map(|agent| agent.context_tokens).max().unwrap_or_default();
    let keep_bytes = most * BYTES_PER_TOKEN;
    let ids = claimed.iter().map(|(waiting, _)| waiting.id.clone()).collect();
    let read = match doors.store.snapshots(ids, keep_bytes).await {
        Ok(snapshots) => snapshots.into_iter().map(Ok).collect(),
        Err(error) if error.class() == ErrorClass::Defect && claimed.len() > 1 => {
            // One that cannot be read costs only itself.
            let each = claimed.iter().map(|(waiting, _)| doors.store.snapshot(&waiting.id, keep_bytes));
            join_all(each).await
        }
        Err(error) => vec![Err(error); claimed.len()],
    };
    for ((waiting, epoch), read) in claimed.into_iter().zip(read) {
        let loaded = |snapshot: Option<Snapshot>| snapshot.map(|snapshot| (snapshot, epoch, keep_bytes));
        // One that died meanwhile has a next life in the line.
        let _ = waiting.answer.send(read.map(loaded).map_err(StoreError::into));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn sessions_that_somebody_waits_for_are_read_first_and_those_that_left_are_not_read() {
        let loads = Loads::default();
        let name = |number: usize| format!("s-{number}").parse::<SessionId>().expect("a good id");
        let asked: Vec<Asked> = (0..2 * AT_ONCE).map(|_| Asked::default()).collect();
        let mut answers: Vec<_> = asked.iter().enumerate().map(|(at, asked)| loads.join(&name(at), asked)).collect();
        asked[100].set();
        asked[90].set();
        drop(answers.remove(0));
        let batch: Vec<_> = loads.next().into_iter().map(|waiting| waiting.id).collect();
        let expected: Vec<_> = [90, 100].into_iter().chain(1..AT_ONCE - 1).map(name).collect();
        assert_eq!(batch, expected);
        assert_eq!((loads.next().len(), loads.next().len()), (AT_ONCE - 1, 0));
    }
}
