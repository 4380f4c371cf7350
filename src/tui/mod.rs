//! `mosaic tui`: the full-screen client, made of the same socket as everybody's.
//!
//! ```text
//! keys ─► News ─► Model ─► Effects ─► link ─► daemon
//!                  │                   │
//!                  ▼                   └────► News
//!               compose ─► Screen ─► cursive ─► terminal
//! ```
//!
//! [`model`], [`session`], [`screen`] and what they are made of decide, and know no terminal and no socket; `shell`,
//! `terminal` and `link` carry.

mod code;
mod doc;
mod draft;
mod file;
mod input;
mod keyboard;
pub mod keys;
mod link;
mod look;
mod markdown;
mod model;
mod screen;
mod session;
mod shell;
mod signals;
mod terminal;
mod text;
mod theme;
mod view;
mod wire;

use std::panic::AssertUnwindSafe;

use mosaic_types::{AgentName, Outside, SessionId};

use crate::home::Drafts;

pub(crate) use link::Finder;
use model::{Model, News};
pub(crate) use text::width;
pub(crate) use theme::Theme;

/// News that may wait to be looked at; then the daemon is read no further.
const NEWS: usize = 1_024;
/// Keys and signals that may wait; then the terminal is read no further.
const TYPED: usize = 1_024;
/// Wishes that may wait for the connection.
const WISHES: usize = 1_024;

/// What the client begins with.
pub(crate) struct Start {
    pub(crate) find: Finder,
    /// The session to be shown; `None`: a new one.
    pub(crate) session: Option<SessionId>,
    /// Who answers in new sessions.
    pub(crate) agent: Option<AgentName>,
    pub(crate) theme: Theme,
    /// What was typed and not sent.
    pub(crate) drafts: Drafts,
    /// A sentence to be shown first.
    pub(crate) greeting: Option<String>,
    pub(crate) outside: Outside,
}

/// Columns of the terminal, where there is one.
pub(crate) fn columns() -> Option<usize> {
    terminal::columns()
}

/// Runs the client until somebody quits. The terminal is given back whatever happens.
///
/// # Errors
/// There is no terminal, or the client itself is broken; in words.
pub(crate) fn run(start: Start) -> Result<(), String> {
    let (tell, news) = tokio::sync::mpsc::channel(NEWS);
    let (type_in, typed) = tokio::sync::mpsc::channel(TYPED);
    let (wishes, wanted) = tokio::sync::mpsc::channel(WISHES);
    let cannot = |error: std::io::Error| format!("the terminal cannot be taken: {error}");
    let mut keeper = draft::Keeper::start(start.drafts).map_err(cannot)?;
    let left = keeper.recall(start.session.as_ref());
    let taken = terminal::Taken::take().map_err(cannot)?;

    let mut model = Model::new(start.outside.clone(), start.session, start.agent);
    if let Some(greeting) = start.greeting {
        model.hear(News::Tell(greeting, false));
    }
    model.recall(left);
    let signalled = type_in.clone();
    let carry = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        if let Ok(runtime) = runtime {
            runtime.block_on(async {
                tokio::select! {
                    () = link::keep(start.find, wanted, tell, start.outside) => {}
                    () = signals::listen(signalled) => {}
                }
            });
        }
    };
    let thread = |name: &str| std::thread::Builder::new().name(name.to_owned());
    let link = thread("tui-link").spawn(carry).map_err(cannot)?;
    thread("tui-keys").spawn(move || terminal::read(&type_in)).map_err(cannot)?;

    let ears = shell::Ears { typed, news };
    let ended =
        std::panic::catch_unwind(AssertUnwindSafe(|| shell::run(model, ears, &wishes, &mut keeper, start.theme)));
    drop(taken);
    drop(wishes);
    if let Err(sentence) = keeper.close() {
        eprintln!("{sentence}");
    }
    let _ = link.join();
    // What exactly went wrong is in the log.
    ended.map_err(|_| "the client broke. Nothing that was sent is lost.".to_owned())
}
