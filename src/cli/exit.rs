//! How a command ends, in a number for programs and a sentence for people.

use mosaic_types::{Classify, Code, ErrorClass, Failure};

use super::output::note;
use crate::app::StartError;
use crate::config::ConfigError;
use crate::config::edit::EditError;
use crate::home::HomeError;

/// Why a command did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// The work failed: exit code 1.
    #[error("{0}")]
    Failed(String),
    /// The command was used wrongly: exit code 2.
    #[error("{0}")]
    Usage(String),
    /// The config is bad: exit code 64.
    #[error("{0}")]
    Config(#[from] ConfigError),
    /// The home or the port is in use, or the daemon cannot be reached: exit code 69.
    #[error("{0}")]
    Unavailable(String),
    /// The root's restart budget is spent: exit code 70.
    #[error("Mosaic gave up: {0}. The log has the cause; whoever started Mosaic should start it again.")]
    GaveUp(String),
    /// Everything that had to be said was said: exit code 1.
    #[error("")]
    Told,
    /// Whoever reads stdout wants no more of it: exit code 0.
    #[error("")]
    Enough,
}

impl CliError {
    /// The exit code.
    pub fn code(&self) -> u8 {
        match self {
            Self::Enough => 0,
            Self::Failed(_) | Self::Told => 1,
            Self::Usage(_) => 2,
            Self::Config(_) => 64,
            Self::Unavailable(_) => 69,
            Self::GaveUp(_) => 70,
        }
    }

    /// Tells the person, on stderr.
    pub(super) fn print(&self) {
        match self {
            Self::Told | Self::Enough => {}
            Self::Config(ConfigError::Mistakes(mistakes)) => note(&mistakes.to_string()),
            other => note(&format!("mosaic: {other}")),
        }
    }
}

impl From<HomeError> for CliError {
    fn from(error: HomeError) -> Self {
        match error {
            HomeError::InUse { .. } => Self::Unavailable(error.to_string()),
            other => Self::Failed(other.to_string()),
        }
    }
}

impl From<StartError> for CliError {
    fn from(error: StartError) -> Self {
        match error {
            StartError::Store(error) => error.into(),
            other => Self::Failed(other.to_string()),
        }
    }
}

impl From<EditError> for CliError {
    fn from(error: EditError) -> Self {
        Self::Failed(error.to_string())
    }
}

impl From<mosaic_store::StoreError> for CliError {
    fn from(error: mosaic_store::StoreError) -> Self {
        // The sentence says what to do; what exactly was wrong is for the log.
        use mosaic_store::StoreError;
        let away = matches!(error, StoreError::Away(_) | StoreError::Unknown);
        if away || matches!(error.class(), ErrorClass::Defect) || matches!(error, StoreError::Io(_)) {
            tracing::warn!(%error, "the store failed");
        }
        let sentence = Failure::from(error).message.into_owned();
        if away { Self::Unavailable(sentence) } else { Self::Failed(sentence) }
    }
}

impl From<Failure> for CliError {
    fn from(failure: Failure) -> Self {
        match failure.code {
            Code::Unavailable | Code::Draining => Self::Unavailable(failure.message.into_owned()),
            _ => Self::Failed(failure.message.into_owned()),
        }
    }
}
