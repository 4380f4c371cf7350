//! The shell: a temporary actor that lives as long as its turn.

use std::sync::Arc;

use actix::prelude::*;
use mosaic_messages::{PartEnded, RunEnded, ToolEnded};
use mosaic_supervise::{ChildExited, Tether, marked, supervised};
use mosaic_types::{Code, Failure, TurnId};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use super::books::Books;
use super::course::{self, Ended};
use super::order::RunOrder;
use super::sink::{Piece, Sink};
use super::tools;
use crate::agent::AgentProfile;
use crate::doors::Doors;
use crate::lease::Lease;
use crate::provider::Providers;

/// The session that asked for a run.
pub struct Keeper {
    pub turn: TurnId,
    pub attempt: u32,
    /// Hears how it ended.
    pub told: Recipient<RunEnded>,
    /// Hears of parts that are known.
    pub parts: Recipient<PartEnded>,
    /// Hears what tools said.
    pub tools: Recipient<ToolEnded>,
    /// Where entries of the ledger are written ahead of calls.
    pub doors: Arc<Doors>,
    /// Hears that it died.
    pub watcher: Recipient<ChildExited>,
    /// Is cancelled when the session lets go of the run, by will or by death.
    pub wanted: CancellationToken,
}

/// One run of an agent.
pub struct RunActor {
    work: Option<(Arc<AgentProfile>, Providers, RunOrder)>,
    /// Dropped with the actor, not with its work.
    _lease: Option<Lease>,
    _tether: Tether,
}

impl RunActor {
    /// Starts a run on this thread's arbiter.
    pub(crate) fn begin(profile: Arc<AgentProfile>, providers: Providers, mut order: RunOrder, tether: Tether) {
        let tether = match &order.keeper {
            Some(keeper) => tether.watched_by(keeper.watcher.clone()),
            None => tether,
        };
        let lease = order.lease.take();
        Self { work: Some((profile, providers, order)), _lease: lease, _tether: tether }.start();
    }
}

impl Actor for RunActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        let Some((profile, providers, mut order)) = self.work.take() else { return };
        let (work, keeper) = (order.work.take(), order.keeper.take());
        let attempt = keeper.as_ref().map(|keeper| keeper.attempt);
        // Both are entered: where the run's own is below the log's level, a line still names its turn.
        let turn = order.span.clone();
        let span = tracing::debug_span!(parent: &turn, "agent.run", agent.name = %profile.name, turn.attempt = attempt);
        let work = async move {
            let wanted = keeper.as_ref().map(|keeper| keeper.wanted.clone());
            let caller = order.sink.clone();
            if let (Some(work), Some(keeper)) = (work, &keeper) {
                // Tools are told of one by one, and cost nothing.
                tokio::select! {
                    biased;
                    () = unwanted(wanted, &caller) => {}
                    () = tools::run(&profile, &order, work, keeper) => {}
                }
                return;
            }
            let books = Books::open(&order, keeper.as_ref(), &profile);
            let result = tokio::select! {
                biased;
                () = unwanted(wanted, &caller) => None,
                result = course::run(&profile, &providers, &order, &books) => result,
            };
            if let Some(result) = result {
                report(keeper, &order.sink, result, books).await;
            }
        };
        let work = marked::<Self, RunOrder, _>(work.instrument(span).instrument(turn));
        ctx.spawn(work.into_actor(self).map(|(), _, ctx| ctx.stop()));
    }
}
supervised!(RunActor);

/// Resolves when nobody wants the answer any more.
async fn unwanted(wanted: Option<CancellationToken>, sink: &Sink) {
    match (wanted, sink) {
        (Some(wanted), _) => wanted.cancelled().await,
        (None, Sink::Caller(caller)) => caller.closed().await,
        (None, Sink::Session { .. }) => std::future::pending().await,
    }
}

async fn report(keeper: Option<Keeper>, sink: &Sink, result: Result<Ended, Failure>, books: Books) {
    if let Some(keeper) = keeper {
        let (beside, parts, dues) = books.close();
        let (result, asked) = match result {
            Ok(Ended { turn, asked }) => (Ok(turn), asked),
            Err(failure) => (Err(failure), Vec::new()),
        };
        let end = RunEnded { turn: keeper.turn, attempt: keeper.attempt, result, asked, parts, beside, dues };
        tell(&keeper.told, end);
    } else if let (Sink::Caller(caller), Err(failure)) = (sink, result) {
        let _ = caller.send(Piece::Failed(failure)).await;
    }
}

/// Tells a session what became of a run, of a part or of a tool's call: one message each.
#[allow(clippy::disallowed_methods)] // one that is refused would leave the turn hanging, or be paid for twice
pub(super) fn tell<M>(to: &Recipient<M>, message: M)
where
    M: Message + Send,
    M::Result: Send,
{
    to.do_send(message);
}

/// The failure of a stateless call whose run died.
pub fn died() -> Failure {
    Failure::new(Code::Crashed, "The run that made this answer crashed. Sending the request again is safe.")
}
