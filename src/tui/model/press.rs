//! What a key does.

use super::{Effect, Find, Line, Model, Overlay, Which, Wish};
use crate::tui::input::Move;
use crate::tui::keys::{Action, Key, action};
use crate::tui::wire::{Ask, Offer};

/// What becomes of a message that is sent during an answer, in the order in which Ctrl+O goes through them.
const MODES: [Option<&str>; 5] = [None, Some("queue"), Some("steer"), Some("interrupt"), Some("collect")];

/// Rows that the wheel scrolls.
const WHEEL: usize = 3;

impl Model {
    pub(super) fn press(&mut self, key: Key) {
        self.notice = None;
        let armed = std::mem::take(&mut self.armed);
        match action(&key) {
            Some(Action::Interrupt) => return self.interrupt(armed),
            Some(Action::Quit) => return self.effects.push(Effect::Quit),
            _ => {}
        }
        if let Key::Wheel(up) = key {
            return self.scroll(up, WHEEL);
        }
        if let Key::Click(..) = key {
            return;
        }
        if self.overlay.is_some() {
            return self.press_over(&key);
        }
        if self.find.is_some() && self.press_find(&key) {
            return;
        }
        match action(&key) {
            Some(action) => self.act(action),
            None => self.edit(key),
        }
    }

    /// Does what a key or the palette asks for.
    pub(super) fn act(&mut self, action: Action) {
        match action {
            Action::Send => self.send(),
            Action::Break => self.put("\n"),
            Action::Complete => {
                if let Some(offer) = self.completions().first() {
                    let name = format!("/{} ", offer.name);
                    self.input.set(name);
                }
            }
            Action::Escape => {
                if !self.leave_edit() {
                    self.cancel();
                }
            }
            Action::Palette => self.overlay = Some(Overlay::new(Which::Palette)),
            Action::Sessions => {
                self.overlay = Some(Overlay::new(Which::Sessions));
                self.effects.push(Effect::Want(Wish::List));
            }
            Action::Help => self.overlay = Some(Overlay::new(Which::Help)),
            Action::New => {
                if self.session().id.is_some() || !self.session().pending.is_empty() {
                    self.begin(None);
                }
            }
            Action::Find => self.find = Some(Find::default()),
            Action::PageUp => self.scroll(true, self.page.saturating_sub(2).max(1)),
            Action::PageDown => self.scroll(false, self.page.saturating_sub(2).max(1)),
            Action::Older => self.input.go(Move::Up),
            Action::Newer => self.input.go(Move::Down),
            Action::Mode => {
                let at = MODES.iter().position(|mode| *mode == self.mode).unwrap_or(0);
                self.mode = MODES[(at + 1) % MODES.len()];
            }
            Action::Copy => match self.session().last_answer().map(str::to_owned) {
                Some(text) => {
                    self.notice = Some(("The last answer was handed to the terminal's clipboard.".to_owned(), false));
                    self.effects.push(Effect::Copy(text));
                }
                None => self.notice = Some(("There is no answer to copy yet.".to_owned(), false)),
            },
            Action::Retry | Action::Edit | Action::Rename | Action::Fork | Action::Archive | Action::Delete => {
                self.deal(action)
            }
            Action::Theme => self.effects.push(Effect::Theme),
            Action::Interrupt => self.interrupt(false),
            Action::Quit => self.effects.push(Effect::Quit),
        }
    }

