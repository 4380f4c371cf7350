//! The loop: what a person does and what the daemon says in, pictures out.
//!
//! Cursive lays out and draws, and writes only what differs from the picture before; what there is to see comes from
//! the screen, and what happens goes to the [`Model`]. What a person does goes before what streams, and is shown at
//! once; see [`Pace`].

mod canvas;
mod pace;

use std::time::Duration;

use tokio::sync::mpsc::{Receiver, Sender};
use tokio::time::Instant;

use super::draft::Keeper;
use super::file::File;
use super::keys::Key;
use super::model::{Effect, Line, Model, News, Wish};
use super::terminal::{Cursor, Pen, copy};
use super::theme::Theme;
pub(super) use canvas::Canvas;
use pace::Pace;

/// Between two pictures in which only a spinner turns.
const SPIN: Duration = Duration::from_millis(100);
/// For so long news of the daemon are heard before keys are looked for again.
const BITE: Duration = Duration::from_millis(2);
/// Bytes that are put into a clipboard at the most; terminals ignore longer sequences, several at 100,000 bytes.
const CLIPBOARD: usize = 74_000;

/// Where news come from.
pub(super) struct Ears {
    /// Keys and signals.
    pub(super) typed: Receiver<News>,
    /// What the daemon says.
    pub(super) news: Receiver<News>,
}

/// Runs until somebody quits.
pub(super) fn run(model: Model, ears: Ears, wishes: &Sender<Wish>, keeper: &mut Keeper, theme: Theme) {
    let cursor = Cursor::default();
    let size = || {
        let (columns, rows) = cursive::backends::crossterm::crossterm::terminal::size().unwrap_or((80, 24));
        (usize::from(columns), usize::from(rows))
    };
    let pens = cursor.clone();
    let canvas = Canvas::new(Box::new(move || Box::new(Pen::new(pens.clone()))), theme, cursor, Box::new(size));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    let Ok(runtime) = runtime else { return };
    let mut shell = Shell { model, canvas, wishes, keeper, side: Vec::new() };
    runtime.block_on(shell.serve(ears));
    shell.keeper.keep(shell.model.unsent());
}

struct Shell<'a> {
    model: Model,
    canvas: Canvas,
    wishes: &'a Sender<Wish>,
    keeper: &'a mut Keeper,
    /// What stands where, for clicks.
    side: Vec<(usize, mosaic_types::SessionId)>,
}

