//! The store of a simulated house: tables in memory behind the trait of every store, on a disk that is slow, refuses,
//! or is cut off in the middle of a batch, as the world says.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mosaic_store::{Store, StoreError, Work};
use mosaic_types::journal::{
    InboxKey, MessageRow, Outcome, SessionQuery, SessionRow, Snapshot, TokenRow, TurnRow, Write,
};
use mosaic_types::ledger::{UsageQuery, UsageSum};
use mosaic_types::outbox::{Conversation, Item, ItemCount};
use mosaic_types::page::{Limit, Page};
use mosaic_types::pairing::PairingRow;
use mosaic_types::signin::{Browser, LinkRow};
use mosaic_types::{Attachment, AttachmentId, ChatMessage, Seq, SessionEvent, SessionId, TurnId, UserId};
use tokio::sync::oneshot;

use super::World;
use super::disk::Disk;

/// Tables that outlive the process.
pub(crate) type Tables = Arc<Mutex<Disk>>;

type Results = Result<Vec<Result<Outcome, StoreError>>, StoreError>;

/// A store over tables in memory.
pub(crate) struct MemoryStore {
    tables: Tables,
    /// Who says what goes wrong; `None`: nothing does.
    world: Option<Arc<World>>,
    /// Jobs are done one after the other, in the order in which they came.
    turn: Arc<tokio::sync::Mutex<()>>,
}

/// What the disk does with a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Done,
    /// Nothing of it is done, and all are told at once.
    Refused,
    /// Nothing of it is done, and each is told by itself.
    EachRefused,
    /// It is done, and nobody is told.
    DoneUnknown,
    /// Nothing of it is done, and nobody is told so.
    LostUnknown,
}

/// What happens to a batch, and how long it takes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fate {
    pub(crate) verdict: Verdict,
    /// Until it is done.
    pub(crate) before: Duration,
    /// From then until it is told.
    pub(crate) after: Duration,
}

pub(crate) fn lock(tables: &Tables) -> MutexGuard<'_, Disk> {
    tables.lock().unwrap_or_else(PoisonError::into_inner)
}

impl MemoryStore {
    /// A store over `tables` to which happens what `world` says.
    pub(crate) fn new(tables: Tables, world: Option<Arc<World>>) -> Self {
        Self { tables, world, turn: Arc::default() }
    }

    /// Reads one state of the tables, now or a little later.
    fn read<T: Send + 'static>(
        &self,
        query: impl FnOnce(&Disk) -> Result<T, StoreError> + Send + 'static,
    ) -> Work<'_, T> {
        Box::pin(async move {
            if let Some(world) = &self.world {
                let (fails, takes) = world.read_fate();
                if !takes.is_zero() {
                    tokio::time::sleep(takes).await;
                }
                if fails {
                    return Err(StoreError::Io("planted: a read".to_owned()));
                }
            }
            query(&lock(&self.tables))
        })
    }
}

fn carry_out(tables: &Tables, world: Option<&World>, verdict: Verdict, batch: &[Write]) -> Results {
    match verdict {
        Verdict::Done => Ok(apply(tables, world, batch)),
        Verdict::DoneUnknown => {
            drop(apply(tables, world, batch));
            Err(StoreError::Unknown)
        }
        Verdict::LostUnknown => Err(StoreError::Unknown),
        Verdict::Refused => Err(StoreError::Io("planted: a batch".to_owned())),
        Verdict::EachRefused => Ok(batch.iter().map(|_| Err(StoreError::Full)).collect()),
    }
}

/// Does each write, or not where the store has a grudge against it.
pub(super) fn apply(tables: &Tables, world: Option<&World>, batch: &[Write]) -> Vec<Result<Outcome, StoreError>> {
    let mut disk = lock(tables);
    let one = |write| match world {
        Some(world) if world.begrudges(write) => Err(StoreError::Panicked),
        _ if disk.post.begrudges(write) => Err(StoreError::Panicked),
        _ => disk.apply(write),
    };
    batch.iter().map(one).collect()
}

