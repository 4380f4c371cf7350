//! From the bytes that a terminal sends to keys.
//!
//! Not crossterm's reader: it forgets that there is something to read when the terminal changes its size at the same
//! moment, and reads a terminal that has ended for ever. What is spoken is that of xterm and all who follow it.

use super::keys::Key;

/// Bytes of a paste, at the most; the rest is left out.
const PASTE: usize = 4 << 20;
/// A sequence that is longer is none.
const SEQUENCE: usize = 64;
const PASTE_BEGINS: &[u8] = b"\x1b[200~";
const PASTE_ENDS: &[u8] = b"\x1b[201~";

/// What was sent and is not a whole key yet.
#[derive(Debug, Default)]
pub(crate) struct Keyboard {
    bytes: Vec<u8>,
    pasting: bool,
}

/// What stands at the beginning of the bytes.
enum Read {
    /// Perhaps a key, and how many bytes it took.
    Key(Option<Key>, usize),
    /// More is to come.
    More,
}

impl Keyboard {
    /// Takes bytes; answers the keys that are whole now.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> Vec<Key> {
        self.bytes.extend_from_slice(bytes);
        let mut keys = Vec::new();
        let mut at = 0;
        loop {
            let rest = &self.bytes[at..];
            if self.pasting {
                let Some(end) = find(rest, PASTE_ENDS) else { break };
                let text = &rest[..end.min(PASTE)];
                keys.push(Key::Paste(String::from_utf8_lossy(text).into_owned()));
                (self.pasting, at) = (false, at + end + PASTE_ENDS.len());
                continue;
            }
            if rest.starts_with(PASTE_BEGINS) {
                (self.pasting, at) = (true, at + PASTE_BEGINS.len());
                continue;
            }
            match rest.first().map(|_| read(rest)) {
                Some(Read::Key(key, used)) => {
                    keys.extend(key);
                    at += used;
                }
                Some(Read::More) | None => break,
            }
        }
        self.bytes.drain(..at);
        if self.pasting {
            // The end of the paste may have come in part.
            let kept = PASTE + PASTE_ENDS.len();
            let over = self.bytes.len().saturating_sub(2 * kept);
            self.bytes.drain(kept.min(self.bytes.len())..kept.min(self.bytes.len()) + over);
        }
        keys
    }

    /// Whether a lone escape waits, which is a key of its own if nothing follows.
    pub(crate) fn hesitates(&self) -> bool {
        self.bytes == [0x1b] && !self.pasting
    }

    /// Nothing followed.
    pub(crate) fn settle(&mut self) -> Option<Key> {
        let hesitates = self.hesitates();
        if hesitates {
            self.bytes.clear();
        }
        hesitates.then_some(Key::Esc)
    }
}

fn find(hay: &[u8], needle: &[u8]) -> Option<usize> {
    hay.windows(needle.len()).position(|window| window == needle)
}

fn read(bytes: &[u8]) -> Read {
    match bytes[0] {
        0x1b => escape(bytes),
        b'\r' => Read::Key(Some(Key::Enter), 1),
        b'\t' => Read::Key(Some(Key::Tab), 1),
        // What terminals send for Backspace, also with Ctrl.
        0x7f | 0x08 => Read::Key(Some(Key::Backspace), 1),
        control @ 1..=26 => Read::Key(Some(Key::Ctrl(char::from(control + b'a' - 1))), 1),
        0..=31 => Read::Key(None, 1),
        first => {
            let length = match first {
                0xc0..=0xdf => 2,
                0xe0..=0xef => 3,
                0xf0..=0xf7 => 4,
                _ => 1,
            };
            match bytes.get(..length).map(std::str::from_utf8) {
                None => Read::More,
                Some(Ok(text)) => Read::Key(text.chars().next().map(Key::Char), length),
                Some(Err(_)) => Read::Key(None, 1),
            }
        }
    }
}

