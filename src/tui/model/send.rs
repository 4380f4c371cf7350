//! Messages on their way: sent now or later, refused, given back.

use mosaic_types::limits::ATTACHMENTS;
use mosaic_types::{Code, Seq, SessionId, UserRole};

use super::{Effect, Line, Model, Parcel, Wish};
use crate::tui::file::File;
use crate::tui::session::{Editing, Pending};
use crate::tui::wire::Ask;

/// Inputs of a session that may wait for the connection.
const WAITING: usize = 20;

impl Model {
    /// Takes an input to be sent, now or when the daemon can be reached.
    pub(super) fn submit(&mut self, text: String, replaces: Option<Seq>) -> Result<(), &'static str> {
        if self.role < UserRole::Member {
            return Err("You may look here and not write: your role is viewer.");
        }
        if self.session().gone {
            return Err("This session was removed. Ctrl+N begins a new one.");
        }
        if self.session().pending.len() >= WAITING {
            return Err("Too many messages wait to be sent already.");
        }
        let mut pending = Pending::new(self.outside.uuid().to_string(), text, self.mode, replaces);
        let session = self.session_mut();
        pending.files = std::mem::take(&mut session.files);
        session.scroll = 0;
        session.pending.push(pending);
        self.flush();
        Ok(())
    }

    /// Sends what waits.
    pub(super) fn flush(&mut self) {
        if self.line != Line::Up {
            return;
        }
        for session in self.open.iter_mut().filter(|session| !session.gone) {
            let (id, agent, chosen) = (session.id.clone(), session.agent.clone(), session.model.clone());
            // The first input makes the session; the others wait until it has a name.
            let most = if id.is_some() { usize::MAX } else { 1 };
            for pending in session.pending.iter_mut().take(most).filter(|pending| !pending.sent) {
                pending.sent = true;
                let agent = agent.clone().filter(|_| id.is_none());
                let (key, text, mode) = (pending.id.clone(), pending.text.clone(), pending.mode);
                let model = chosen.clone().filter(|_| id.is_none());
                let replaces = id.as_ref().zip(pending.replaces).map(|(id, seq)| format!("{id}.{seq}"));
                if !pending.files.is_empty() {
                    let (session, files) = (id.clone(), pending.files.clone());
                    let parcel = Parcel { key, session, agent, text, mode, model, replaces, files };
                    self.effects.push(Effect::Want(Wish::Send(Box::new(parcel))));
                    continue;
                }
                let ask = Ask::Send { id: key, session: id.clone(), agent, text, mode, model, replaces };
                self.effects.push(Effect::Want(Wish::Say(ask)));
            }
        }
    }

    /// What was asked for is refused.
    pub(super) fn failed(&mut self, id: Option<String>, session: Option<SessionId>, code: Option<Code>, message: &str) {
        if let Some(at) = id.as_deref().and_then(|id| self.sender(id)) {
            if code == Some(Code::Draining) {
                // Sent again, by its key, when the daemon is back.
                self.open[at].cut_off();
                self.notice = Some((format!("{message} Your message is sent when it is back."), true));
                return;
            }
            let id = id.unwrap_or_default();
            let refused = self.open[at].pending.iter().position(|pending| pending.id == id);
            let Some(refused) = refused.map(|refused| self.open[at].pending.remove(refused)) else { return };
            let text = refused.text;
            let changes = at == 0 && refused.replaces.is_some() && self.open[at].editing.is_none();
            let aside = if changes { std::mem::take(&mut self.open[at].files) } else { Vec::new() };
            self.open[at].files.splice(..0, refused.files);
            self.open[at].refuse(message);
            if let Some(seq) = refused.replaces.filter(|_| changes) {
                let draft = self.input.take();
                self.open[at].editing = Some(Editing { seq, draft, files: aside, fetching: false });
                self.input.set(text);
            } else if at == 0 && self.input.is_empty() {
                self.input.set(text);
            } else if at != 0 && self.open[at].draft.is_empty() {
                self.open[at].draft = text;
            }
            return;
        }
        let Some(session) = session else {
            self.notice = Some((message.to_owned(), true));
            return;
        };
        let Some(known) = self.known(&session) else { return };
        match code {
            Some(Code::NotFound) => {
                known.gone = true;
                known.running = None;
                known.note("This session was removed. Ctrl+N begins a new one.", true);
                self.effects.push(Effect::Want(Wish::List));
            }
            Some(Code::BadCursor) => {
                known.forget();
                self.say(Ask::Subscribe { session, after: 0 });
            }
            _ => known.note(message, true),
        }
    }

    /// A file was read, or could not be.
    pub(crate) fn attach(&mut self, read: Result<File, String>) {
        let files = &mut self.session_mut().files;
        match read {
            Ok(_) if files.len() >= ATTACHMENTS => {
                let text = format!("A message takes {ATTACHMENTS} files; send these first.");
                self.notice = Some((text, true));
            }
            Ok(file) => files.push(file),
            Err(why) => self.notice = Some((why, true)),
        }
    }
}
