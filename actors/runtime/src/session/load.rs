//! Takes a session out of the store into memory.

use mosaic_types::journal::{Outcome, Snapshot, Write};
use mosaic_types::{Epoch, Failure, Point, SessionId};

use crate::doors::Doors;

/// Text of old exchanges that a session keeps at hand, in bytes a token of its agent's bound.
const BYTES_PER_TOKEN: usize = 4;

/// Raises the session's epoch, so that nobody else writes to it any more, and reads what it needs to live.
///
/// Answers `None` where there is no such session.
pub(super) async fn load(doors: &Doors, id: &SessionId) -> Result<Option<(Snapshot, Epoch, usize)>, Failure> {
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