fn escape(bytes: &[u8]) -> Read {
    match bytes.get(1) {
        None => Read::More,
        Some(b'[') => sequence(bytes),
        Some(b'O') => match bytes.get(2) {
            None => Read::More,
            Some(last) => Read::Key(named(*last, 0), 3),
        },
        Some(0x1b) => Read::Key(Some(Key::Esc), 1),
        Some(_) => match read(&bytes[1..]) {
            Read::More => Read::More,
            Read::Key(key, used) => {
                let key = key.map(|key| match key {
                    Key::Enter | Key::Ctrl('j') => Key::AltEnter,
                    Key::Backspace => Key::WordBackspace,
                    Key::Char(char) => Key::Alt(char),
                    other => other,
                });
                Read::Key(key, used + 1)
            }
        },
    }
}

/// `ESC [ parameters final`.
fn sequence(bytes: &[u8]) -> Read {
    let Some(last) = bytes[2..].iter().position(|byte| (0x40..=0x7e).contains(byte)).map(|at| at + 2) else {
        return if bytes.len() > SEQUENCE { Read::Key(None, 2) } else { Read::More };
    };
    let used = last + 1;
    let text = std::str::from_utf8(&bytes[2..last]).unwrap_or_default();
    if let Some(mouse) = text.strip_prefix('<') {
        return Read::Key(pointed(mouse, bytes[last] == b'M'), used);
    }
    let mut numbers = text.split(';').map(|number| number.parse::<u32>().unwrap_or(0));
    let (first, second) = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(1));
    let modifiers = second.saturating_sub(1);
    let (shift, alt, ctrl) = (modifiers & 1 != 0, modifiers & 2 != 0, modifiers & 4 != 0);
    let key = match (bytes[last], first) {
        (b'~', 1 | 7) => Some(Key::Home),
        (b'~', 3) => Some(Key::Delete),
        (b'~', 4 | 8) => Some(Key::End),
        (b'~', 5) => Some(Key::PageUp),
        (b'~', 6) => Some(Key::PageDown),
        (b'~', 11) => Some(Key::F1),
        (b'~', 12) => Some(Key::F2),
        // As terminals write keys that had no name of their own before: the character, then what was held with it.
        (b'u', 13) if alt || shift => Some(Key::AltEnter),
        (b'u', 13) => Some(Key::Enter),
        (b'u', 27) => Some(Key::Esc),
        (b'u', 9) => Some(Key::Tab),
        (b'u', 127) if alt || ctrl => Some(Key::WordBackspace),
        (b'u', 127) => Some(Key::Backspace),
        (b'u', code) => char::from_u32(code).filter(|char| !char.is_control()).map(|char| match (ctrl, alt) {
            (true, _) => Key::Ctrl(char),
            (_, true) => Key::Alt(char),
            _ => Key::Char(char),
        }),
        (last, _) => named(last, modifiers),
    };
    Read::Key(key, used)
}

/// Keys that are told by a letter.
fn named(letter: u8, modifiers: u32) -> Option<Key> {
    let by_word = modifiers & 6 != 0;
    Some(match letter {
        b'A' => Key::Up,
        b'B' => Key::Down,
        b'C' if by_word => Key::WordRight,
        b'C' => Key::Right,
        b'D' if by_word => Key::WordLeft,
        b'D' => Key::Left,
        b'H' => Key::Home,
        b'F' => Key::End,
        b'M' => Key::Enter,
        b'P' => Key::F1,
        b'Q' => Key::F2,
        _ => return None,
    })
}

