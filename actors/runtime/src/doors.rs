//! What an actor of this floor may use of the rest.

use std::sync::Arc;

use mosaic_messages::Commit;
use mosaic_store::Store;
use mosaic_supervise::{Link, LinkError};
use mosaic_tools::Tools;
use mosaic_types::journal::{Outcome, Write};
use mosaic_types::{Code, Failure, Outside};
use tracing::Span;

use crate::agent::Agents;
use crate::alone::Alone;
use crate::budget::Budgets;
use crate::drain::Work;
use crate::events::Hub;
use crate::lease::Leases;
use crate::outbox::Outbox;
use crate::provider::Providers;
use crate::routing::Routing;
use crate::session::Loads;
use crate::till::Till;
use crate::writer::WriterActor;

/// Everything a session needs beside itself; cheap to clone.
#[derive(Clone)]
pub struct Doors {
    pub outside: Outside,
    /// For reading; what is written goes through `writer`.
    pub store: Arc<dyn Store>,
    pub writer: Link<WriterActor>,
    pub hub: Hub,
    pub agents: Agents,
    pub providers: Providers,
    /// Which sessions a run holds.
    pub leases: Leases,
    /// Where turns wait that begin alone.
    pub alone: Alone,
    /// What must go out to platforms.
    pub outbox: Outbox,
    /// How many sessions are read into memory at once.
    pub loads: Loads,
    pub work: Work,
    /// Where calls are paid for that are no turn's own answer.
    pub till: Till,
    /// What may be spent.
    pub budgets: Budgets,
    /// Which models answer.
    pub routing: Routing,
    /// What models may ask for, as far as their agents allow it.
    pub tools: Tools,
}

impl Doors {
    /// Has `write` carried out, as part of the current span.
    ///
    /// # Errors
    /// The store's own failure, after which nothing was changed; or `unavailable`, after which it is not known.
    pub async fn commit(&self, write: Write) -> Result<Outcome, Failure> {
        let delivers = match &write {
            Write::End(end) => end.delivers,
            // What waited behind its items goes on.
            Write::Delete { .. } => true,
            _ => false,
        };
        let asked = self.writer.ask(Commit { write, span: Span::current() }).await;
        if delivers {
            self.outbox.ring();
        }
        asked.unwrap_or_else(|error| Err(unreached("the writer", &error)))
    }
}

/// The failure that a person is told when an actor could not be reached.
pub fn unreached(who: &str, error: &LinkError) -> Failure {
    let wait = std::time::Duration::from_secs(1);
    match error {
        LinkError::Full => {
            Failure::new(Code::Busy, format!("{who} has too much to do already. Try again in a moment."))
        }
        LinkError::Down(why) => Failure::new(
            Code::Unavailable,
            format!("{who} is down ({why}). It is tried again every minute; `mosaic tree` shows it."),
        ),
        LinkError::Restarting | LinkError::Gone | LinkError::Died => Failure::new(
            Code::Unavailable,
            format!("{who} is restarting. Send the same request again in a moment; nothing is done twice."),
        ),
    }
    .after(wait)
}
