//! Tables of the top floor that are too small for a room of their own.

use std::path::{Path, PathBuf};
use std::time::Duration;

use mosaic_types::settings::Section;
use tracing::Level;

/// The database's file, relative to the home.
const STORE_URL: &str = "sqlite://mosaic.db";

/// What running turns get to finish when the daemon stops; init systems and container engines kill after some tens of
/// seconds.
const GRACE: Duration = Duration::from_secs(30);

/// `[store]`: where everything durable is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreConfig {
    /// The SQLite file, an absolute path where the home's is.
    pub path: PathBuf,
}

impl StoreConfig {
    pub(super) fn read(section: &Section<'_>, home: &Path) -> Self {
        let url = section.text("url", STORE_URL);
        let file = url
            .strip_prefix("sqlite://")
            .filter(|file| !file.is_empty() && !file.starts_with(':') && !file.contains('?'));
        if file.is_none() {
            let postgres = url.starts_with("postgres://") || url.starts_with("postgresql://");
            let right = if postgres {
                "PostgreSQL is not in this build yet; use \"sqlite://mosaic.db\""
            } else {
                "a file is wanted, as in \"sqlite://mosaic.db\" (in the home) or \"sqlite:///var/lib/mosaic.db\""
            };
            section.wrong("url", right);
        }
        Self { path: home.join(file.unwrap_or("mosaic.db")) }
    }

    /// As the store wants to be told.
    pub fn url(&self) -> String {
        format!("sqlite://{}", self.path.display())
    }

    /// The folder that holds the database.
    pub fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new("."))
    }
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
