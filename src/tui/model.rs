//! What the client knows and decides: news in, effects out. It knows no terminal, no socket and no clock.

mod deeds;
mod drafts;
mod news;
mod overlay;
mod press;
mod send;
#[cfg(test)]
pub(crate) mod tests;

use std::collections::HashMap;

use mosaic_types::{AgentName, Outside, SessionId, Timestamp, UserRole};

use super::input::Input;
use super::session::{Meaning, Session};
use super::wire::{Agent, Ask, Listed, Offer, Said};
pub(crate) use drafts::joined;
pub(crate) use news::{Deed, Effect, News, Parcel, Wish};
pub(crate) use overlay::{Choice, Item, Overlay, Which};

/// Sessions that are followed at once; the one that was left longest ago makes room.
const FOLLOWED: usize = 50;

/// How the daemon is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Line {
    /// Not yet.
    Connecting,
    Up,
    /// Not any more; it is tried again.
    Down(String),
}

/// A text that is looked for in the session.
#[derive(Debug, Default)]
pub(crate) struct Find {
    pub(crate) text: String,
    /// Which of the hits is shown, from the newest.
    pub(crate) chosen: usize,
    /// How many there are, as the screen counted them.
    pub(crate) hits: usize,
    /// The hit is to be brought into sight.
    pub(crate) moved: bool,
}

/// All that the client knows.
pub(crate) struct Model {
    pub(crate) line: Line,
    pub(crate) role: UserRole,
    pub(crate) offers: Vec<Offer>,
    pub(crate) agents: Vec<Agent>,
    pub(crate) list: Vec<Listed>,
    /// What was looked for among the sessions last, and where it was found.
    pub(crate) found: (String, Vec<Listed>),
    /// Models that can be asked for by name.
    pub(crate) models: Vec<String>,
    /// When each listed session was last looked at.
    seen: HashMap<SessionId, Timestamp>,
    listed: bool,
    /// Those that were opened here, the one that was looked at last first.
    pub(crate) open: Vec<Session>,
    pub(crate) input: Input,
    pub(crate) overlay: Option<Overlay>,
    pub(crate) find: Option<Find>,
    /// What becomes of a message that is sent during an answer; `None`: what the agent is set to.
    pub(crate) mode: Option<&'static str>,
    pub(crate) notice: Option<(String, bool)>,
    /// What is to be done before anything can be answered.
    pub(crate) advice: Option<String>,
    /// Rows of the transcript on the screen.
    pub(crate) page: usize,
    /// Ctrl+C was pressed once.
    armed: bool,
    /// The agent of sessions that are begun here.
    agent: Option<AgentName>,
    outside: Outside,
    effects: Vec<Effect>,
}

impl Model {
    /// A client that is not connected yet. It begins with a new session of `agent`, or with `session`.
    pub(crate) fn new(outside: Outside, session: Option<SessionId>, agent: Option<AgentName>) -> Self {
        let first = Session { id: session, agent: agent.clone(), ..Session::default() };
        Self {
            line: Line::Connecting,
            role: UserRole::Viewer,
            offers: Vec::new(),
            agents: Vec::new(),
            list: Vec::new(),
            found: Default::default(),
            models: Vec::new(),
            seen: HashMap::new(),
            listed: false,
            open: vec![first],
            input: Input::default(),
            overlay: None,
            find: None,
            mode: None,
            notice: None,
            advice: None,
            page: 10,
            armed: false,
            agent,
            outside,
            effects: Vec::new(),
        }
    }

    /// The session that is shown.
    pub(crate) fn session(&self) -> &Session {
        &self.open[0]
    }

    pub(crate) fn session_mut(&mut self) -> &mut Session {
        &mut self.open[0]
    }

    /// Whether something moves on the screen while nothing happens.
    pub(crate) fn is_moving(&self) -> bool {
        self.line == Line::Up && self.session().running.is_some() || self.line == Line::Connecting
    }

    /// Whether something happened in a listed session since it was looked at.
    pub(crate) fn is_unread(&self, row: &Listed) -> bool {
        self.session().id.as_ref() != Some(&row.id) && self.seen.get(&row.id).is_none_or(|seen| *seen < row.updated_at)
    }

