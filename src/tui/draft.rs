//! Keeps what is typed and not sent, so that it is there again whatever ends the window.
//!
//! Every picture's drafts are handed over before it is drawn; a thread of their own writes what changed, since nobody who
//! types waits for a disk.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use mosaic_types::SessionId;

use crate::home::{Draft, Drafts};

/// Between two writes, at the least: what is typed meanwhile is written together.
const PAUSE: Duration = Duration::from_millis(500);

/// What is unsent, by session; `None`: in the one that is yet to be made.
pub(crate) type Unsent = BTreeMap<Option<SessionId>, Draft>;

/// Writes drafts down.
pub(crate) struct Keeper {
    desk: Arc<Desk>,
    /// What was handed over last.
    given: Unsent,
    /// Those that this window keeps: for them it knows better than the disk.
    ours: BTreeSet<Option<SessionId>>,
    thread: Option<JoinHandle<io::Result<()>>>,
}

struct Desk {
    drafts: Drafts,
    state: Mutex<State>,
    bell: Condvar,
}

#[derive(Default)]
struct State {
    /// To be written.
    newest: Option<Unsent>,
    /// On disk.
    stored: Unsent,
    closed: bool,
}

impl Keeper {
    /// # Errors
    /// No thread can be had.
    pub(crate) fn start(drafts: Drafts) -> io::Result<Self> {
        let desk = Arc::new(Desk { drafts, state: Mutex::default(), bell: Condvar::new() });
        let shared = desk.clone();
        let thread = std::thread::Builder::new().name("tui-drafts".to_owned()).spawn(move || shared.write())?;
        Ok(Self { desk, given: Unsent::new(), ours: BTreeSet::new(), thread: Some(thread) })
    }

    /// What was left there by a window before this one; told once.
    pub(crate) fn recall(&mut self, session: Option<&SessionId>) -> Draft {
        if !self.ours.insert(session.cloned()) {
            return Draft::default();
        }
        let draft = self.desk.drafts.read(session);
        if !draft.is_empty() {
            self.desk.state().stored.insert(session.cloned(), draft.clone());
        }
        draft
    }

    /// From now on this is what is unsent.
    pub(crate) fn keep(&mut self, unsent: Unsent) {
        if unsent == self.given {
            return;
        }
        self.ours.extend(unsent.keys().cloned());
        self.given.clone_from(&unsent);
        self.desk.state().newest = Some(unsent);
        self.desk.bell.notify_one();
    }

    /// Writes down what is not yet written.
    ///
    /// # Errors
    /// That could not be done; in a sentence.
    pub(crate) fn close(mut self) -> Result<(), String> {
        self.end().map_err(|error| format!("What you typed and did not send could not be kept: {error}."))
    }

    fn end(&mut self) -> io::Result<()> {
        self.desk.state().closed = true;
        self.desk.bell.notify_one();
        let thread = self.thread.take();
        thread.map_or(Ok(()), |thread| thread.join().unwrap_or_else(|_| Err(io::Error::other("the writer broke"))))
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        let _ = self.end();
    }
}

impl Desk {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes until the window closes; answers whether all of it could be.
    fn write(&self) -> io::Result<()> {
        let mut outcome = Ok(());
        loop {
            let idle = |state: &mut State| state.newest.is_none() && !state.closed;
            let mut state = self.bell.wait_while(self.state(), idle).unwrap_or_else(PoisonError::into_inner);
            let Some(newest) = state.newest.take() else { return outcome };
            let stored = state.stored.clone();
            drop(state);
            outcome = self.put(&stored, &newest);
            if let Err(error) = &outcome {
                tracing::warn!(%error, "a draft cannot be kept");
            }
            let open = |state: &mut State| !state.closed;
            drop(self.bell.wait_timeout_while(self.state(), PAUSE, open));
        }
    }

    /// Brings what is on disk from `stored` to `newest`; what did not change is left alone, since another window may have
    /// changed it.
    fn put(&self, stored: &Unsent, newest: &Unsent) -> io::Result<()> {
        let mut outcome = Ok(());
        let none = Draft::default();
        let all: BTreeSet<_> = stored.keys().chain(newest.keys()).collect();
        for key in all {
            let draft = newest.get(key).unwrap_or(&none);
            if stored.get(key).unwrap_or(&none) == draft {
                continue;
            }
            match self.drafts.write(key.as_ref(), draft) {
                Ok(()) if draft.is_empty() => drop(self.state().stored.remove(key)),
                Ok(()) => drop(self.state().stored.insert(key.clone(), draft.clone())),
                Err(error) => outcome = Err(error),
            }
        }
        outcome
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Env;
    use crate::home::Home;

    fn home() -> (tempfile::TempDir, Home) {
        let folder = tempfile::tempdir().expect("a folder");
        let home = Home::open(Some(folder.path()), &Env::default()).expect("a home");
        (folder, home)
    }

    fn keeper(home: &Home) -> Keeper {
        Keeper::start(Drafts::open(home, "home")).expect("a thread")
    }

    fn unsent(all: &[(&str, &str)]) -> Unsent {
        let draft = |text: &str| Draft { text: text.to_owned(), files: Vec::new() };
        all.iter().map(|(session, text)| (session.parse().ok(), draft(text))).collect()
    }

    #[test]
    fn what_was_typed_last_is_kept_and_what_was_sent_is_not() {
        let (_folder, home) = home();
        let mut first = keeper(&home);
        // More than can be written meanwhile, and the last word counts.
        for number in 0..1_000 {
            first.keep(unsent(&[("a", &format!("text {number}")), ("b", "sent")]));
        }
        first.keep(unsent(&[("a", "last")]));
        first.close().expect("written");
        let mut second = keeper(&home);
        let text = |keeper: &mut Keeper, session: &str| keeper.recall(session.parse().ok().as_ref()).text;
        assert_eq!((text(&mut second, "a"), text(&mut second, "b")), ("last".to_owned(), String::new()));
        assert_eq!(text(&mut second, "a"), "", "it is told once: from then on the window knows better");
        // Emptied there, it is gone; what was never looked at stays.
        second.keep(unsent(&[("c", "new")]));
        second.keep(unsent(&[]));
        second.close().expect("written");
        assert_eq!(text(&mut keeper(&home), "a"), "");
    }

    #[test]
    fn windows_side_by_side_leave_each_others_drafts_alone() {
        let (_folder, home) = home();
        let (mut one, mut other) = (keeper(&home), keeper(&home));
        one.keep(unsent(&[("a", "of one"), ("both", "earlier")]));
        drop(one);
        other.keep(unsent(&[("b", "of the other"), ("both", "later")]));
        other.close().expect("written");
        let mut next = keeper(&home);
        let texts = ["a", "b", "both"].map(|session| next.recall(session.parse().ok().as_ref()).text);
        assert_eq!(texts, ["of one", "of the other", "later"]);
    }

    #[test]
    fn what_cannot_be_written_is_told_in_a_sentence() {
        let (folder, home) = home();
        let mut keeper = keeper(&home);
        std::fs::remove_dir_all(folder.path().join("drafts")).expect("it was there");
        std::fs::write(folder.path().join("drafts"), "in the way").expect("written");
        keeper.keep(unsent(&[("a", "text")]));
        let why = keeper.close().expect_err("it is no folder");
        assert!(why.starts_with("What you typed and did not send could not be kept: ") && why.ends_with('.'), "{why}");
    }
}
