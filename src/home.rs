//! The home: the folder where one daemon keeps what is its own, and the lock that makes it one.
//!
//! ```text
//! HOME/lock          held while a daemon lives; names its holder
//! HOME/daemon.json   where the daemon answers; believed only while the lock is held
//! HOME/token         the owner's token for the command line
//! HOME/login.json    the daemon elsewhere that commands talk to, with the token for it
//! HOME/config.toml   settings, if there are any
//! HOME/keys/NAME     keys of providers
//! HOME/till          what calls may have cost that are not in the ledger yet
//! HOME/tui.log       what `mosaic tui` and a daemon of its own would say on stderr
//! HOME/drafts/       what was typed in `mosaic tui` and not sent
//! ```
//!
//! What is secret is born with its permissions: no file is ever open to others, not even for a moment.

mod drafts;
mod lock;
mod login;
#[cfg(all(test, unix))]
mod tests;
mod write;

use std::fs::{self, File, TryLockError};
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use etcetera::BaseStrategy;
use mosaic_types::Secret;
use serde::{Deserialize, Serialize};

use crate::config::Env;

pub(crate) use drafts::{Draft, Drafts};
pub use lock::HomeLock;
pub use login::Login;
pub use write::{append_private, write_private};

/// The variable that names the home.
pub const HOME_VARIABLE: &str = "MOSAIC_HOME";

/// A running daemon, as `daemon.json` and the lock tell it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Daemon {
    pub pid: u32,
    /// `None` until it listens.
    pub address: Option<SocketAddr>,
    /// SHA-256 of its certificate in hex, where it speaks TLS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cert_sha256: Option<String>,
}

impl Daemon {
    /// Where it answers, as in `http://127.0.0.1:14242`; `None` until it listens.
    pub fn url(&self) -> Option<String> {
        let scheme = if self.cert_sha256.is_some() { "https" } else { "http" };
        self.address.map(|address| format!("{scheme}://{address}"))
    }
}

/// Why the home cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum HomeError {
    #[error("no home folder is known for this user; name one with --home or {HOME_VARIABLE}")]
    Unknown,
    #[error("cannot {what} {path}: {source}")]
    Io { what: &'static str, path: PathBuf, source: io::Error },
    #[error("{home} is in use by {}", describe(.holder.as_ref()))]
    InUse { home: PathBuf, holder: Option<Daemon> },
}

fn describe(holder: Option<&Daemon>) -> String {
    match holder.map(|daemon| (daemon.pid, daemon.url())) {
        Some((pid, Some(url))) => format!("another daemon (pid {pid}, {url})"),
        Some((pid, None)) => format!("another daemon (pid {pid})"),
        None => "another process".to_owned(),
    }
}

/// Says what was being done when the system refused.
fn refused(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> HomeError {
    move |source| HomeError::Io { what, path: path.to_owned(), source }
}

/// The home folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Home(PathBuf);

impl Home {
    /// Finds the home and makes the folder, for its owner alone, if it is not there. `flag` goes before `MOSAIC_HOME`,
    /// and that before the platform's data folder.
    pub fn open(flag: Option<&Path>, env: &Env) -> Result<Self, HomeError> {
        let home = Self::locate(flag, env)?;
        write::make_private_folder(&home.0).map_err(refused("make the home folder", &home.0))?;
        Ok(home)
    }

    /// Finds the home without touching it. The path is absolute, whatever the working folder becomes.
    pub fn locate(flag: Option<&Path>, env: &Env) -> Result<Self, HomeError> {
        let named = flag.map(Path::to_owned).or_else(|| env.get(HOME_VARIABLE).map(PathBuf::from));
        let path = match named {
            Some(path) => path,
            None => etcetera::base_strategy::choose_native_strategy()
                .map_err(|_| HomeError::Unknown)?
                .data_dir()
                .join("mosaic"),
        };
        std::path::absolute(&path).map(Self).map_err(refused("find", &path))
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The owner's token, if a daemon has made one. Offer it only to [`Home::daemon`].
    pub fn token(&self) -> Result<Option<Secret>, HomeError> {
        let path = self.0.join("token");
        match fs::read_to_string(&path) {
            Ok(text) if text.trim().is_empty() => Ok(None),
            Ok(text) => Ok(Some(Secret::new(text.trim()))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(refused("read", &path)(error)),
        }
    }

    /// The daemon that runs on this home and listens. Another that left its `daemon.json` behind is not believed: the
    /// lock must be held, and by the process that wrote the file.
    pub fn daemon(&self) -> Option<Daemon> {
        let lock = File::open(self.lock_path()).ok()?;
        // Shared, so that two who ask at once do not take each other for a daemon.
        match lock.try_lock_shared() {
            Err(TryLockError::WouldBlock) => {}
            Ok(()) | Err(TryLockError::Error(_)) => return None,
        }
        let daemon: Daemon = serde_json::from_str(&fs::read_to_string(self.daemon_path()).ok()?).ok()?;
        let holder = self.holder()?;
        (holder.pid == daemon.pid && daemon.address.is_some()).then_some(daemon)
    }

    /// Who wrote its name into the lock last.
    fn holder(&self) -> Option<Daemon> {
        serde_json::from_str(&fs::read_to_string(self.lock_path()).ok()?).ok()
    }

    fn lock_path(&self) -> PathBuf {
        self.0.join("lock")
    }

    fn daemon_path(&self) -> PathBuf {
        self.0.join("daemon.json")
    }
}