impl Store for MemoryStore {
    fn commit(&self, batch: Vec<Write>) -> Work<'static, Vec<Result<Outcome, StoreError>>> {
        let Some(world) = self.world.clone() else {
            return Box::pin(std::future::ready(carry_out(&self.tables, None, Verdict::Done, &batch)));
        };
        let fate = world.commit_fate();
        let job = world.job_began(batch, fate.verdict);
        let (tell, told) = oneshot::channel();
        let (tables, turn) = (self.tables.clone(), self.turn.clone());
        let work = async move {
            let held = turn.lock().await;
            tokio::time::sleep(fate.before).await;
            let results = match world.job_done(job) {
                Some(batch) => {
                    let results = carry_out(&tables, Some(&world), fate.verdict, &batch);
                    world.written(&batch, &results);
                    results
                }
                None => Err(StoreError::Closed),
            };
            drop(held);
            tokio::time::sleep(fate.after).await;
            let _ = tell.send(results);
        };
        // Not the caller's: a batch goes on when whoever sent it is gone.
        #[allow(clippy::disallowed_methods)]
        tokio::spawn(work);
        Box::pin(async move { told.await.unwrap_or(Err(StoreError::Closed)) })
    }

    fn session(&self, id: &SessionId) -> Work<'_, Option<SessionRow>> {
        let id = id.clone();
        self.read(move |disk| Ok(disk.sessions.get(&id).map(|table| table.row.clone())))
    }

    fn events(&self, id: &SessionId, after: Seq, limit: Limit) -> Work<'_, Vec<SessionEvent>> {
        let id = id.clone();
        self.read(move |disk| {
            let all = disk.sessions.get(&id).map(|table| table.events.as_slice()).unwrap_or_default();
            let from = usize::try_from(after).unwrap_or(0).min(all.len());
            Ok(all[from..].iter().take(limit.rows()).cloned().collect())
        })
    }

    fn known(&self, key: &InboxKey) -> Work<'_, Option<(TurnId, [u8; 32])>> {
        let key = key.clone();
        self.read(move |disk| Ok(disk.known(&key)))
    }

    fn turn(&self, id: TurnId) -> Work<'_, Option<TurnRow>> {
        self.read(move |disk| {
            let found = disk.turn(id).map(|(table, turn)| (table.row.id.clone(), turn.state));
            Ok(found.map(|(session, state)| TurnRow { id, session, state, end: disk.end_of(id) }))
        })
    }

    fn snapshots(&self, ids: Vec<SessionId>, context_bytes: usize) -> Work<'_, Vec<Option<Snapshot>>> {
        self.read(move |disk| Ok(ids.iter().map(|id| disk.snapshot(id, context_bytes)).collect()))
    }

    fn context_before(&self, _: &SessionId, _: Seq, _: usize) -> Work<'_, Vec<ChatMessage>> {
        nobody_asks()
    }

    fn unfinished(&self) -> Work<'_, Vec<SessionId>> {
        self.read(|disk| Ok(disk.unfinished()))
    }

    fn held_items(&self) -> Work<'_, Vec<Item>> {
        self.read(|disk| Ok(disk.post.held()))
    }

    fn item_counts(&self) -> Work<'_, Vec<ItemCount>> {
        self.read(|disk| Ok(disk.post.counts()))
    }

    fn preview(&self, turn: TurnId, conversation: &Conversation) -> Work<'_, Option<String>> {
        let to = conversation.clone();
        self.read(move |disk| Ok(disk.post.preview(turn, &to)))
    }

    fn shown(&self, _: &Conversation) -> Work<'_, Vec<String>> {
        // Its platform knows its messages by their nonces.
        self.read(|_| Ok(Vec::new()))
    }

    fn owes(&self, conversation: &Conversation) -> Work<'_, bool> {
        let to = conversation.clone();
        self.read(move |disk| Ok(disk.post.owes(&to)))
    }

    fn binding(&self, conversation: &Conversation) -> Work<'_, Option<(SessionId, UserId)>> {
        let of = conversation.clone();
        self.read(move |disk| Ok(disk.binding(&of)))
    }

    fn writable(&self) -> Work<'_, ()> {
        self.read(|_| Ok(()))
    }

    fn sessions(&self, _: SessionQuery, _: Option<String>, _: Limit) -> Work<'_, Page<SessionRow>> {
        nobody_asks()
    }

    fn messages(&self, _: &SessionId, _: Option<String>, _: Limit) -> Work<'_, Page<MessageRow>> {
        nobody_asks()
    }

    fn latest(&self, _: &SessionId, _: Seq, _: Limit) -> Work<'_, Vec<MessageRow>> {
        nobody_asks()
    }

    fn attachment(&self, _: &SessionId, _: AttachmentId) -> Work<'_, Option<Attachment>> {
        nobody_asks()
    }

    fn usage(&self, _: UsageQuery, _: Option<String>, _: Limit) -> Work<'_, Page<UsageSum>> {
        nobody_asks()
    }

    fn tokens(&self) -> Work<'_, Vec<TokenRow>> {
        nobody_asks()
    }

    fn browsers(&self) -> Work<'_, Vec<Browser>> {
        nobody_asks()
    }

    fn links(&self) -> Work<'_, Vec<LinkRow>> {
        nobody_asks()
    }

    fn pairings(&self) -> Work<'_, Vec<PairingRow>> {
        nobody_asks()
    }

    fn cursors(&self, _: &str, _: Limit) -> Work<'_, Vec<(String, String)>> {
        nobody_asks()
    }

    fn rules(&self) -> Work<'_, Vec<(UserId, mosaic_types::routing::OwnRule)>> {
        nobody_asks()
    }

    fn users(&self) -> Work<'_, Vec<mosaic_types::journal::UserRow>> {
        nobody_asks()
    }

    fn audit(&self, _: Limit) -> Work<'_, Vec<mosaic_types::journal::AuditRow>> {
        nobody_asks()
    }

    fn owner(&self) -> Work<'_, Option<UserId>> {
        nobody_asks()
    }
}

/// The gateway's questions; there is none in a simulated house.
fn nobody_asks<'a, T: Send + 'a>() -> Work<'a, T> {
    Box::pin(std::future::ready(Err(StoreError::Closed)))
}
