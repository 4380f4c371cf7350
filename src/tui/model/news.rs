//! What the model hears, and what it wants done.

use mosaic_types::attachment::AttachmentRow;
use mosaic_types::{AgentName, Seq, SessionEvent, SessionId};

use crate::tui::file::File;
use crate::tui::keys::Key;
use crate::tui::wire::{Agent, Ask, Listed, Said};

/// What happens.
#[derive(Debug)]
pub(crate) enum News {
    Key(Key),
    /// The screen has another size, or had one meanwhile.
    Resized,
    Said(Said),
    /// The connection ended, or there was none; with the reason.
    Down(String),
    /// Where the newest part of a session's journal begins.
    Located {
        session: SessionId,
        after: i64,
    },
    Sessions(Vec<Listed>),
    /// Sessions in which that text was found.
    Found(String, Vec<Listed>),
    /// Models that can be asked for by name.
    Models(Vec<String>),
    /// What was journaled before `before`, oldest first; with what to ask for next, if there is more. `None`: it could
    /// not be read.
    Older {
        session: SessionId,
        before: Seq,
        page: Option<(Vec<SessionEvent>, Option<Seq>)>,
    },
    /// The files of a message that is changed, or why they cannot be had.
    Files(SessionId, Result<Vec<File>, String>),
    /// What became of a deed; of a fork, the new session.
    Done(Deed, Result<Option<SessionId>, String>),
    Agents(Vec<Agent>),
    /// What is to be done before anything can be answered, if something is.
    Advice(Option<String>),
    /// A session was pointed at.
    Show(SessionId),
    /// A sentence to be shown once.
    Tell(String, bool),
    /// The process is to end.
    Stop,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Effect {
    Want(Wish),
    /// Put the text into the terminal's clipboard.
    Copy(String),
    /// Read the file at that path, to go with the next message.
    Attach(String),
    /// What was typed in that session and not sent, in a window before this one; `None`: in the one that is yet to be made.
    Recall(Option<SessionId>),
    Theme,
    Quit,
}

/// What is wanted of the daemon.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Wish {
    Say(Ask),
    /// The list of sessions.
    List,
    /// Sessions in which that text stands.
    Search(String),
    /// Where the newest part of its journal begins.
    Locate(SessionId),
    /// What was said before that number.
    Older(SessionId, Seq),
    Models,
    /// The files that came with a message.
    Fetch(SessionId, Vec<AttachmentRow>),
    /// Who answers here, and whether anybody can.
    House,
    /// A message with files, which goes by a request of its own: what is heard meanwhile is not held up.
    Send(Box<Parcel>),
    Do(Deed),
}

/// Something that is done to a session.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Deed {
    Rename(SessionId, String),
    /// A session of its own, which begins as this one is now.
    Fork(SessionId),
    Archive(SessionId),
    Delete(SessionId),
}

/// A message with files.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Parcel {
    /// Its idempotency key.
    pub(crate) key: String,
    /// `None`: one is made for it, of that agent, which is named by the key.
    pub(crate) session: Option<SessionId>,
    pub(crate) agent: Option<AgentName>,
    pub(crate) text: String,
    pub(crate) mode: Option<&'static str>,
    pub(crate) model: Option<String>,
    pub(crate) replaces: Option<String>,
    pub(crate) files: Vec<File>,
}
