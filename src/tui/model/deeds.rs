//! What is done to the session that is shown, and who answers in it.

use mosaic_types::SessionId;

use super::{Deed, Effect, Item, Line, Model, Overlay, Which, Wish};
use crate::tui::file::File;
use crate::tui::keys::Action;
use crate::tui::session::Editing;
use crate::tui::text::one_line;
use crate::tui::wire::Ask;

impl Model {
    /// Does what a key or the palette asks to do to the session.
    pub(super) fn deal(&mut self, action: Action) {
        let Some(session) = self.at_hand() else { return };
        match action {
            Action::Retry => drop(self.execute("/retry")),
            Action::Edit => self.edit_last(),
            Action::Rename => {
                let filter = self.session().title.clone();
                self.overlay = Some(Overlay { filter, ..Overlay::new(Which::Rename) });
            }
            Action::Fork => self.wish(Wish::Do(Deed::Fork(session))),
            Action::Archive => self.wish(Wish::Do(Deed::Archive(session))),
            Action::Delete => self.overlay = Some(Overlay::new(Which::Delete)),
            _ => {}
        }
    }

    pub(super) fn wish(&mut self, wish: Wish) {
        self.effects.push(Effect::Want(wish));
    }

    /// The session that is shown, where there is one and the daemon can be asked; else it is told why not.
    fn at_hand(&mut self) -> Option<SessionId> {
        let session = self.session();
        let why = match &session.id {
            _ if self.line != Line::Up => "No daemon answers; this works again when it is back.",
            None => "There is no session yet: it begins with your first message.",
            Some(_) if session.gone => "This session was removed. Ctrl+N begins a new one.",
            Some(id) => return Some(id.clone()),
        };
        self.notice = Some((why.to_owned(), true));
        None
    }

    /// Takes the newest message back into the input, to be changed and sent in its own place.
    fn edit_last(&mut self) {
        if self.session().editing.is_some() {
            return;
        }
        let last = self.session().last_said().map(|(seq, text, files)| (seq, text.to_owned(), files.to_vec()));
        let Some((seq, text, rows)) = last else {
            self.notice = Some(("Nothing was said here yet.".to_owned(), false));
            return;
        };
        let draft = self.input.take();
        let session = self.session_mut();
        let files = std::mem::take(&mut session.files);
        session.editing = Some(Editing { seq, draft, files, fetching: !rows.is_empty() });
        if let Some(id) = session.id.clone().filter(|_| !rows.is_empty()) {
            self.wish(Wish::Fetch(id, rows));
        }
        self.input.set(text);
    }

    /// The files of the message that is changed are here, or cannot be had: then it is not changed, since they would be
    /// lost.
    pub(super) fn fetched(&mut self, session: &SessionId, files: Result<Vec<File>, String>) {
        let shown = self.session().id.as_ref() == Some(session);
        let Some(known) = self.known(session) else { return };
        let Some(editing) = known.editing.as_mut().filter(|editing| editing.fetching) else { return };
        match files {
            Ok(files) => {
                editing.fetching = false;
                known.files.splice(..0, files);
            }
            Err(why) => {
                let text = format!("The files of that message cannot be read: {}", one_line(&why));
                if shown {
                    self.leave_edit();
                } else if let Some(editing) = known.editing.take() {
                    (known.files, known.draft) = (editing.files, editing.draft);
                }
                self.notice = Some((text, true));
            }
        }
    }

    /// Leaves the message that is being changed as it stands; answers whether there was one.
    pub(super) fn leave_edit(&mut self) -> bool {
        let Some(Editing { draft, files, .. }) = self.session_mut().editing.take() else { return false };
        self.session_mut().files = files;
        self.input.set(draft);
        true
    }

    /// Shows what agents or models there are to choose from.
    pub(super) fn offer(&mut self, which: Which) {
        self.overlay = Some(Overlay::new(which));
        if which == Which::Models {
            self.wish(Wish::Models);
        }
    }

    /// Does what was chosen in a list.
    pub(super) fn choose(&mut self, item: Item) {
        match item {
            Item::Do(action) => self.act(action),
            Item::Command(name, _) if name == "/agent" || name == "/model" => drop(self.execute(&name)),
            Item::Command(name, true) => {
                // What was typed can be brought back.
                let typed = self.input.take();
                if !typed.is_empty() {
                    self.input.remember(&typed);
                }
                self.input.set(name + " ");
            }
            Item::Command(name, false) => drop(self.execute(&name)),
            Item::Session(id) => self.go_to(&id),
            Item::Agent(name) if self.session().id.is_some() => drop(self.execute(&format!("/agent {name}"))),
            Item::Agent(name) => self.session_mut().agent = Some(name),
            Item::Model(name) if self.session().id.is_some() => drop(self.execute(&format!("/model {name}"))),
            Item::Model(name) => self.session_mut().model = (name != "auto").then_some(name),
            Item::Delete => {
                if let Some(session) = self.at_hand() {
                    self.wish(Wish::Do(Deed::Delete(session)));
                }
            }
            Item::Nothing => {}
        }
    }

    /// Gives the session the name that was typed.
    pub(super) fn rename(&mut self, title: &str) {
        let title = title.trim();
        match self.at_hand() {
            Some(_) if title.is_empty() => self.notice = Some(("A name is missing.".to_owned(), true)),
            Some(session) => self.wish(Wish::Do(Deed::Rename(session, title.to_owned()))),
            None => {}
        }
    }

    /// A deed was done, or refused.
    pub(super) fn done(&mut self, deed: &Deed, outcome: Result<Option<SessionId>, String>) {
        let made = match outcome {
            Ok(made) => made,
            Err(why) => {
                self.notice = Some((why, true));
                return;
            }
        };
        self.wish(Wish::List);
        match (deed, made) {
            (Deed::Fork(_), Some(made)) => {
                self.go_to(&made);
                let text = "This session goes on by itself from here; the one before stays as it is.";
                self.notice = Some((text.to_owned(), false));
            }
            (Deed::Archive(session), _) => {
                self.step_out(session);
                let text = "It is put away. Ctrl+L finds it by its name or by what was said in it.";
                self.notice = Some((text.to_owned(), false));
            }
            (Deed::Delete(session), _) => {
                self.step_out(session);
                self.open.retain(|known| known.id.as_ref() != Some(session));
                self.notice = Some(("The session was deleted.".to_owned(), false));
            }
            (Deed::Rename(..) | Deed::Fork(_), _) => {}
        }
    }

    /// Shows another session in place of this one, and keeps what is being typed.
    fn step_out(&mut self, session: &SessionId) {
        if self.session().id.as_ref() == Some(session) {
            self.leave_edit();
            let typed = self.input.take();
            self.begin(None);
            let before = self.input.take();
            self.input.set(typed);
            self.resume(&before);
        }
    }

    /// The session that was made here has a name: the model that was chosen for it stays.
    pub(super) fn keep_model(&mut self, session: &SessionId) {
        let chosen = self.known(session).and_then(|known| known.model.take());
        if let Some(model) = chosen {
            let id = format!("{session}:{}", self.outside.uuid());
            self.say(Ask::Execute { id, session: session.clone(), line: format!("/model {model}") });
        }
    }

    /// Asks for what was said before, if somebody scrolls up to the top and there is more.
    pub(super) fn look_back(&mut self) {
        let page = self.page;
        let connected = self.line == Line::Up;
        let session = self.session_mut();
        if session.scroll + page + page < session.height || !connected {
            return;
        }
        if let (Some(id), Some(before)) = (session.id.clone(), session.older()) {
            self.wish(Wish::Older(id, before));
        }
    }
}