    /// Sessions in which something happened since they were looked at.
    pub(crate) fn unread(&self) -> usize {
        self.list.iter().filter(|row| self.is_unread(row)).count()
    }

    /// Takes news in; answers what is to be done.
    pub(crate) fn hear(&mut self, news: News) -> Vec<Effect> {
        match news {
            News::Key(key) => self.press(key),
            News::Resized => {}
            News::Said(said) => self.said(said),
            News::Down(why) => {
                self.line = Line::Down(why);
                self.open.iter_mut().for_each(Session::cut_off);
            }
            News::Located { session, after } => {
                if let Some(known) = self.known(&session).filter(|known| !known.caught_up && known.last == 0) {
                    (known.last, known.before) = (after, (after > 0).then_some(after + 1));
                    self.say(Ask::Subscribe { session, after });
                }
            }
            News::Sessions(list) => self.listed(list),
            // Answers may come in another order than the questions: what was found for another text is of no use.
            News::Found(text, list) => {
                if self.overlay.as_ref().is_some_and(|overlay| overlay.filter.trim() == text) {
                    self.found = (text, list);
                }
            }
            News::Models(models) => self.models = models,
            News::Older { session, before, page } => {
                if let Some(known) = self.known(&session) {
                    known.prepend(before, page);
                }
            }
            News::Files(session, files) => self.fetched(&session, files),
            News::Done(deed, outcome) => self.done(&deed, outcome),
            News::Agents(agents) => self.agents = agents,
            News::Advice(advice) => self.advice = advice,
            News::Show(session) => self.go_to(&session),
            News::Tell(text, bad) => self.notice = Some((text, bad)),
            News::Stop => self.effects.push(Effect::Quit),
        }
        std::mem::take(&mut self.effects)
    }

    fn said(&mut self, said: Said) {
        match said {
            Said::Ready { role, commands } => {
                (self.line, self.role, self.offers) = (Line::Up, role, commands);
                self.offers.push(Offer {
                    name: "attach".to_owned(),
                    usage: "/attach PATH".to_owned(),
                    help: "Sends a file of this machine with the next message.".to_owned(),
                    role: UserRole::Member,
                });
                for at in 0..self.open.len() {
                    self.follow(at);
                }
                self.flush();
                self.effects.push(Effect::Want(Wish::List));
            }
            Said::Ack { id, session, turn, .. } => {
                let Some(at) = self.sender(&id) else { return };
                self.open[at].acknowledged(&id, turn);
                if self.open[at].id.is_none() {
                    self.open[at].id = Some(session.clone());
                    self.open[at].caught_up = true;
                    self.say(Ask::Subscribe { session: session.clone(), after: 0 });
                    self.keep_model(&session);
                    self.effects.push(Effect::Want(Wish::List));
                }
                self.flush();
            }
            Said::Subscribed { session } => {
                if let Some(known) = self.known(&session) {
                    known.caught_up = true;
                }
            }
            Said::Result { session, asked, text } => self.result(session, asked.as_deref(), &text),
            Said::Error { id, session, code, message } => self.failed(id, session, code, &message),
            Said::Notice(text) => self.notice = Some((text, false)),
            Said::Event(event) => {
                let session = event.session.clone();
                let shown = self.session().id.as_ref() == Some(&session);
                let Some(known) = self.known(&session) else { return };
                let live = known.caught_up;
                let meaning = known.hear(*event);
                if let Meaning::Cancelled(turn) = meaning
                    && shown
                    && self.input.is_empty()
                    && let Some(text) = self.session().input_of(turn).map(str::to_owned)
                {
                    self.input.set(text);
                }
                if meaning != Meaning::Nothing && live {
                    self.effects.push(Effect::Want(Wish::List));
                }
            }
            Said::Other => {}
        }
    }

    /// The answer to a slash command.
    fn result(&mut self, session: SessionId, asked: Option<&str>, text: &str) {
        // The question's id names the session that it was asked in.
        let from = asked.and_then(|asked| asked.split_once(':')).map(|(session, _)| session.to_owned());
        if from.as_deref().is_some_and(|from| from != session.as_str()) {
            self.go_to(&session);
        }
        match self.known(&session) {
            Some(known) => known.note(text, false),
            None => self.notice = Some((text.to_owned(), false)),
        }
    }

