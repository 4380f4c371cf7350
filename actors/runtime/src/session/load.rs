//! Takes a session out of the store into memory.

use std::sync::Arc;
use std::time::Duration;

use mosaic_types::journal::{Outcome, Snapshot, Write};
use mosaic_types::{Code, Epoch, Failure, Point, SessionId};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

use super::actor::LOAD_AGAIN;
use crate::doors::Doors;

/// Sessions that are taken out of the store at once. After a crash thousands may want to, and a store has a few seconds
/// of patience with each: asked all together, many would wait for nothing, ask again, and so hold up the others. Some
/// dozen are enough that commits are shared and no connection rests.
const AT_ONCE: usize = 64;

/// For so long a session waits for its place, and with it whoever has asked it for something.
const PATIENCE: Duration = Duration::from_secs(5);

/// The places at the store for sessions that are read into memory.
#[derive(Clone)]
pub struct Loads(Arc<Semaphore>);

impl Default for Loads {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(AT_ONCE)))
    }
}

impl Loads {
    async fn place(&self) -> Result<SemaphorePermit<'_>, Failure> {
        let place = timeout(PATIENCE, self.0.acquire()).await.map_err(|_| {
            let sentence = "Many sessions are being read just now, and this one has to wait. Send the same request \
                            again in a moment.";
            Failure::new(Code::Busy, sentence).after(LOAD_AGAIN)
        })?;
        Ok(place.expect("the semaphore is never closed"))
    }
}

/// Text of old exchanges that a session keeps at hand, in bytes a token of its agent's bound.
const BYTES_PER_TOKEN: usize = 4;

/// Raises the session's epoch, so that nobody else writes to it any more, and reads what it needs to live.
///
/// Answers `None` where there is no such session.
pub(super) async fn load(doors: &Doors, id: &SessionId) -> Result<Option<(Snapshot, Epoch, usize)>, Failure> {
    let _place = doors.loads.place().await?;
    let epoch = match doors.commit(Write::Claim { session: id.clone() }).await? {
        Outcome::Claimed(epoch) => epoch,
        _ => return Ok(None),
    };
    Point::ClaimAfter.pass();
    let most = doors.agents.profiles().iter().map(|agent| agent.context_tokens).max().unwrap_or_default();
    let keep_bytes = most * BYTES_PER_TOKEN;
    let snapshot = doors.store.snapshot(id, keep_bytes).await?;
    Ok(snapshot.map(|snapshot| (snapshot, epoch, keep_bytes)))
}
