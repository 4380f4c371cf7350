//! The terminal: taken for the screen, given back whatever happens, read key by key.
//!
//! Cursive's own backend ends the process in a panic when the terminal goes away or something is pasted, and looks for
//! keys every 30 ms. This one writes each picture in one piece, takes no failure of a write ill (that the terminal is
//! gone is told by its end of input), and leaves reading to a thread that waits.

use std::cell::RefCell;
use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, PoisonError};

use cursive::Vec2;
use cursive::backend::Backend;
use cursive::backends::crossterm::crossterm as term;
use cursive::event::Event;
use cursive::theme::{BaseColor, Color, ColorPair, Effect};
use rustix::event::{PollFd, PollFlags, poll};
use term::queue;
use term::style::{Attribute, Color as Ink, SetAttribute, SetBackgroundColor, SetForegroundColor};
use tokio::sync::mpsc::Sender;

use super::keyboard::Keyboard;
use super::model::News;

/// Alternate screen, mouse wheel and clicks (not every move), pastes as one.
const TAKE: &[u8] = b"\x1b[?1049h\x1b[?1000h\x1b[?1006h\x1b[?2004h\x1b[2J";
/// All of it back, also what a picture that was cut off may have left on.
const GIVE_BACK: &[u8] = b"\x1b[?2026l\x1b[0m\x1b[?2004l\x1b[?1006l\x1b[?1000l\x1b[?25h\x1b[?1049l";
/// A terminal that knows it shows what stands between the two at once.
const PICTURE: (&[u8], &[u8]) = (b"\x1b[?2026h\x1b[?25l", b"\x1b[?2026l");

/// The terminal, taken; given back when it is dropped.
pub(crate) struct Taken(());

impl Taken {
    /// Takes the terminal.
    ///
    /// # Errors
    /// There is none.
    pub(crate) fn take() -> io::Result<Self> {
        if !io::stdin().is_terminal() || !io::stdout().is_terminal() {
            return Err(io::Error::new(io::ErrorKind::Unsupported, "stdin and stdout must be a terminal"));
        }
        term::terminal::enable_raw_mode()?;
        let taken = Self(());
        write(TAKE);
        Ok(taken)
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        write(GIVE_BACK);
        let _ = term::terminal::disable_raw_mode();
    }
}

/// Gives back what can be given back without waiting, for a process that is about to be ended.
pub(crate) fn give_up() {
    let _ = term::terminal::disable_raw_mode();
}

/// Columns of the terminal, where there is one.
pub(crate) fn columns() -> Option<usize> {
    term::terminal::size().ok().map(|(columns, _)| columns.into())
}

fn write(bytes: &[u8]) {
    let mut out = io::stdout().lock();
    // Nobody could be told.
    let _ = out.write_all(bytes).and_then(|()| out.flush());
}

/// Puts a text into the clipboard of whoever sits at the terminal, however far away (OSC 52).
pub(crate) fn copy(text: &str) {
    use base64::Engine;
    let text = base64::engine::general_purpose::STANDARD.encode(text);
    write(format!("\x1b]52;c;{text}\x07").as_bytes());
}

/// Where the cursor is to stand; shared by who draws and who writes.
pub(crate) type Cursor = Arc<Mutex<Option<(usize, usize)>>>;

/// What cursive draws with.
pub(crate) struct Pen {
    out: RefCell<Vec<u8>>,
    cursor: Cursor,
    shown: Option<(usize, usize)>,
}

impl Pen {
    /// A pen that begins on an empty screen and without any colour, whatever another one has left.
    pub(crate) fn new(cursor: Cursor) -> Self {
        Self { out: RefCell::new(b"\x1b[0m\x1b[2J".to_vec()), cursor, shown: None }
    }

    fn put(&self, command: impl term::Command) {
        let _ = queue!(self.out.borrow_mut(), command);
    }
}

fn ink(color: Color) -> Ink {
    match color {
        Color::TerminalDefault => Ink::Reset,
        Color::RgbLowRes(r, g, b) => Ink::AnsiValue(16 + 36 * r + 6 * g + b),
        // The greys of the 256 colours, which cursive writes as what they look like.
        Color::Rgb(r, g, b) if r == g && g == b && r >= 8 => Ink::AnsiValue(232 + ((r - 8) / 10).min(23)),
        Color::Rgb(r, g, b) => Ink::Rgb { r, g, b },
        Color::Dark(base) => Ink::AnsiValue(number(base)),
        Color::Light(base) => Ink::AnsiValue(8 + number(base)),
    }
}

