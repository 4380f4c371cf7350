//! To the writer.

use actix::Message;
use mosaic_types::Failure;
use mosaic_types::journal::{Outcome, Write};

/// Asks for one all-or-nothing change. The answer comes after the sync, so what it reports is durable.
///
/// Writes of one sender are carried out in the order they were sent.
#[derive(Debug, Message)]
#[rtype(result = "Result<Outcome, Failure>")]
pub struct Commit(pub Write);
