//! A message that is being changed.

use mosaic_types::Seq;

use crate::tui::file::File;

/// A message that is being changed, and what was put aside for it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Editing {
    pub(crate) seq: Seq,
    pub(crate) draft: String,
    pub(crate) files: Vec<File>,
    /// Its own files are on their way.
    pub(crate) fetching: bool,
}