/// A button of the mouse: what was pressed, at which column and row, from 1.
fn pointed(text: &str, down: bool) -> Option<Key> {
    let mut numbers = text.split(';').map(|number| number.parse::<u16>().ok());
    let (button, column, row) = (numbers.next()??, numbers.next()??, numbers.next()??);
    match button {
        64 => Some(Key::Wheel(true)),
        65 => Some(Key::Wheel(false)),
        0 if down => Some(Key::Click(column.saturating_sub(1), row.saturating_sub(1))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(bytes: &[u8]) -> Vec<Key> {
        Keyboard::default().feed(bytes)
    }

    #[test]
    fn what_terminals_send_is_read_as_keys() {
        for (bytes, key) in [
            (&b"a"[..], Key::Char('a')),
            ("漢".as_bytes(), Key::Char('漢')),
            (b"\r", Key::Enter),
            (b"\n", Key::Ctrl('j')),
            (b"\x1b\r", Key::AltEnter),
            (b"\x1b[13;3u", Key::AltEnter),
            (b"\x1b[27;1u", Key::Esc),
            (b"\x11", Key::Ctrl('q')),
            (b"\x1b[113;5u", Key::Ctrl('q')),
            (b"\x7f", Key::Backspace),
            (b"\x1b\x7f", Key::WordBackspace),
            (b"\x1b[A", Key::Up),
            (b"\x1bOB", Key::Down),
            (b"\x1b[1;5D", Key::WordLeft),
            (b"\x1b[1;3C", Key::WordRight),
            (b"\x1bf", Key::Alt('f')),
            (b"\x1b[5~", Key::PageUp),
            (b"\x1b[H", Key::Home),
            (b"\x1b[4~", Key::End),
            (b"\x1bOP", Key::F1),
            (b"\x1b[11~", Key::F1),
            (b"\x1bOQ", Key::F2),
            (b"\x1b[12~", Key::F2),
            (b"\x1b[<64;10;5M", Key::Wheel(true)),
            (b"\x1b[<0;10;5M", Key::Click(9, 4)),
        ] {
            assert_eq!(keys(bytes), [key], "{bytes:?}");
        }
        for nothing in
            [&b"\x1b[<0;10;5m"[..], b"\x1b[<35;1;1M", b"\x1b[I", b"\x1b[15~", b"\x00", b"\xff", b"\x1b[999999999999u"]
        {
            assert_eq!(keys(nothing), [], "{nothing:?}");
        }
    }

    #[test]
    fn a_key_may_come_in_pieces_and_several_at_once() {
        let sent = "aä\x1b[1;5D\x1b[200~one\r\x1b[31m two\x1b[201~\x1b\r\x1b\x1b[Ab".as_bytes();
        let paste = Key::Paste("one\r\x1b[31m two".to_owned());
        let want =
            [Key::Char('a'), Key::Char('ä'), Key::WordLeft, paste, Key::AltEnter, Key::Esc, Key::Up, Key::Char('b')];
        for size in 1..sent.len() {
            let mut keyboard = Keyboard::default();
            let got: Vec<Key> = sent.chunks(size).flat_map(|piece| keyboard.feed(piece)).collect();
            assert_eq!(got, want, "in pieces of {size}");
        }
    }

    #[test]
    fn an_escape_is_a_key_once_nothing_follows_it() {
        let mut keyboard = Keyboard::default();
        assert_eq!(keyboard.feed(b"\x1b"), []);
        assert!(keyboard.hesitates());
        assert_eq!(keyboard.settle(), Some(Key::Esc));
        assert_eq!(keyboard.settle(), None);
        assert_eq!(keyboard.feed(b"[A"), [Key::Char('['), Key::Char('A')]);
    }

    #[test]
    fn a_paste_without_end_and_a_sequence_without_end_are_bounded() {
        let mut keyboard = Keyboard::default();
        keyboard.feed(PASTE_BEGINS);
        for _ in 0..16 {
            keyboard.feed(&vec![b'x'; 1 << 20]);
        }
        assert!(keyboard.bytes.len() < 3 * PASTE, "{}", keyboard.bytes.len());
        let pasted = keyboard.feed(PASTE_ENDS);
        assert!(matches!(&pasted[..], [Key::Paste(text)] if text.len() == PASTE));
        let mut keyboard = Keyboard::default();
        keyboard.feed(b"\x1b[");
        keyboard.feed(&[b'1'; 1_000]);
        assert!(keyboard.bytes.len() <= SEQUENCE);
    }
}
