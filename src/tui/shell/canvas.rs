//! The screen as cursive draws it: one view, whose rows come from [`compose`].

use std::sync::{Arc, Mutex, PoisonError};

use cursive::backend::Backend;
use cursive::theme::{Color, PaletteColor};
use cursive::{Cursive, CursiveRunner, Printer, Vec2, View};

use crate::tui::look::Look;
use crate::tui::model::Model;
use crate::tui::screen::{Screen, compose};
use crate::tui::terminal::Cursor;
use crate::tui::text::cells;
use crate::tui::theme::Theme;

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
                printer.with_style(theme.style(Look::default()), |printer| {
                    printer.print_hline((x, y), printer.size.x - x, " ");
                });
            }
        }
    }

    fn required_size(&mut self, constraint: Vec2) -> Vec2 {
        constraint
    }
}

/// What makes the backend that is drawn with.
type Backends = Box<dyn Fn() -> Box<dyn Backend>>;

/// The screen: cursive with one view.
pub(crate) struct Canvas {
    runner: CursiveRunner<Cursive>,
    backends: Backends,
    screen: Arc<Mutex<Screen>>,
    theme: Arc<Mutex<Theme>>,
    cursor: Cursor,
    size: Box<dyn Fn() -> (usize, usize)>,
}

impl Canvas {
    /// A canvas on which the backends draw, of that size.
    pub(crate) fn new(backends: Backends, theme: Theme, cursor: Cursor, size: Box<dyn Fn() -> (usize, usize)>) -> Self {
        let (screen, theme) = (Arc::new(Mutex::new(Screen::default())), Arc::new(Mutex::new(theme)));
        let runner = runner(&screen, &theme, &backends);
        Self { runner, backends, screen, theme, cursor, size }
    }

    /// Forgets what was drawn, so that the next picture is drawn whole. Cursive does so only where it finds another size
    /// than last time; a terminal that was another one in between may have lost a part all the same.
    pub(crate) fn forget(&mut self) {
        self.runner = runner(&self.screen, &self.theme, &self.backends);
    }

    /// Shows the model as it is; answers what stands where, for clicks.
    pub(crate) fn show(&mut self, model: &mut Model, tick: usize) -> Vec<(usize, mosaic_types::SessionId)> {
        let (columns, rows) = (self.size)();
        let screen = compose(model, columns, rows, tick);
        *self.cursor.lock().unwrap_or_else(PoisonError::into_inner) = screen.cursor;
        let side = screen.side.clone();
        *self.screen.lock().unwrap_or_else(PoisonError::into_inner) = screen;
        self.runner.refresh();
        side
    }

    pub(crate) fn turn_theme(&self) {
        let mut theme = self.theme.lock().unwrap_or_else(PoisonError::into_inner);
        *theme = theme.next();
    }
}

/// Cursive, which has drawn nothing yet.
fn runner(screen: &Arc<Mutex<Screen>>, theme: &Arc<Mutex<Theme>>, backends: &Backends) -> CursiveRunner<Cursive> {
    let mut cursive = Cursive::new();
    let mut plain = cursive.current_theme().clone();
    plain.shadow = false;
    plain.palette[PaletteColor::Background] = Color::TerminalDefault;
    plain.palette[PaletteColor::View] = Color::TerminalDefault;
    plain.palette[PaletteColor::Primary] = Color::TerminalDefault;
    cursive.set_theme(plain);
    cursive.add_fullscreen_layer(Picture { screen: screen.clone(), theme: theme.clone() });
    cursive.into_runner(backends())
}
