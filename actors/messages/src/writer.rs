//! To the writer.

use actix::Message;
use mosaic_types::Failure;
use mosaic_types::journal::{Outcome, Write};
use tracing::Span;

/// Asks for one all-or-nothing change. The answer comes after the sync, so what it reports is durable.
///
/// Writes of one sender are carried out in the order they were sent.
#[derive(Debug, Message)]
#[rtype(result = "Result<Outcome, Failure>")]
pub struct Commit {
    pub write: Write,
    /// What the write is part of; its own span, from queue to sync, is a child of it.
    pub span: Span,
}
