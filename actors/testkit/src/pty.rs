//! A terminal without anybody before it: a program runs in it, what it draws is read, and keys are pressed.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::process::ExitStatus;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcgetattr, tcsetwinsize};
use tokio::process::{Child, Command};
use tokio::sync::Notify;

/// How long something may take to be seen.
const PATIENCE: Duration = Duration::from_secs(30);
/// Bytes that are kept of what was written, the newest.
const KEPT: usize = 4 << 20;

struct Seen {
    parser: Mutex<vt100::Parser>,
    raw: Mutex<Vec<u8>>,
    changed: Notify,
}

/// A pseudo-terminal with a program in it.
pub struct Pty {
    master: Option<File>,
    slave: OwnedFd,
    /// The thread that reads, and what it ends by when it is dropped.
    reader: Option<(std::thread::JoinHandle<()>, OwnedFd)>,
    child: Child,
    seen: Arc<Seen>,
}

impl Pty {
    /// Runs a program in a terminal of that size, as the leader of a session of its own, so that it hears the terminal
    /// hang up.
    ///
    /// # Errors
    /// The system has no terminal left, or the program cannot be started.
    pub fn start(command: &Command, columns: u16, rows: u16) -> io::Result<Self> {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
        grantpt(&master)?;
        unlockpt(&master)?;
        let name = ptsname(&master, Vec::new())?;
        let path = name.to_str().map_err(io::Error::other)?;
        let slave = std::fs::OpenOptions::new().read(true).write(true).open(path)?;
        tcsetwinsize(&slave, size(columns, rows))?;

        let inner = command.as_std();
        let mut outer = Command::new("setsid");
        outer.arg("--ctty").arg(inner.get_program()).args(inner.get_args());
        outer.env_clear();
        outer.envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?)))).env("TERM", "xterm-256color");
        outer.stdin(slave.try_clone()?).stdout(slave.try_clone()?).stderr(slave.try_clone()?).kill_on_drop(true);
        let child = outer.spawn()?;

        let seen = Arc::new(Seen {
            parser: Mutex::new(vt100::Parser::new(rows, columns, 0)),
            raw: Mutex::default(),
            changed: Notify::new(),
        });
        let (reading, told) = (File::from(master.try_clone()?), seen.clone());
        let (end, stop) = rustix::pipe::pipe()?;
        let thread = std::thread::Builder::new().name("pty".to_owned());
        let thread = thread.spawn(move || read(reading, &end, &told))?;
        Ok(Self { master: Some(File::from(master)), slave: slave.into(), reader: Some((thread, stop)), child, seen })
    }

    /// Presses keys, as the bytes that a terminal sends for them.
    ///
    /// # Panics
    /// The terminal was hung up.
    pub fn press(&self, keys: &str) {
        let mut master = self.master.as_ref().expect("it was not hung up");
        master.write_all(keys.as_bytes()).expect("keys can be pressed");
    }

    /// What is to be seen, without blanks at the ends of its lines.
    pub fn screen(&self) -> String {
        let parser = self.seen.parser.lock().unwrap_or_else(PoisonError::into_inner);
        let text = parser.screen().contents();
        text.lines().map(|line| line.trim_end().to_owned() + "\n").collect()
    }

    /// Looks at the terminal's state.
    pub fn with<T>(&self, look: impl FnOnce(&vt100::Screen) -> T) -> T {
        look(self.seen.parser.lock().unwrap_or_else(PoisonError::into_inner).screen())
    }

    /// All that was written, as it was written.
    pub fn raw(&self) -> Vec<u8> {
        self.seen.raw.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until the screen is as it should be.
    ///
    /// # Panics
    /// It does not become so in 30 s.
    pub async fn until(&self, what: &str, mut good: impl FnMut(&str) -> bool) -> String {
        let watching = async {
            loop {
                let changed = self.seen.changed.notified();
                let screen = self.screen();
                if good(&screen) {
                    return screen;
                }
                changed.await;
            }
        };
        match tokio::time::timeout(PATIENCE, watching).await {
            Ok(screen) => screen,
            Err(_) => panic!("in vain for {PATIENCE:?}: {what}; the screen is\n{}", self.screen()),
        }
    }

    /// Waits until the text is to be seen.
    pub async fn sees(&self, text: &str) -> String {
        self.until(text, |screen| screen.contains(text)).await
    }

    /// Gives the terminal another size.
    pub fn resize(&self, columns: u16, rows: u16) {
        self.seen.parser.lock().unwrap_or_else(PoisonError::into_inner).screen_mut().set_size(rows, columns);
        tcsetwinsize(&self.slave, size(columns, rows)).expect("a terminal has a size");
    }

    /// Goes away, as a terminal does whose window is closed. What the program still writes is not seen.
    pub fn hang_up(&mut self) {
        if let Some((thread, stop)) = self.reader.take() {
            drop(stop);
            let _ = thread.join();
        }
        self.master = None;
    }

    /// Whether keys reach a program one by one and unseen, as it is while a screen is drawn.
    pub fn is_raw(&self) -> bool {
        use rustix::termios::LocalModes;
        let modes = tcgetattr(self.slave.as_fd()).expect("a terminal has modes");
        !modes.local_modes.contains(LocalModes::ICANON)
    }

    /// The program's process.
    ///
    /// # Panics
    /// It has ended.
    pub fn pid(&self) -> u32 {
        self.child.id().expect("it runs")
    }

    /// CPU that the program used so far, all threads, in steps of 10 ms.
    ///
    /// # Panics
    /// It has ended.
    pub fn cpu(&self) -> Duration {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid())).expect("it runs");
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        let ticks: u64 = [11, 12].iter().filter_map(|field| fields.get(*field)?.parse::<u64>().ok()).sum();
        Duration::from_millis(ticks * 10)
    }

    /// Waits for the program's end.
    ///
    /// # Panics
    /// It does not end in 30 s.
    pub async fn ended(&mut self) -> ExitStatus {
        let ended = tokio::time::timeout(PATIENCE, self.child.wait()).await;
        ended.unwrap_or_else(|_| panic!("it does not end:\n{}", self.screen())).expect("it can be waited for")
    }
}

fn size(columns: u16, rows: u16) -> Winsize {
    Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 }
}

fn read(mut master: File, end: &OwnedFd, seen: &Seen) {
    let mut bytes = [0; 16 << 10];
    loop {
        let mut polled = [PollFd::new(&master, PollFlags::IN), PollFd::new(end, PollFlags::IN)];
        if poll(&mut polled, None).is_err() || !polled[1].revents().is_empty() {
            return;
        }
        let Ok(count @ 1..) = master.read(&mut bytes) else { return };
        seen.parser.lock().unwrap_or_else(PoisonError::into_inner).process(&bytes[..count]);
        let mut raw = seen.raw.lock().unwrap_or_else(PoisonError::into_inner);
        raw.extend_from_slice(&bytes[..count]);
        let over = raw.len().saturating_sub(KEPT);
        raw.drain(..over);
        drop(raw);
        seen.changed.notify_waiters();
    }
}
