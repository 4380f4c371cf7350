//! What is written to the store, and what is read back from it.
//!
//! A [`Write`] is one all-or-nothing change. Writes of one session carry the epoch under which their writer took the
//! session; a stale epoch changes nothing. Conflicts are outcomes, not errors, so that one write cannot spoil the
//! batch it travels in.

mod found;
mod turn;

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::event::SessionEvent;
use crate::ids::{AgentName, Epoch, ModelRef, Seq, SessionId, TokenId, TurnId, UserId};
use crate::ledger::Beside;
use crate::outbox::{Conversation, Item, SettleItem, TakeItems};
use crate::outside::Timestamp;
use crate::pairing::{LinkSender, NewPairing, PairingRow};
use crate::principal::UserRole;
use crate::routing::OwnRule;
use crate::signin::{Browser, NewLink};

pub use found::{
    AuditRow, Cut, MessageRow, OpenTurn, Said, SessionQuery, SessionRow, Snapshot, TokenRow, TurnRow, UserRow,
};
pub use turn::{AcceptTurn, EndTurn, Entry, InboxKey, PartTurn, RestartTurn, StartTurn, StepTurn, ToolsTurn, TurnEnd};

/// The channel of sessions made over HTTP, WebSocket, the terminal and the browser.
pub const API_CHANNEL: &str = "api";

/// Where a turn stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum TurnState {
    Queued,
    Running,
    Finished,
    Failed,
    Cancelled,
}

impl TurnState {
    const ALL: [Self; 5] = [Self::Queued, Self::Running, Self::Finished, Self::Failed, Self::Cancelled];

    /// The state's name on the wire and in the store.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Finished => "finished",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// The state by its name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }

    /// Whether the turn has ended.
    pub fn is_end(self) -> bool {
        !matches!(self, Self::Queued | Self::Running)
    }
}

/// Where a session stands, as lists show it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum SessionPhase {
    Idle,
    Running,
    Queued,
    Down,
}

impl SessionPhase {
    /// The phase's name on the wire and in the store.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Running => "running",
            Self::Queued => "queued",
            Self::Down => "down",
        }
    }

    /// The phase by its name.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Idle, Self::Running, Self::Queued, Self::Down].into_iter().find(|phase| phase.as_str() == text)
    }
}

/// A session to be made.
#[derive(Debug, Clone, PartialEq)]
pub struct NewSession {
    pub id: SessionId,
    pub user: UserId,
    pub channel: Arc<str>,
    pub agent: AgentName,
    pub title: String,
    pub at: Timestamp,
}

/// What a session is like from now on.
#[derive(Debug, Clone, PartialEq)]
pub struct ChangeSession {
    pub session: SessionId,
    pub epoch: Epoch,
    /// Whose it is.
    pub user: UserId,
    pub agent: AgentName,
    pub title: String,
    pub archived: bool,
    pub model: Option<ModelRef>,
    pub at: Timestamp,
}

/// A session to be made from a part of another.
#[derive(Debug, Clone, PartialEq)]
pub struct ForkSession {
    pub source: SessionId,
    /// Seq of the last message that it takes over; `None`: all.
    pub through: Option<Seq>,
    pub new: NewSession,
    pub model: Option<ModelRef>,
}

/// A person to be known. Names are unique, whatever the case of their letters.
#[derive(Debug, Clone, PartialEq)]
pub struct NewUser {
    pub id: UserId,
    pub name: String,
    pub role: UserRole,
    pub at: Timestamp,
}

/// A token to be known, by its hash only.
#[derive(Debug, Clone, PartialEq)]
pub struct NewToken {
    pub id: TokenId,
    pub user: UserId,
    pub name: String,
    pub role: UserRole,
    pub hash: [u8; 32],
    pub at: Timestamp,
    /// From then on it is worth nothing.
    pub expires_at: Option<Timestamp>,
}

/// Something that was done to the house, and by whom: kept for good.
#[derive(Debug, Clone, PartialEq)]
pub struct Deed {
    pub id: Uuid,
    pub at: Timestamp,
    pub by: UserId,
    /// As in `user.add`.
    pub action: &'static str,
    /// What it was done to.
    pub subject: String,
}