impl Shell<'_> {
    async fn serve(&mut self, mut ears: Ears) {
        let (begun, mut pace) = (Instant::now(), Pace::new());
        let mut backlog = false;
        loop {
            let now = Instant::now();
            let ticks = (now - begun).as_millis() / SPIN.as_millis();
            let due = pace.due(now);
            if due.is_some_and(|due| due <= now) {
                // First, since a terminal that takes nothing any more holds up the picture.
                self.keeper.keep(self.model.unsent());
                self.side = self.canvas.show(&mut self.model, usize::try_from(ticks).unwrap_or(0));
                pace.drew(now, Instant::now() - now);
                continue;
            }
            let spin = begun + SPIN * u32::try_from(ticks + 1).unwrap_or(u32::MAX);
            let wake = due.or_else(|| self.model.is_moving().then_some(spin));
            let quit = tokio::select! {
                biased;
                typed = ears.typed.recv() => {
                    pace.heard(true);
                    typed.is_none_or(|typed| self.hear(typed))
                }
                () = std::future::ready(()), if backlog => false,
                // While a picture is due nothing wakes this thread but a person: what streams is heard together.
                news = ears.news.recv(), if due.is_none() => {
                    pace.heard(false);
                    news.is_none_or(|news| self.hear(news))
                }
                () = tokio::time::sleep_until(wake.unwrap_or(now)), if wake.is_some() => {
                    pace.heard(false);
                    false
                }
            };
            match self.hear_waiting(&mut ears, &mut pace) {
                Some(more) if !quit => backlog = more,
                _ => return,
            }
        }
    }

    /// Hears what waits: all that was typed, and of the daemon's news a bite. Answers whether more of them wait;
    /// `None`: somebody quits.
    fn hear_waiting(&mut self, ears: &mut Ears, pace: &mut Pace) -> Option<bool> {
        while let Ok(typed) = ears.typed.try_recv() {
            pace.heard(true);
            if self.hear(typed) {
                return None;
            }
        }
        let begun = Instant::now();
        while let Ok(news) = ears.news.try_recv() {
            pace.heard(false);
            if self.hear(news) {
                return None;
            }
            if begun.elapsed() > BITE {
                return Some(true);
            }
        }
        Some(false)
    }

    /// Takes in what happened, and does what follows; answers whether to quit.
    fn hear(&mut self, happened: News) -> bool {
        #[cfg(feature = "chaos")]
        assert!(!matches!(happened, News::Key(Key::Alt('!'))), "a panic that a test asked for");
        let Some(happened) = clicked(happened, &self.side) else { return false };
        if let News::Resized = happened {
            self.canvas.forget();
        }
        for effect in self.model.hear(happened) {
            match effect {
                Effect::Want(wish) => self.wish(wish),
                Effect::Copy(text) if text.len() > CLIPBOARD => {
                    let text = "The answer is too long for the clipboard of a terminal.".to_owned();
                    self.model.notice = Some((text, true));
                }
                Effect::Copy(text) => copy(&text),
                Effect::Attach(path) => self.model.attach(File::read(&path)),
                Effect::Recall(session) => self.model.recall(self.keeper.recall(session.as_ref())),
                Effect::Theme => self.canvas.turn_theme(),
                Effect::Quit => return true,
            }
        }
        false
    }

    fn wish(&mut self, wish: Wish) {
        // Full only where the connection stands still; then it is cut soon, and what waits is sent again by its key.
        if self.wishes.try_send(wish).is_err() && self.model.line == Line::Up {
            self.model.notice = Some(("The connection stands still.".to_owned(), true));
        }
    }
}

/// A click on a session beside the transcript is a wish to see it.
fn clicked(news: News, side: &[(usize, mosaic_types::SessionId)]) -> Option<News> {
    match news {
        News::Key(Key::Click(column, row)) if usize::from(column) < super::screen::SIDE => {
            let on = side.iter().find(|(at, _)| *at == usize::from(row));
            on.map(|(_, session)| News::Show(session.clone()))
        }
        news => Some(news),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::model::tests::{accepted, connected, event};

    #[tokio::test]
    async fn what_a_person_does_is_heard_before_what_streams() {
        let backend = || cursive::backends::puppet::Backend::init(Some((80, 24).into())) as _;
        let canvas = Canvas::new(Box::new(backend), Theme::Dark, Cursor::default(), Box::new(|| (80, 24)));
        let (wishes, _wanted) = tokio::sync::mpsc::channel(8);
        let folder = tempfile::tempdir().expect("a folder");
        let home = crate::home::Home::open(Some(folder.path()), &Default::default()).expect("a home");
        let mut keeper = Keeper::start(crate::home::Drafts::open(&home, "home")).expect("a thread");
        let mut shell = Shell { model: connected(), canvas, wishes: &wishes, keeper: &mut keeper, side: Vec::new() };
        let ((type_in, typed), (tell, news)) = (tokio::sync::mpsc::channel(8), tokio::sync::mpsc::channel(1_000));
        let mut ears = Ears { typed, news };
        for _ in 0..1_000 {
            tell.try_send(event("elsewhere", 1, None, accepted("more"))).expect("there is room");
        }
        for key in [Key::Char('h'), Key::Char('i'), Key::Ctrl('q')] {
            type_in.try_send(News::Key(key)).expect("there is room");
        }
        assert_eq!(shell.hear_waiting(&mut ears, &mut Pace::new()), None, "the order to leave is not waited for");
        assert_eq!((shell.model.input.text(), ears.news.len()), ("hi", 1_000));
        assert_eq!(shell.hear_waiting(&mut ears, &mut Pace::new()).map(|_| ears.news.len() < 1_000), Some(true));
    }
}
