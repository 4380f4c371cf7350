//! Where a command finds what it asks for: at a daemon, or with none running in the home itself.

use std::sync::Arc;
use std::time::Duration;

use mosaic_store::Store;
use mosaic_types::journal::{Outcome, Write};
use mosaic_types::{Outside, Principal, UserId, UserRole};

use super::client::Client;
use super::{CliError, Common};
use crate::app;
use crate::home::{HomeError, HomeLock};
use crate::outside;

/// So often the lock is tried before its holder is left alone, each time for a [`PAUSE`]: ten seconds, as `mosaic up`
/// waits. In between, the holder may turn out to be a daemon that has come up.
const TRIES: u32 = 20;
const PAUSE: Duration = Duration::from_millis(500);

/// Who answers for a home.
pub(super) enum Reach {
    Daemon(Client),
    /// Nobody else, for as long as the lock is held.
    Alone(HomeLock),
}

impl Reach {
    /// The daemon, if there is one; else the home's lock.
    pub(super) async fn find(common: &Common) -> Result<Self, CliError> {
        let mut left = TRIES;
        loop {
            if let Some(client) = Client::find(common)? {
                return Ok(Self::Daemon(client));
            }
            left -= 1;
            match common.home()?.lock(PAUSE).await {
                Ok(lock) => return Ok(Self::Alone(lock)),
                Err(HomeError::InUse { .. }) if left > 0 => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// What is stored, behind a daemon or opened here.
pub(super) enum Books {
    Daemon(Client),
    Here(Held),
}

impl Books {
    /// Opens the store, unless a daemon has it open.
    pub(super) async fn open(common: &Common) -> Result<Self, CliError> {
        Ok(match Reach::find(common).await? {
            Reach::Daemon(client) => Self::Daemon(client),
            Reach::Alone(lock) => Self::Here(Held::open(common, lock).await?),
        })
    }
}

/// The store of a home on which no daemon runs, and its lock, so that none begins to.
pub(super) struct Held {
    pub(super) store: Arc<dyn Store>,
    pub(super) owner: UserId,
    pub(super) outside: Outside,
    _lock: HomeLock,
}

impl Held {
    async fn open(common: &Common, lock: HomeLock) -> Result<Self, CliError> {
        let config = common.config(lock.home())?;
        let outside = outside::system();
        let store = config.store.place.open().await?;
        let owner = app::owner(&*store, &outside).await?;
        Ok(Self { store, owner, outside, _lock: lock })
    }

    /// Whoever may open the home's files is its owner.
    pub(super) fn principal(&self) -> Principal {
        Principal { user: self.owner, role: UserRole::Owner }
    }

    /// One write, and what became of it.
    pub(super) async fn commit(&self, write: Write) -> Result<Outcome, CliError> {
        let outcome = self.store.commit(vec![write]).await?.pop();
        Ok(outcome.unwrap_or(Err(mosaic_store::StoreError::Closed))?)
    }
}