    /// Shows an overlay's choice, or narrows it.
    fn press_over(&mut self, key: &Key) {
        let Some(mut overlay) = self.overlay.take() else { return };
        let choices = overlay.choices(self);
        let last = choices.len().saturating_sub(1);
        overlay.chosen = overlay.chosen.min(last);
        match key {
            Key::Enter => {
                if overlay.which == Which::Rename {
                    self.rename(&overlay.filter);
                } else if let Some(choice) = choices.into_iter().nth(overlay.chosen) {
                    self.choose(choice.item);
                }
                return;
            }
            Key::Up => overlay.chosen = overlay.chosen.checked_sub(1).unwrap_or(last),
            Key::Down | Key::Tab => overlay.chosen = if overlay.chosen == last { 0 } else { overlay.chosen + 1 },
            Key::PageUp | Key::Home => overlay.chosen = 0,
            Key::PageDown | Key::End => overlay.chosen = last,
            // A question is answered by Enter and Esc alone.
            Key::Char(_) | Key::Paste(_) | Key::Backspace if overlay.which == Which::Delete => {}
            Key::Char(_) | Key::Paste(_) | Key::Backspace | Key::WordBackspace | Key::Ctrl('u' | 'w') => {
                overlay.narrow(key);
                let text = overlay.filter.trim().to_owned();
                if overlay.which == Which::Sessions && !text.is_empty() && self.line == Line::Up {
                    self.wish(Wish::Search(text));
                }
            }
            // The key that opened it closes it too.
            key => match (action(key), overlay.which) {
                (Some(Action::Escape), _)
                | (Some(Action::Palette), Which::Palette)
                | (Some(Action::Sessions), Which::Sessions)
                | (Some(Action::Help), Which::Help) => return,
                (Some(action @ (Action::Palette | Action::Sessions | Action::Help | Action::New)), _) => {
                    return self.act(action);
                }
                _ => {}
            },
        }
        self.overlay = Some(overlay);
    }

    /// Whether the key was for what is looked for.
    fn press_find(&mut self, key: &Key) -> bool {
        let Some(find) = &mut self.find else { return false };
        match key {
            Key::Char(char) => find.text.push(*char),
            Key::Paste(text) => find.text.push_str(text.lines().next().unwrap_or_default()),
            Key::Backspace => drop(find.text.pop()),
            // Further up is older.
            Key::Up | Key::Enter => {
                find.chosen = if find.chosen + 1 < find.hits { find.chosen + 1 } else { 0 };
                find.moved = true;
                return true;
            }
            Key::Down => {
                find.chosen = find.chosen.checked_sub(1).unwrap_or(find.hits.saturating_sub(1));
                find.moved = true;
                return true;
            }
            Key::Esc | Key::Ctrl('f') => {
                self.find = None;
                return true;
            }
            _ => return false,
        }
        (find.chosen, find.moved) = (0, true);
        true
    }

    fn edit(&mut self, key: Key) {
        match key {
            Key::Char(char) => self.put(char.encode_utf8(&mut [0; 4])),
            Key::Paste(text) => self.put(&text.replace("\r\n", "\n").replace('\r', "\n")),
            // With nothing left to take away, a file is.
            Key::Backspace if self.input.is_empty() => drop(self.session_mut().files.pop()),
            Key::Backspace => self.input.backspace(),
            Key::WordBackspace | Key::Ctrl('w') => self.input.delete_word(),
            Key::Delete | Key::Ctrl('d') => self.input.delete(),
            Key::Left | Key::Ctrl('b') => self.input.go(Move::Left),
            Key::Right => self.input.go(Move::Right),
            Key::WordLeft | Key::Alt('b') => self.input.go(Move::WordLeft),
            Key::WordRight | Key::Alt('f') => self.input.go(Move::WordRight),
            Key::Home | Key::Ctrl('a') => self.input.go(Move::Start),
            Key::End | Key::Ctrl('e') => self.input.go(Move::End),
            Key::Ctrl('u') => self.input.delete_to_start(),
            _ => {}
        }
    }

    fn put(&mut self, text: &str) {
        if !self.input.insert(text) {
            let most = mosaic_types::limits::TEXT_CHARS;
            self.notice = Some((format!("A message has at most {most} characters; the rest was left out."), true));
        }
    }

    fn scroll(&mut self, up: bool, rows: usize) {
        let session = self.session_mut();
        session.scroll = if up { session.scroll + rows } else { session.scroll.saturating_sub(rows) };
        if up {
            self.look_back();
        }
    }

    /// Slash commands that begin with what is typed.
    pub(crate) fn completions(&self) -> Vec<&Offer> {
        let Some(typed) = self.input.text().strip_prefix('/') else { return Vec::new() };
        if typed.contains(char::is_whitespace) {
            return Vec::new();
        }
        self.offers.iter().filter(|offer| offer.role <= self.role && offer.name.starts_with(typed)).collect()
    }

