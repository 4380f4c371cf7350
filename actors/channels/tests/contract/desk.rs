//! The house behind a channel under test: it takes each input in once, remembers all, and tells a turn as it is told to.

use std::collections::HashSet;
use std::future::ready;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use futures_util::future::LocalBoxFuture;
use mosaic_channels::{House, Look, Reader, Typed, Work};
use mosaic_messages::{Accepted, Kept, Receive, Received};
use mosaic_types::command::{CANCELLED, Line};
use mosaic_types::journal::TurnState;
use mosaic_types::outbox::Conversation;
use mosaic_types::pairing::NewPairing;
use mosaic_types::{
    AgentName, Attachment, Chance, Clock, Code, Failure, Outside, Principal, SessionEvent, SessionId, Timestamp,
    TurnId, UserId, UserRole,
};
use tokio::sync::{mpsc, watch};

/// The time of day, and chance that never repeats.
#[derive(Default)]
struct Real(AtomicU64);

impl Clock for Real {
    fn now(&self) -> Timestamp {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is later than 1970");
        Timestamp(i64::try_from(now.as_micros()).expect("the year is below 290,000"))
    }
}

impl Chance for Real {
    fn fill(&self, bytes: &mut [u8]) {
        for part in bytes.chunks_mut(8) {
            let drawn = self.0.fetch_add(1, Ordering::Relaxed).to_be_bytes();
            part.copy_from_slice(&drawn[8 - part.len()..]);
        }
    }
}

#[derive(Default)]
struct Memory {
    known: HashSet<(Arc<str>, Arc<str>)>,
    inputs: Vec<Receive>,
    /// How often something was to be taken in, known or not.
    told: usize,
    commands: Vec<String>,
    offered: usize,
    previews: Vec<Arc<str>>,
    stream: Option<mpsc::UnboundedReceiver<Arc<SessionEvent>>>,
}

#[derive(Clone)]
pub(crate) struct Desk(watch::Sender<Memory>, Outside);

impl Default for Desk {
    fn default() -> Self {
        let real = Arc::new(Real::default());
        Self(watch::Sender::default(), Outside::new(real.clone(), real))
    }
}

impl Desk {
    pub(crate) fn inputs(&self) -> Vec<Receive> {
        self.0.borrow().inputs.clone()
    }

    /// How often something was to be taken in.
    pub(crate) fn told(&self) -> usize {
        self.0.borrow().told
    }

    pub(crate) fn commands(&self) -> Vec<String> {
        self.0.borrow().commands.clone()
    }

    /// Strangers who were given a code.
    pub(crate) fn offered(&self) -> usize {
        self.0.borrow().offered
    }

    /// The messages that turns are streamed into.
    pub(crate) fn previews(&self) -> Vec<Arc<str>> {
        self.0.borrow().previews.clone()
    }

    /// The next turn that is read along with is told by this.
    pub(crate) fn stream(&self) -> mpsc::UnboundedSender<Arc<SessionEvent>> {
        let (tell, told) = mpsc::unbounded_channel();
        self.0.send_modify(|memory| memory.stream = Some(told));
        tell
    }

    /// Changes whenever something came to it.
    pub(crate) fn changes(&self) -> watch::Receiver<impl Sized> {
        self.0.subscribe()
    }
}

impl House for Desk {
    fn outside(&self) -> &Outside {
        &self.1
    }

    fn guest(&self) -> Principal {
        Principal { user: UserId(uuid::Uuid::nil()), role: UserRole::Member }
    }

    fn receive(&self, said: Receive) -> Work<Received> {
        let (turn, mut attached) = (said.turn, false);
        self.0.send_modify(|memory| {
            memory.told += 1;
            attached = !memory.known.insert((said.conversation.name.clone(), said.event.clone()));
            if !attached {
                memory.inputs.push(said);
            }
        });
        let accepted = Accepted { turn, state: TurnState::Running, attached };
        Box::pin(ready(Ok(Received { session: "s".parse().expect("valid"), accepted })))
    }

    fn command(&self, _: Typed, _: Option<AgentName>, line: Line) -> Work<String> {
        self.0.send_modify(|memory| memory.commands.push(line.command.name.to_owned()));
        Box::pin(ready(Ok(CANCELLED.to_owned())))
    }

    fn look(&self, _: Conversation, _: Arc<str>) -> Work<Look> {
        Box::pin(ready(Ok(Look::default())))
    }

    fn move_on(&self, _: Conversation, _: Conversation, _: Arc<str>) -> Work<()> {
        Box::pin(ready(Ok(())))
    }

    fn keep_preview(&self, _: TurnId, _: Conversation, platform_id: Arc<str>) -> Work<Kept> {
        self.0.send_modify(|memory| memory.previews.push(platform_id));
        Box::pin(ready(Ok(Kept::Kept)))
    }

    fn owes(&self, _: Conversation) -> Work<bool> {
        Box::pin(ready(Ok(false)))
    }

    fn file(&self, _: String, _: String, _: Vec<u8>) -> Result<Attachment, Failure> {
        Err(Failure::new(Code::BadRequest, "No file is good enough."))
    }

    fn offer(&self, _: NewPairing) -> Work<bool> {
        self.0.send_modify(|memory| memory.offered += 1);
        Box::pin(ready(Ok(true)))
    }

    fn cursors(&self, _: Arc<str>) -> Work<Vec<(String, String)>> {
        Box::pin(ready(Ok(Vec::new())))
    }

    fn keep_cursor(&self, _: Arc<str>, _: Arc<str>, _: Arc<str>) -> Work<()> {
        Box::pin(ready(Ok(())))
    }

    fn read(&self, _: SessionId, _: TurnId) -> LocalBoxFuture<'static, Option<Box<dyn Reader>>> {
        let mut stream = None;
        self.0.send_modify(|memory| stream = memory.stream.take());
        Box::pin(ready(stream.map(|stream| Box::new(Told(stream)) as Box<dyn Reader>)))
    }
}

struct Told(mpsc::UnboundedReceiver<Arc<SessionEvent>>);

impl Reader for Told {
    fn next(&mut self) -> LocalBoxFuture<'_, Option<Arc<SessionEvent>>> {
        Box::pin(self.0.recv())
    }
}
