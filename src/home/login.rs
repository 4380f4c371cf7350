//! The daemon elsewhere that the commands of a home talk to, and the token for it.

use std::fs;
use std::io;
use std::path::PathBuf;

use mosaic_types::Secret;
use serde::{Deserialize, Serialize};

use super::{Home, HomeError, refused, write_private};

/// Where `mosaic login` logged in.
#[derive(Debug, Clone)]
pub struct Login {
    /// As in `https://mosaic.example.org`, without a slash at its end.
    pub url: String,
    pub token: Secret,
}

/// The same as it stands in the file, which is for its owner alone.
#[derive(Serialize, Deserialize)]
struct Stored<'a> {
    url: std::borrow::Cow<'a, str>,
    token: std::borrow::Cow<'a, str>,
}

impl Home {
    /// The login, if there is one.
    pub fn login(&self) -> Result<Option<Login>, HomeError> {
        let path = self.login_path();
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(refused("read", &path)(error)),
        };
        // What is wrong in it may be the token, so it is not repeated.
        let bad = |_| io::Error::new(io::ErrorKind::InvalidData, "it is no login; `mosaic logout` removes it");
        let stored: Stored<'_> = serde_json::from_str(&text).map_err(bad).map_err(refused("read", &path))?;
        Ok(Some(Login { url: stored.url.into_owned(), token: Secret::new(stored.token) }))
    }

    /// Keeps a login, in place of any before it.
    pub fn log_in(&self, login: &Login) -> Result<(), HomeError> {
        let path = self.login_path();
        let stored = Stored { url: login.url.as_str().into(), token: login.token.expose().into() };
        let text = serde_json::to_vec(&stored).expect("two texts serialise");
        write_private(&path, &text).map_err(refused("write", &path))
    }

    /// Forgets the login; answers whether there was one.
    pub fn log_out(&self) -> Result<bool, HomeError> {
        let path = self.login_path();
        match fs::remove_file(&path) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(refused("remove", &path)(error)),
        }
    }

    fn login_path(&self) -> PathBuf {
        self.path().join("login.json")
    }
}