    fn send(&mut self) {
        let text = self.input.text().trim_end().to_owned();
        if text.trim().is_empty() {
            if !self.session().files.is_empty() {
                self.notice = Some(("Say something about it: a message has a text.".to_owned(), true));
            }
            return;
        }
        if self.session().editing.as_ref().is_some_and(|editing| editing.fetching) {
            self.notice =
                Some(("The files of that message are on their way. Try again in a moment.".to_owned(), false));
            return;
        }
        let editing = self.session_mut().editing.take();
        if is_command(&text) && editing.is_none() {
            if self.execute(text.trim()) {
                self.input.remember(&text);
                self.input.take();
            }
            return;
        }
        match self.submit(text.clone(), editing.as_ref().map(|editing| editing.seq)) {
            Ok(()) => {
                self.input.remember(&text);
                let (draft, files) = editing.map(|editing| (editing.draft, editing.files)).unwrap_or_default();
                self.session_mut().files = files;
                self.input.set(draft);
            }
            Err(sentence) => {
                self.session_mut().editing = editing;
                self.notice = Some((sentence.to_owned(), true));
            }
        }
    }

    /// Has a slash command carried out; answers whether it could be asked.
    pub(super) fn execute(&mut self, line: &str) -> bool {
        if let Some(path) = line.strip_prefix("/attach").filter(|path| path.is_empty() || path.starts_with(' ')) {
            self.effects.push(Effect::Attach(path.trim().to_owned()));
            return true;
        }
        if self.line != Line::Up {
            self.notice = Some(("No daemon answers; commands work again when it is back.".to_owned(), true));
            return false;
        }
        // With nothing behind them they are asked to offer what there is.
        if let Some(which) =
            [("/agent", Which::Agents), ("/model", Which::Models)].iter().find(|(name, _)| *name == line)
        {
            self.offer(which.1);
            return true;
        }
        let Some(session) = self.session().id.clone() else { return self.execute_alone(line) };
        let id = format!("{session}:{}", self.outside.uuid());
        self.say(Ask::Execute { id, session, line: line.to_owned() });
        true
    }

    /// A slash command where there is no session yet: what can be known without one.
    fn execute_alone(&mut self, line: &str) -> bool {
        let (name, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        let wish = rest.trim().parse().ok();
        let known = wish.as_ref().is_none_or(|wish| self.agents.iter().any(|agent| agent.name == *wish));
        match name {
            "/new" | "/agent" if known && (wish.is_some() || rest.is_empty()) => {
                if wish.is_some() {
                    self.session_mut().agent = wish;
                }
            }
            "/help" => {
                let lines: Vec<String> =
                    self.offers.iter().map(|offer| format!("{}  {}", offer.usage, offer.help)).collect();
                self.session_mut().note(&lines.join("\n"), false);
            }
            "/model" => self.session_mut().model = (rest != "auto").then(|| rest.trim().to_owned()),
            "/agents" | "/agent" | "/new" => {
                let lines: Vec<String> =
                    self.agents.iter().map(|agent| format!("{}  {}", agent.name, agent.models.join(", "))).collect();
                self.session_mut().note(&lines.join("\n"), false);
            }
            _ => {
                self.notice = Some(("There is no session yet: it begins with your first message.".to_owned(), false));
                return false;
            }
        }
        true
    }

    /// Cancels what runs.
    fn cancel(&mut self) {
        let connected = self.line == Line::Up;
        let session = self.session_mut();
        let id = session.id.clone();
        let (Some(running), Some(id)) = (&mut session.running, id) else { return };
        if !connected {
            self.notice = Some(("No daemon answers; nothing can be cancelled now.".to_owned(), true));
            return;
        }
        if !running.cancelling {
            running.cancelling = true;
            let turn = running.turn;
            self.say(Ask::Cancel { session: id, turn });
        }
    }

    fn interrupt(&mut self, armed: bool) {
        if armed {
            return self.effects.push(Effect::Quit);
        }
        self.armed = true;
        (self.overlay, self.find) = (None, None);
        let runs = self.session().running.as_ref().is_some_and(|running| !running.cancelling);
        if runs {
            self.cancel();
        }
        self.notice.get_or_insert_with(|| ("Press Ctrl+C again to quit.".to_owned(), false));
    }
}

/// Whether a text is a slash command: a slash, a name, and perhaps more behind a blank.
fn is_command(text: &str) -> bool {
    let name = text.strip_prefix('/').and_then(|rest| rest.split_whitespace().next());
    !text.contains('\n') && name.is_some_and(|name| name.chars().all(|char| char.is_ascii_alphabetic()))
}
