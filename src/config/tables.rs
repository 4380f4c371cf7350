//! Tables of the top floor that are too small for a room of their own.

use std::path::Path;
use std::time::Duration;

use mosaic_providers::config::KeySource;
use mosaic_store::{Place, StoreError};
use mosaic_types::Secret;
use mosaic_types::settings::Section;
use tracing::Level;

use super::{Env, keys};

/// The database's file, relative to the home.
const STORE_URL: &str = "sqlite://mosaic.db";

/// What running turns get to finish when the daemon stops; init systems and container engines kill after some tens of
/// seconds.
const GRACE: Duration = Duration::from_secs(30);

/// Where PostgreSQL's own programs look for a password, unless another variable or file is named.
const PASSWORD: &str = "PGPASSWORD";

/// `[store]`: where everything durable is kept.
#[derive(Debug, Clone)]
pub struct StoreConfig {
    /// The database, with what it takes to reach it.
    pub place: Place,
}

impl StoreConfig {
    pub(super) fn read(section: &Section<'_>, home: &Path, env: &Env) -> Self {
        let url = section.text("url", STORE_URL);
        // A file only: what is in memory would be lost, and SQLite's parameters could undo what it is opened with.
        let odd = url.strip_prefix("sqlite:").is_some_and(|rest| {
            rest.strip_prefix("//").is_none_or(|file| file.is_empty() || file.starts_with(':') || file.contains('?'))
        });
        let place = if odd { Err(None) } else { Place::parse(&url, home).map_err(Some) };
        let place = place.unwrap_or_else(|error| {
            section.wrong(
                "url",
                match error {
                    Some(StoreError::Url(why)) if is_postgres(&url) => why,
                    _ => WANTED.to_owned(),
                },
            );
            Place::parse(STORE_URL, home).expect("the default is good")
        });
        let password = password(section, home, env);
        if !place.is_server() {
            for key in ["password_env", "password_file"] {
                if section.given(key) && !is_postgres(&url) {
                    section.wrong(key, "a SQLite file has no password; remove the line");
                }
            }
        }
        Self { place: password.map_or(place.clone(), |password| place.with_password(&password)) }
    }
}

/// What `url` may say.
const WANTED: &str = "a file is wanted, as in \"sqlite://mosaic.db\" (in the home) or \
                      \"sqlite:///var/lib/mosaic.db\", or a server, as in \"postgres://mosaic@localhost/mosaic\"";

fn is_postgres(url: &str) -> bool {
    url.starts_with("postgres://") || url.starts_with("postgresql://")
}

/// The password of a server: from the variable or file that is named, else from `PGPASSWORD`, else none.
fn password(section: &Section<'_>, home: &Path, env: &Env) -> Option<Secret> {
    let (key, source) = match (section.opt_text("password_env"), section.opt_text("password_file")) {
        (Some(_), Some(_)) => {
            section.wrong("password_file", "set this or \"password_env\", not both");
            return None;
        }
        (Some(name), None) => ("password_env", KeySource::Variable(name)),
        (None, Some(path)) => ("password_file", KeySource::File(path)),
        (None, None) => return env.get(PASSWORD).map(Secret::new),
    };
    keys::password(&source, home, env).map_err(|right| section.wrong(key, right)).ok()
}

/// `[bus]`: what joins several daemons into one; in this build, nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BusConfig;

impl BusConfig {
    pub(super) fn read(section: &Section<'_>) -> Self {
        if !section.text("url", "").is_empty() {
            section.wrong("url", "joining several daemons is not in this build yet; leave it empty");
        }
        Self
    }
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line, for machines.
    Json,
}

/// `[log]`: what is written to stderr.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogConfig {
    /// This and everything graver.
    pub level: Level,
    pub format: LogFormat,
}

impl LogConfig {
    pub(super) fn read(section: &Section<'_>) -> Self {
        let levels = [
            ("info", Level::INFO),
            ("error", Level::ERROR),
            ("warn", Level::WARN),
            ("debug", Level::DEBUG),
            ("trace", Level::TRACE),
        ];
        Self {
            level: section.one_of("level", &levels),
            format: section.one_of("format", &[("text", LogFormat::Text), ("json", LogFormat::Json)]),
        }
    }
}

/// `[shutdown]`: how the daemon stops.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShutdownConfig {
    /// Time for running turns to finish; what is left resumes after the next start.
    pub grace: Duration,
}

impl ShutdownConfig {
    pub(super) fn read(section: &Section<'_>) -> Self {
        Self { grace: section.span("grace", GRACE, Duration::ZERO..=Duration::from_secs(3600)) }
    }
}