    fn listed(&mut self, list: Vec<Listed>) {
        for row in &list {
            let shown = self.session().id.as_ref() == Some(&row.id);
            if shown || !self.listed {
                self.seen.insert(row.id.clone(), row.updated_at);
            }
            if let Some(known) = self.known(&row.id) {
                known.title.clone_from(&row.title);
                known.agent.get_or_insert_with(|| row.agent.clone());
            }
        }
        self.listed = true;
        self.seen.retain(|id, _| list.iter().any(|row| row.id == *id));
        self.list = list;
    }

    /// A session that is open, by its id.
    fn known(&mut self, id: &SessionId) -> Option<&mut Session> {
        self.open.iter_mut().find(|session| session.id.as_ref() == Some(id))
    }

    /// The session in which an input with this key waits.
    fn sender(&self, id: &str) -> Option<usize> {
        self.open.iter().position(|session| session.pending.iter().any(|pending| pending.id == id))
    }

    /// Says it, if somebody hears it.
    fn say(&mut self, ask: Ask) {
        if self.line == Line::Up {
            self.effects.push(Effect::Want(Wish::Say(ask)));
        }
    }

    fn follow(&mut self, at: usize) {
        let session = &self.open[at];
        let Some(id) = session.id.clone().filter(|_| !session.gone) else { return };
        if session.last > 0 || session.caught_up {
            let after = session.last;
            self.say(Ask::Subscribe { session: id, after });
        } else if self.line == Line::Up {
            self.effects.push(Effect::Want(Wish::Locate(id)));
        }
    }

    /// Shows a session, and keeps what was typed in the one before.
    pub(super) fn go_to(&mut self, id: &SessionId) {
        if self.session().id.as_ref() == Some(id) {
            return;
        }
        self.leave();
        let found = self.open.iter().position(|session| session.id.as_ref() == Some(id));
        match found {
            Some(at) => {
                let session = self.open.remove(at);
                self.open.insert(0, session);
            }
            None => {
                let row = self.list.iter().chain(&self.found.1).find(|row| row.id == *id);
                let title = row.map(|row| row.title.clone()).unwrap_or_default();
                let agent = row.map(|row| row.agent.clone());
                self.open.insert(0, Session { id: Some(id.clone()), agent, title, ..Session::default() });
                self.effects.push(Effect::Recall(Some(id.clone())));
                self.follow(0);
            }
        }
        if let Some(row) = self.list.iter().find(|row| row.id == *id) {
            self.seen.insert(id.clone(), row.updated_at);
        }
        let draft = std::mem::take(&mut self.session_mut().draft);
        self.input.set(draft);
    }

    /// Shows a session that is yet to be made, with what was typed in it before.
    pub(super) fn begin(&mut self, agent: Option<AgentName>) {
        self.leave();
        let agent = agent.or_else(|| self.agent.clone());
        let unborn = |session: &Session| session.id.is_none();
        let left = self.open.iter().position(|session| unborn(session) && session.pending.is_empty());
        if left.is_none() && !self.open.iter().any(unborn) {
            self.effects.push(Effect::Recall(None));
        }
        let session = left.map(|left| self.open.remove(left)).unwrap_or_default();
        self.open.insert(0, Session { agent, ..session });
        let draft = std::mem::take(&mut self.session_mut().draft);
        self.input.set(draft);
        // Perhaps somebody has helped since.
        if self.advice.is_some() {
            self.effects.push(Effect::Want(Wish::House));
        }
    }

    fn leave(&mut self) {
        self.find = None;
        let text = self.input.take();
        let session = self.session_mut();
        session.draft = text;
        session.scroll = 0;
        // Of a session in which nothing was said nothing is kept.
        let idle =
            |session: &Session| session.pending.is_empty() && session.draft.is_empty() && session.files.is_empty();
        self.open.retain(|session| session.id.is_some() || !idle(session));
        if self.open.len() > FOLLOWED {
            let idle = self.open.iter().rposition(idle);
            if let Some(Some(session)) = idle.map(|idle| self.open.remove(idle).id) {
                self.say(Ask::Unsubscribe { session });
            }
        }
    }
}
