//! The loop: news in, pictures out, at most thirty a second.
//!
//! Cursive lays out and draws, and writes only what differs from the picture before; what there is to see comes from
//! [`compose`], and what happens goes to the [`Model`].

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use cursive::{Cursive, CursiveRunner, Printer, Vec2, View};
use tokio::sync::mpsc::{Receiver, Sender};
use tokio::time::Instant;

use super::keys::Key;
use super::link::Wish;
use super::model::{Effect, Line, Model, News};
use super::screen::{Screen, compose};
use super::terminal::{Cursor, Pen, copy};
use super::text::cells;
use super::theme::Theme;

/// Between two pictures, at the least.
const FRAME: Duration = Duration::from_millis(33);
/// Between two pictures in which only a spinner turns.
const SPIN: Duration = Duration::from_millis(100);
/// Bytes that are put into a clipboard at the most; terminals ignore longer sequences, several at 100,000 bytes.
const CLIPBOARD: usize = 74_000;

/// What is to be seen, as cursive sees it.
struct Picture {
    screen: Arc<Mutex<Screen>>,
    theme: Arc<Mutex<Theme>>,
}

impl View for Picture {
    fn draw(&self, printer: &Printer<'_, '_>) {
        let theme = *self.theme.lock().unwrap_or_else(PoisonError::into_inner);
        let screen = self.screen.lock().unwrap_or_else(PoisonError::into_inner);
        for (y, row) in screen.rows.iter().enumerate().take(printer.size.y) {
            let mut x = 0;
            for span in &row.0 {
                printer.with_style(theme.style(span.look), |printer| {
                    if span.text.is_ascii() {
                        printer.print((x, y), &span.text);
                        x += span.text.len();
                        return;
                    }
                    // One by one: together some would be taken for a cell that is wider than any may be.
                    for (cell, width) in cells(&span.text) {
                        if x + width <= printer.size.x {
                            printer.print((x, y), cell);
                        }
                        x += width;
                    }
                });
            }
            if x < printer.size.x {
                printer.with_style(theme.style(super::look::Look::default()), |printer| {
                    printer.print_hline((x, y), printer.size.x - x, " ");
                });
            }
        }
    }

    fn required_size(&mut self, constraint: Vec2) -> Vec2 {
        constraint
    }
}

/// The screen: cursive with one view.
pub(super) struct Canvas {
    runner: CursiveRunner<Cursive>,
    screen: Arc<Mutex<Screen>>,
    theme: Arc<Mutex<Theme>>,
    cursor: Cursor,
    size: Box<dyn Fn() -> (usize, usize)>,
}

impl Canvas {
    /// A canvas on which `backend` draws, of that size.
    pub(super) fn new(
        backend: Box<dyn cursive::backend::Backend>,
        theme: Theme,
        cursor: Cursor,
        size: Box<dyn Fn() -> (usize, usize)>,
    ) -> Self {
        let (screen, theme) = (Arc::new(Mutex::new(Screen::default())), Arc::new(Mutex::new(theme)));
        let mut cursive = Cursive::new();
        let mut plain = cursive.current_theme().clone();
        plain.shadow = false;
        plain.palette[cursive::theme::PaletteColor::Background] = cursive::theme::Color::TerminalDefault;
        plain.palette[cursive::theme::PaletteColor::View] = cursive::theme::Color::TerminalDefault;
        plain.palette[cursive::theme::PaletteColor::Primary] = cursive::theme::Color::TerminalDefault;
        cursive.set_theme(plain);
        cursive.add_fullscreen_layer(Picture { screen: screen.clone(), theme: theme.clone() });
        Self { runner: cursive.into_runner(backend), screen, theme, cursor, size }
    }

