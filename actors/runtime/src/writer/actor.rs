//! Gathers what is to be written while a batch is under way, and sends it as the next one: group commit without a
//! timer. Alone, a write goes at once; under load, one sync serves many.

use std::collections::VecDeque;
use std::num::NonZeroUsize;
use std::sync::Arc;

use actix::prelude::*;
use mosaic_messages::Commit;
use mosaic_store::{Store, StoreError};
use mosaic_supervise::{Mailbox, Tether, supervised};
use mosaic_types::journal::{Outcome, Write};
use mosaic_types::{Classify, Code, ErrorClass, Failure, Point};
use tokio::sync::oneshot;
use tokio::time::Instant;
use tracing::{Span, field};

use crate::meters::meters;

/// Writes of one batch, at the most: bounds how long the last to come may wait for one transaction.
const BATCH: usize = 1_024;

/// Who asked for a write.
struct Asker {
    answer: oneshot::Sender<Result<Outcome, Failure>>,
    /// From the queue to the sync. Each write has one below its own turn, so that a trace is whole by itself; one span
    /// for the batch would belong to many turns, and links between traces are what few viewers show.
    span: Span,
}

/// The one writer of the store.
pub struct WriterActor {
    store: Arc<dyn Store>,
    waiting: VecDeque<(Write, Asker)>,
    writing: bool,
    most: usize,
    _tether: Tether,
}

impl WriterActor {
    /// Writes that may be unanswered at once: more than all sessions of a busy daemon have, each with one or two.
    pub const MAILBOX: Mailbox = Mailbox { capacity: 16_384, patience: std::time::Duration::from_secs(5) };

    /// A writer to `store`.
    pub fn new(store: Arc<dyn Store>, tether: Tether) -> Self {
        Self { store, waiting: VecDeque::new(), writing: false, most: BATCH, _tether: tether }
    }

    /// With other batches than usual, for whoever asks what they are worth.
    pub fn in_batches_of(self, most: NonZeroUsize) -> Self {
        Self { most: most.get(), ..self }
    }

    fn next_batch(&mut self, ctx: &mut Context<Self>) {
        if self.writing || self.waiting.is_empty() {
            return;
        }
        self.writing = true;
        let count = self.waiting.len().min(self.most);
        let (writes, askers): (Vec<_>, Vec<_>) = self.waiting.drain(..count).unzip();
        for asker in &askers {
            asker.span.record("db.operation.batch.size", count);
        }
        let meters = meters();
        meters.batch.record(f64::from(u32::try_from(count).unwrap_or(u32::MAX)));
        let begun = Instant::now();
        let commit = self.store.commit(writes);
        ctx.spawn(commit.into_actor(self).map(move |results, actor, ctx| {
            Point::BatchAfterCommit.pass();
            meters.commit.record(begun.elapsed());
            actor.writing = false;
            // The next batch goes first: the disk should not wait while answers are handed out.
            actor.next_batch(ctx);
            answer(askers, results);
        }));
    }
}

fn answer(askers: Vec<Asker>, results: Result<Vec<Result<Outcome, StoreError>>, StoreError>) {
    match results {
        Ok(results) => {
            for (asker, result) in askers.into_iter().zip(results) {
                if let Err(error) = &result
                    && error.class() == ErrorClass::Defect
                {
                    tracing::error!(%error, "a write was refused for good");
                }
                let _ = asker.answer.send(result.map_err(Failure::from));
            }
        }
        Err(error) => {
            tracing::error!(%error, "a batch could not be written");
            meters().commit_failures.increment(1);
            let failure = Failure::from(error);
            for asker in askers {
                let _ = asker.answer.send(Err(failure.clone()));
            }
        }
    }
}

impl Actor for WriterActor {
    type Context = Context<Self>;
}
supervised!(WriterActor);

impl Handler<Commit> for WriterActor {
    type Result = ResponseFuture<Result<Outcome, Failure>>;
    fn handle(&mut self, Commit { write, span }: Commit, ctx: &mut Self::Context) -> Self::Result {
        let (answer, answered) = oneshot::channel();
        let span = tracing::debug_span!(parent: &span, "commit", db.operation.batch.size = field::Empty);
        self.waiting.push_back((write, Asker { answer, span }));
        self.next_batch(ctx);
        Box::pin(async move {
            answered.await.unwrap_or_else(|_| {
                let sentence = "The writer ended before it answered. Send the same request again in a moment.";
                Err(Failure::new(Code::Unavailable, sentence))
            })
        })
    }
}