/// One all-or-nothing change of the store.
#[derive(Debug, Clone, PartialEq)]
pub enum Write {
    /// `Written`, or `Exists` where the id is taken.
    CreateSession(NewSession),
    /// Takes a session into memory: raises its epoch. `Claimed`, or `Missing`.
    Claim { session: SessionId },
    /// `Written`, `Duplicate`, `Stale`, `Closed` where it was to join a turn that is not open, or `Missing` where what it
    /// was to replace is no input of the dialogue.
    Accept(Box<AcceptTurn>),
    /// `Written`, or `Stale` (also where the turn has already ended).
    Step(Box<StepTurn>),
    /// `Written`, or `Stale` (also where the turn has already ended).
    Part(Box<PartTurn>),
    /// `Written`, or `Stale` (also where the turn has already ended).
    Tools(Box<ToolsTurn>),
    /// `Written`, `Stale` (also where the turn has already ended), or `Unseen`.
    End(Box<EndTurn>),
    /// Begins a waiting turn where nothing runs; journals `turn.started`. `Written`, or `Stale` (also where the turn
    /// is not queued).
    Start { session: SessionId, epoch: Epoch, next: StartTurn, at: Timestamp },
    /// `Written`, or `Stale`.
    Restart(RestartTurn),
    /// `Written`, or `Stale`.
    Change(ChangeSession),
    /// Makes a session with the transcript of another up to a message, and the journal behind it. Turns that had not
    /// ended by then are cancelled in it. `Written`, `Exists`, `TooLarge`, or `Missing` where there is no such session or
    /// message.
    Fork(ForkSession),
    /// Removes a session with all that hangs on it. `Written`, or `Missing`.
    Delete { session: SessionId },
    /// Carries out a write, and keeps by whom in the same transaction if it changed something. What becomes of it is what
    /// becomes of `write`, which is not audited itself.
    Audited { deed: Deed, write: Box<Write> },
    /// `Written`, or `Exists` (the id or the name is taken).
    CreateUser(NewUser),
    /// Forgets a person with their tokens, browsers, links, pairings and rules. Their sessions are `heir`'s from then on;
    /// whoever has one in memory is shut out. `UserRemoved`, `Missing` (also where there is no `heir`), or `Closed` where
    /// no owner would be left. The ledger keeps what they spent.
    RemoveUser { user: UserId, heir: UserId },
    /// Gives a person another role. Their tokens, browsers and links that could do more can do as much from then on; those
    /// that can do less stay as they are. `Written`, `Missing`, or `Closed` where no owner would be left.
    SetRole { user: UserId, role: UserRole },
    /// `Written`, or `Exists`.
    CreateToken(NewToken),
    /// Revokes a token and signs out the browsers that were signed in with it. `Written`, or `Missing` (also where it
    /// was revoked before).
    RevokeToken { token: TokenId, at: Timestamp },
    /// Makes a link known; an older one of the user that was not spent is void. `Written`, or `Exists`.
    CreateLink(NewLink),
    /// Signs a browser in, and spends the link with this hash if it is named. `Written`, `Exists`, or `Missing`: the
    /// link is not there, is spent or has expired, or the browser's token is revoked.
    SignIn { browser: Browser, link: Option<[u8; 32]> },
    /// Notes that a browser was used. `Written`, or `Missing`.
    SeeBrowser { browser: [u8; 32], at: Timestamp },
    /// `Written`, or `Missing`.
    SignOut { browser: [u8; 32] },
    /// `Taken`.
    TakeItems(TakeItems),
    /// `Settled`, or `Stale` where nobody holds the item under that name any more.
    SettleItem(Box<SettleItem>),
    /// Keeps the platform's id of the message that a turn is streamed into, so that its end becomes an edit of it.
    /// `Written`; `Exists` where another one is kept already; `Closed` where the turn's end went out, or goes out,
    /// without it; `Missing`.
    KeepPreview { turn: TurnId, conversation: Conversation, platform_id: Arc<str>, at: Timestamp },
    /// Removes what is not needed any more: items sent before one moment, items lost before another, so many at most.
    /// `Removed`.
    PruneItems { sent_before: Timestamp, lost_before: Timestamp, limit: u32 },
    /// Finds the session of a conversation, or makes `new` and binds the conversation to it. `Bound`, or `Exists` where
    /// the id of `new` is taken.
    Bind { conversation: Conversation, new: NewSession },
    /// Binds a conversation to a session that is there, in place of the one before. `Bound`, or `Missing`.
    Rebind { conversation: Conversation, session: SessionId, at: Timestamp },
    /// Keeps a stranger's code, and forgets those that expired. `Written`, `Exists` where the stranger has one or was let
    /// in, or `Closed` where as many wait there as may.
    OfferPairing(NewPairing),
    /// Lets whoever has the code with this hash in, as `user`. `Paired`, or `Missing`: there is no such code or no such
    /// user, or the code has expired.
    Pair { hash: [u8; 32], user: UserId, at: Timestamp },
    /// From now on somebody speaks as `user`, whoever they spoke as before, and is let in if they were not. `Paired`, or
    /// `Missing` where there is no such user.
    LinkSender(LinkSender),
    /// Forgets a stranger, or somebody who was let in. `Written`, or `Missing`.
    Unpair { channel: Arc<str>, sender: Arc<str> },
    /// Keeps how far a platform's stream was taken in, or another thing that its channel must find again. `Written`.
    KeepCursor { channel: Arc<str>, scope: Arc<str>, value: Arc<str>, at: Timestamp },
    /// Enters into the ledger what was spent beside turns' answers; what becomes of an entry that is there already is
    /// said at [`Beside::id`]. `Written`.
    Spend(Vec<Beside>),
    /// Puts these in place of all routing rules of a person, in this order. `Written`.
    SetRules { user: UserId, rules: Vec<OwnRule> },
}

/// What became of a [`Write`].
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// Done. The events are those it journaled, numbered.
    Written(Vec<SessionEvent>),
    Claimed(Epoch),
    /// The inbox knows this input already.
    Duplicate {
        turn: TurnId,
        same_body: bool,
    },
    /// The turn that the input was to join is not open; nothing was changed.
    Closed,
    /// The turn holds an input that its last step has not seen, so it cannot be answered yet; nothing was changed.
    Unseen,
    /// The writer no longer owns the session; nothing was changed.
    Stale,
    Missing,
    Exists,
    /// It would take too long, and hold up all others; nothing was changed.
    TooLarge,
    /// Items that are held now; and when the next of those that stay behind is due, where none is due before.
    Taken {
        items: Vec<Item>,
        next: Option<Timestamp>,
    },
    /// Done. `more`: an item of that channel became due by it.
    Settled {
        more: bool,
    },
    /// So many.
    Removed(usize),
    /// Who was let in.
    Paired(PairingRow),
    /// They are gone; these sessions were theirs.
    UserRemoved(Vec<SessionId>),
    /// The session that a conversation is bound to, and whose it is.
    Bound {
        session: SessionId,
        user: UserId,
    },
}