    /// Shows the model as it is; answers what stands where, for clicks.
    pub(super) fn show(&mut self, model: &mut Model, tick: usize) -> Vec<(usize, mosaic_types::SessionId)> {
        let (columns, rows) = (self.size)();
        let screen = compose(model, columns, rows, tick);
        *self.cursor.lock().unwrap_or_else(PoisonError::into_inner) = screen.cursor;
        let side = screen.side.clone();
        *self.screen.lock().unwrap_or_else(PoisonError::into_inner) = screen;
        self.runner.refresh();
        side
    }

    fn turn_theme(&self) {
        let mut theme = self.theme.lock().unwrap_or_else(PoisonError::into_inner);
        *theme = theme.next();
    }
}

/// Runs until somebody quits.
pub(super) fn run(mut model: Model, mut news: Receiver<News>, wishes: &Sender<Wish>, theme: Theme) {
    let cursor = Cursor::default();
    let size = || {
        let (columns, rows) = cursive::backends::crossterm::crossterm::terminal::size().unwrap_or((80, 24));
        (usize::from(columns), usize::from(rows))
    };
    let mut canvas = Canvas::new(Box::new(Pen::new(cursor.clone())), theme, cursor, Box::new(size));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    let Ok(runtime) = runtime else { return };
    let (mut tick, mut dirty) = (0_usize, true);
    let begun = Instant::now();
    let mut due = begun;
    let mut side = Vec::new();
    loop {
        let now = Instant::now();
        if dirty && now >= due {
            side = canvas.show(&mut model, tick);
            dirty = false;
            // A screen that takes long to draw leaves as much time to everything else.
            let took = Instant::now() - now;
            due = now + FRAME.max(took * 2);
        }
        let until = match (dirty, model.is_moving()) {
            (true, _) => Some(due),
            (false, true) => Some(begun + SPIN * u32::try_from(tick + 1).unwrap_or(u32::MAX)),
            (false, false) => None,
        };
        let first = runtime.block_on(async {
            match until {
                Some(until) => tokio::time::timeout_at(until, news.recv()).await.ok(),
                None => Some(news.recv().await),
            }
        });
        tick = usize::try_from((Instant::now() - begun).as_millis() / SPIN.as_millis()).unwrap_or(0);
        dirty = true;
        let Some(first) = first else { continue };
        // Everybody who could say something is gone.
        let Some(first) = first else { return };
        let mut next = Some(first);
        while let Some(happened) = next {
            #[cfg(feature = "chaos")]
            assert!(!matches!(happened, News::Key(Key::Alt('!'))), "a panic that a test asked for");
            let happened = clicked(happened, &side);
            for effect in model.hear(happened) {
                match effect {
                    Effect::Say(ask) => wish(wishes, &mut model, Wish::Say(ask)),
                    Effect::List => wish(wishes, &mut model, Wish::List),
                    Effect::Locate(session) => wish(wishes, &mut model, Wish::Locate(session)),
                    Effect::Copy(text) if text.len() > CLIPBOARD => {
                        let text = "The answer is too long for the clipboard of a terminal.".to_owned();
                        model.notice = Some((text, true));
                    }
                    Effect::Copy(text) => copy(&text),
                    Effect::Theme => canvas.turn_theme(),
                    Effect::Quit => return,
                }
            }
            next = if Instant::now() < due.max(now + FRAME) { news.try_recv().ok() } else { None };
        }
    }
}

/// A click on a session beside the transcript is a wish to see it.
fn clicked(news: News, side: &[(usize, mosaic_types::SessionId)]) -> News {
    match news {
        News::Key(Key::Click(column, row)) if usize::from(column) < super::screen::SIDE => {
            let on = side.iter().find(|(at, _)| *at == usize::from(row));
            on.map_or(News::Look, |(_, session)| News::Show(session.clone()))
        }
        news => news,
    }
}

fn wish(wishes: &Sender<Wish>, model: &mut Model, wish: Wish) {
    // Full only where the connection stands still; then it is cut soon, and what waits is sent again by its key.
    if wishes.try_send(wish).is_err() && model.line == Line::Up {
        model.notice = Some(("The connection stands still.".to_owned(), true));
    }
}
