//! `mosaic tui` in a terminal without anybody before it: keys are pressed, and what is drawn is read.

mod both;
mod deeds;
mod drafts;
mod faults;
mod shared;
mod terminal;

use mosaic_testkit::Pty;

use crate::testbed::Testbed;

/// Ctrl and a letter, as a terminal sends them.
fn ctrl(letter: char) -> String {
    char::from(u8::try_from(letter).expect("a letter") & 0x1f).to_string()
}

/// The client in a terminal of that size.
fn open(bed: &Testbed, args: &[&str], columns: u16, rows: u16) -> Pty {
    let command = bed.command(&[&["tui"], args].concat());
    Pty::start(&command, columns, rows).expect("a terminal")
}

/// The client, once it is connected.
async fn connected(bed: &Testbed, args: &[&str]) -> Pty {
    let pty = open(bed, args, 80, 24);
    online(&pty).await;
    pty
}

/// Waits until the client is connected.
async fn online(pty: &Pty) {
    pty.until("a connection", |screen| screen.lines().last().is_some_and(|line| line.starts_with(" ●"))).await;
}

/// Leaves, and looks whether the terminal is as it was.
async fn leave(mut pty: Pty) {
    pty.press(&ctrl('q'));
    let status = pty.ended().await;
    assert_eq!(status.code(), Some(0), "{}", pty.screen());
    restored(&pty).await;
}

/// Waits until the terminal is as it was before the client took it.
async fn restored(pty: &Pty) {
    let good = |_: &str| {
        pty.with(|screen| {
            let mouse = screen.mouse_protocol_mode() == vt100::MouseProtocolMode::None;
            mouse && !screen.alternate_screen() && !screen.hide_cursor() && !screen.bracketed_paste()
        })
    };
    pty.until("the terminal is as it was", good).await;
    assert!(!pty.is_raw(), "keys are taken line by line again");
}