fn number(base: BaseColor) -> u8 {
    match base {
        BaseColor::Black => 0,
        BaseColor::Red => 1,
        BaseColor::Green => 2,
        BaseColor::Yellow => 3,
        BaseColor::Blue => 4,
        BaseColor::Magenta => 5,
        BaseColor::Cyan => 6,
        BaseColor::White => 7,
    }
}

impl Backend for Pen {
    fn poll_event(&mut self) -> Option<Event> {
        None
    }

    fn set_title(&mut self, _: String) {}

    fn refresh(&mut self) {
        let cursor = *self.cursor.lock().unwrap_or_else(PoisonError::into_inner);
        let drawn = std::mem::take(&mut *self.out.borrow_mut());
        // Cursive begins each picture with a move of its own.
        if drawn.len() <= b"\x1b[1;1H".len() && cursor == self.shown {
            return;
        }
        self.shown = cursor;
        let mut picture = Vec::with_capacity(drawn.len() + 32);
        picture.extend_from_slice(PICTURE.0);
        picture.extend_from_slice(&drawn);
        if let Some((column, row)) = cursor {
            picture.extend_from_slice(format!("\x1b[{};{}H\x1b[?25h", row + 1, column + 1).as_bytes());
        }
        picture.extend_from_slice(PICTURE.1);
        write(&picture);
    }

    fn has_colors(&self) -> bool {
        true
    }

    fn screen_size(&self) -> Vec2 {
        Vec2::from(term::terminal::size().unwrap_or((80, 24)))
    }

    fn is_persistent(&self) -> bool {
        true
    }

    fn move_to(&self, to: Vec2) {
        let clip = |at: usize| u16::try_from(at).unwrap_or(u16::MAX);
        self.put(term::cursor::MoveTo(clip(to.x), clip(to.y)));
    }

    fn print(&self, text: &str) {
        self.out.borrow_mut().extend_from_slice(text.as_bytes());
    }

    fn clear(&self, _: Color) {
        self.put(SetBackgroundColor(Ink::Reset));
        self.put(term::terminal::Clear(term::terminal::ClearType::All));
    }

    fn set_color(&self, colors: ColorPair) -> ColorPair {
        self.put(SetForegroundColor(ink(colors.front)));
        self.put(SetBackgroundColor(ink(colors.back)));
        colors
    }

    fn set_effect(&self, effect: Effect) {
        let attribute = match effect {
            Effect::Simple => return,
            Effect::Reverse => Attribute::Reverse,
            Effect::Dim => Attribute::Dim,
            Effect::Bold => Attribute::Bold,
            Effect::Blink => Attribute::SlowBlink,
            Effect::Italic => Attribute::Italic,
            Effect::Strikethrough => Attribute::CrossedOut,
            Effect::Underline => Attribute::Underlined,
        };
        self.put(SetAttribute(attribute));
    }

    fn unset_effect(&self, effect: Effect) {
        let attribute = match effect {
            Effect::Simple => return,
            Effect::Reverse => Attribute::NoReverse,
            Effect::Dim | Effect::Bold => Attribute::NormalIntensity,
            Effect::Blink => Attribute::NoBlink,
            Effect::Italic => Attribute::NoItalic,
            Effect::Strikethrough => Attribute::NotCrossedOut,
            Effect::Underline => Attribute::NoUnderline,
        };
        self.put(SetAttribute(attribute));
    }

    fn name(&self) -> &str {
        "crossterm"
    }
}

/// An escape that is a key of its own is told from the beginning of a longer one by what does not follow in this time.
const ESCAPE: rustix::time::Timespec = rustix::time::Timespec { tv_sec: 0, tv_nsec: 30_000_000 };

/// Reads keys until the terminal ends, and says so.
pub(crate) fn read(news: &Sender<News>) {
    let stdin = io::stdin();
    let mut keyboard = Keyboard::default();
    let mut bytes = [0; 4 << 10];
    loop {
        let mut polled = [PollFd::from_borrowed_fd(stdin.as_fd(), PollFlags::IN)];
        let keys = match poll(&mut polled, keyboard.hesitates().then_some(&ESCAPE)) {
            Err(rustix::io::Errno::INTR) => continue,
            Err(_) => break,
            Ok(0) => keyboard.settle().into_iter().collect(),
            Ok(_) => match rustix::io::read(stdin.as_fd(), &mut bytes) {
                Ok(count @ 1..) => keyboard.feed(&bytes[..count]),
                Err(rustix::io::Errno::INTR | rustix::io::Errno::AGAIN) => continue,
                // Its other end is closed.
                Ok(0) | Err(_) => break,
            },
        };
        for key in keys {
            if news.blocking_send(News::Key(key)).is_err() {
                return;
            }
        }
    }
    let _ = news.blocking_send(News::Stop);
}
