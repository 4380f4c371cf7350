//! What is wrong with a setting, told so that it can be put right.

use std::fmt;
use std::sync::Arc;

/// Where a value was written.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// Nowhere: no file was read.
    Defaults,
    /// The file as a whole, where something is missing from it.
    File(Arc<str>),
    /// Lines and columns count from 1.
    Line { file: Arc<str>, line: usize, column: Option<usize> },
    /// An environment variable.
    Variable(Arc<str>),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Defaults => f.write_str("settings"),
            Self::File(file) => f.write_str(file),
            Self::Line { file, line, column: None } => write!(f, "{file}:{line}"),
            Self::Line { file, line, column: Some(column) } => write!(f, "{file}:{line}:{column}"),
            Self::Variable(name) => f.write_str(name),
        }
    }
}

/// One mistake. Prints as one line and never shows a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    pub place: Place,
    /// The dotted key, as in `gateway.bind`; empty where the file cannot be parsed.
    pub key: String,
    /// What was found.
    pub found: String,
    /// What would be right; empty where `found` says it all.
    pub right: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.place)?;
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.found)?;
        if !self.right.is_empty() {
            write!(f, "; {}", self.right)?;
        }
        Ok(())
    }
}

/// Every mistake of one reading, in the order of the file, the environment last. Prints one line each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistakes(Vec<Mistake>);

impl Mistakes {
    /// Puts them in order; what was found twice is told once.
    pub(super) fn new(mut mistakes: Vec<Mistake>) -> Self {
        mistakes.sort_by(|a, b| a.place.cmp(&b.place));
        mistakes.dedup();
        Self(mistakes)
    }

    /// The mistakes one by one; there is at least one.
    pub fn iter(&self) -> impl Iterator<Item = &Mistake> {
        self.0.iter()
    }

    /// How many there are.
    #[allow(clippy::len_without_is_empty)] // never empty
    pub fn len(&self) -> usize {
        self.0.len()
    }
}

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, mistake) in self.0.iter().enumerate() {
            if at > 0 {
                f.write_str("\n")?;
            }
            mistake.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for Mistakes {}
