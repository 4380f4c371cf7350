//! The lock of the home: whoever holds it is the daemon.

use std::fmt::Write as _;
use std::fs::{self, File, TryLockError};
use std::io::{self, Seek, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use mosaic_types::Secret;
use tokio::time::Instant;

use super::{Daemon, Home, HomeError, refused, write};

/// Pause between two tries. The system cannot wake us when the holder leaves without giving up a thread to wait.
const POLL: Duration = Duration::from_millis(50);

/// The lock, held until it is dropped; also by a crash, since the system frees it with the process.
#[derive(Debug)]
pub struct HomeLock {
    home: Home,
    file: File,
    pid: u32,
}

impl Home {
    /// Takes the lock, waiting for its holder to leave for `patience` at the most. Tries twice at the least, since
    /// whoever looks for a daemon holds it for an instant. Dropping the future gives up.
    pub async fn lock(&self, patience: Duration) -> Result<HomeLock, HomeError> {
        let path = self.lock_path();
        let file = write::open_private(&path).map_err(refused("open", &path))?;
        let deadline = Instant::now() + patience.max(POLL);
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::Error(error)) => return Err(refused("lock", &path)(error)),
                Err(TryLockError::WouldBlock) if Instant::now() < deadline => tokio::time::sleep(POLL).await,
                Err(TryLockError::WouldBlock) => {
                    return Err(HomeError::InUse { home: self.0.clone(), holder: self.holder() });
                }
            }
        }
        // From a daemon that was killed: its address must not be believed now that the lock is held again.
        forget(&self.daemon_path()).map_err(refused("remove", &self.daemon_path()))?;
        let pid = std::process::id();
        let mut lock = HomeLock { home: self.clone(), file, pid };
        lock.sign(&Daemon { pid, address: None, cert_sha256: None }).map_err(refused("write", &path))?;
        Ok(lock)
    }
}

impl HomeLock {
    /// The home that is held.
    pub fn home(&self) -> &Home {
        &self.home
    }

    /// Tells everyone where the daemon listens: in `daemon.json`, and in the lock for those who wait for it.
    /// `cert_sha256` is that of its certificate, where it speaks TLS.
    pub fn announce(&mut self, address: SocketAddr, cert_sha256: Option<String>) -> Result<(), HomeError> {
        let daemon = Daemon { pid: self.pid, address: Some(address), cert_sha256 };
        self.sign(&daemon).map_err(refused("write", &self.home.lock_path()))?;
        let text = serde_json::to_vec(&daemon).expect("numbers and an address are JSON");
        let path = self.home.daemon_path();
        write::write_private(&path, &text).map_err(refused("write", &path))
    }

    /// Takes back what was announced, for the time between the last answer and the end. Dropping does it too.
    pub fn retire(&self) {
        // Not worth failing for: without the lock nobody believes the file.
        let _ = forget(&self.home.daemon_path());
    }

    /// The owner's token; made of `fresh` if there is none yet, and only then.
    pub fn token(&self, fresh: impl FnOnce() -> [u8; 32]) -> Result<Secret, HomeError> {
        if let Some(token) = self.home.token()? {
            return Ok(token);
        }
        let token = fresh().iter().fold(String::with_capacity(64), |mut text, byte| {
            write!(text, "{byte:02x}").expect("a String takes everything");
            text
        });
        let path = self.home.0.join("token");
        write::write_private(&path, token.as_bytes()).map_err(refused("write", &path))?;
        Ok(Secret::new(token))
    }

    /// Writes the holder's name into the lock itself: a new file in its place would be another lock.
    fn sign(&mut self, daemon: &Daemon) -> io::Result<()> {
        let text = serde_json::to_vec(daemon).expect("numbers and an address are JSON");
        self.file.set_len(0)?;
        self.file.rewind()?;
        self.file.write_all(&text)
    }
}

impl Drop for HomeLock {
    fn drop(&mut self) {
        self.retire();
    }
}

fn forget(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
