//! The actor that answers for its children.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use tokio::time::Instant;

use crate::budget::Budget;
use crate::control::{Control, Supervised};
use crate::link::Link;
use crate::spec::{Absence, Birth, ChildSpec, Recipe};
use crate::state::{State, Verdict};
use crate::tether::{ChildExited, ChildId, Exit, Tether};
use crate::tree::{ChildState, ChildView, GetTree};

/// For so long a child that was told to stop may take before the next one is told.
const STOP_PATIENCE: Duration = Duration::from_secs(5);

/// Whose restart budget an end is charged to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// All children share one; spent, the supervisor itself ends and its parent hears of it.
    Shared(Budget),
    /// Each child has its own; spent, that child goes down and is tried again after a rest.
    Each(Budget),
}

type OnGone = Box<dyn Fn(ChildId) + Send>;

/// Starts children from their recipes, hears how they end, and restarts them under a budget (one for one).
pub struct Supervisor {
    name: Arc<str>,
    state: State,
    recipes: BTreeMap<ChildId, (Box<dyn Recipe>, Option<OnGone>)>,
    exits: BTreeMap<ChildId, Exit>,
    on_escalate: Option<Box<dyn FnOnce(Arc<str>) + Send>>,
    /// Set while stopping: who waits for it, and the children still to be told, first one last.
    farewell: Option<(Vec<ChildId>, Vec<tokio::sync::oneshot::Sender<()>>)>,
}

/// A handle on a running supervisor, to hang children on.
#[derive(Clone)]
pub struct Parent {
    addr: Addr<Supervisor>,
}

impl Supervisor {
    /// Starts a supervisor on this arbiter. `on_escalate` is called once, with the reason, when a shared budget is
    /// spent; `seed` feeds the jitter of restart delays.
    pub fn start_root(
        name: impl Into<Arc<str>>,
        scope: Scope,
        seed: u64,
        on_escalate: impl FnOnce(Arc<str>) + Send + 'static,
    ) -> Parent {
        let supervisor = Self {
            name: name.into(),
            state: State::new(scope, seed),
            recipes: BTreeMap::new(),
            exits: BTreeMap::new(),
            on_escalate: Some(Box::new(on_escalate)),
            farewell: None,
        };
        Parent { addr: supervisor.start() }
    }

    fn begin(&mut self, child: ChildId, ctx: &mut Context<Self>) {
        let Some(incarnation) = self.state.started(child, Instant::now()) else { return };
        if let Some((recipe, _)) = self.recipes.get(&child) {
            let tether = Tether::new(child, incarnation, ctx.address().recipient());
            recipe.start(Birth { tether, incarnation, last_exit: self.exits.remove(&child) });
        }
    }

    fn forget(&mut self, child: ChildId) {
        self.exits.remove(&child);
        if let Some((recipe, on_gone)) = self.recipes.remove(&child) {
            recipe.set(Absence::Gone);
            if let Some(on_gone) = on_gone {
                on_gone(child);
            }
        }
    }

    /// Tells the youngest child that still lives to stop; with none left, ends.
    fn part(&mut self, ctx: &mut Context<Self>) {
        let Some((left, _)) = &mut self.farewell else { return };
        while let Some(child) = left.last().copied() {
            if let Some((recipe, _)) = self.recipes.get(&child)
                && recipe.control(Control::Stop)
            {
                ctx.run_later(STOP_PATIENCE, move |actor, ctx| {
                    if actor.farewell.as_ref().is_some_and(|(left, _)| left.last() == Some(&child)) {
                        tracing::warn!(supervisor = %actor.name, "a child did not stop in time");
                        actor.parted(child, ctx);
                    }
                });
                return;
            }
            left.pop();
        }
        if let Some((_, waiting)) = self.farewell.take() {
            for told in waiting {
                let _ = told.send(());
            }
        }
        ctx.stop();
    }

    fn parted(&mut self, child: ChildId, ctx: &mut Context<Self>) {
        if let Some((left, _)) = &mut self.farewell {
            let was_last = left.last() == Some(&child);
            left.retain(|other| *other != child);
            if was_last {
                self.part(ctx);
            }
        }
    }
}

impl Actor for Supervisor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        // Obituaries and adoptions come from trusted neighbours and must never be refused.
        ctx.set_mailbox_capacity(usize::MAX >> 8);
    }
}

#[derive(Message)]
#[rtype(result = "()")]
struct Adopt {
    recipe: Box<dyn Recipe>,
    on_gone: Option<OnGone>,
}

impl Handler<Adopt> for Supervisor {
    type Result = ();
    fn handle(&mut self, adopt: Adopt, ctx: &mut Self::Context) {
        let child = self.state.adopt(adopt.recipe.name(), adopt.recipe.restart(), Instant::now());
        self.recipes.insert(child, (adopt.recipe, adopt.on_gone));
        if self.farewell.is_some() {
            self.forget(child);
        } else {
            self.begin(child, ctx);
        }
    }
}

impl Handler<ChildExited> for Supervisor {
    type Result = ();
    fn handle(&mut self, end: ChildExited, ctx: &mut Self::Context) {
        let verdict = self.state.exited(end.child, end.incarnation, &end.exit, Instant::now());
        let name = self.recipes.get(&end.child).map(|(recipe, _)| recipe.name());
        if end.exit.is_abnormal() && verdict != Verdict::Nothing {
            tracing::error!(supervisor = %self.name, child = name.as_deref(), exit = ?end.exit, ?verdict, "child ended");
        }
        let set = |actor: &Self, absence| {
            if let Some((recipe, _)) = actor.recipes.get(&end.child) {
                recipe.set(absence);
            }
        };
        match verdict {
            Verdict::Nothing => {}
            Verdict::Forget => {
                self.forget(end.child);
                self.parted(end.child, ctx);
            }
            Verdict::Restart { after } => {
                self.exits.insert(end.child, end.exit);
                if after.is_zero() {
                    self.begin(end.child, ctx);
                } else {
                    set(self, Absence::Restarting);
                    ctx.run_later(after, move |actor, ctx| actor.begin(end.child, ctx));
                }
            }
            Verdict::Rest { after, why } => {
                set(self, Absence::Down(why));
                self.exits.insert(end.child, end.exit);
                ctx.run_later(after, move |actor, ctx| {
                    actor.state.rested(end.child);
                    actor.begin(end.child, ctx);
                });
            }
            Verdict::Escalate { why } => {
                set(self, Absence::Down(why.clone()));
                if let Some(escalate) = self.on_escalate.take() {
                    escalate(why);
                }
            }
        }
    }
}

impl Handler<GetTree> for Supervisor {
    type Result = Vec<ChildView>;
    fn handle(&mut self, _: GetTree, _: &mut Self::Context) -> Vec<ChildView> {
        let now = Instant::now();
        let ids: Vec<_> = self.state.children.keys().copied().collect();
        let restarts: Vec<_> = ids.iter().map(|id| self.state.restarts(*id, now)).collect();
        self.state
            .children
            .values()
            .zip(restarts)
            .map(|(kin, restarts)| ChildView {
                name: kin.name.clone(),
                state: kin.state,
                incarnation: kin.incarnation,
                restarts,
                last_error: kin.last_error.clone(),
                for_ms: u64::try_from(now.duration_since(kin.since).as_millis()).unwrap_or(u64::MAX),
            })
            .collect()
    }
}

/// Passes an order to a child by name.
#[derive(Message)]
#[rtype(result = "bool")]
struct Order {
    child: Arc<str>,
    order: Control,
}

impl Handler<Order> for Supervisor {
    type Result = bool;
    fn handle(&mut self, order: Order, _: &mut Self::Context) -> bool {
        let named = self.recipes.values().find(|(recipe, _)| recipe.name() == order.child);
        named.is_some_and(|(recipe, _)| recipe.control(order.order))
    }
}

#[derive(Message)]
#[rtype(result = "()")]
struct StopAll(tokio::sync::oneshot::Sender<()>);

impl Handler<StopAll> for Supervisor {
    type Result = ();
    fn handle(&mut self, stop: StopAll, ctx: &mut Self::Context) {
        if let Some((_, waiting)) = &mut self.farewell {
            waiting.push(stop.0);
            return;
        }
        self.state.stop();
        let gone: Vec<_> = self.recipes.keys().filter(|id| !self.state.children.contains_key(id)).copied().collect();
        gone.into_iter().for_each(|child| self.forget(child));
        self.farewell = Some((self.state.children.keys().copied().collect(), vec![stop.0]));
        self.part(ctx);
    }
}

#[allow(clippy::disallowed_methods)] // the supervisor's own mailbox has no bound, see `started`
impl Parent {
    /// Takes in a child and starts it; the link is good at once.
    pub fn adopt<A: Supervised>(&self, spec: ChildSpec<A>) -> Link<A> {
        let link = spec.link();
        self.addr.do_send(Adopt { recipe: Box::new(spec), on_gone: None });
        link
    }

    /// As [`adopt`](Self::adopt), and says when the child has ended for good.
    pub(crate) fn adopt_watched<A: Supervised>(&self, spec: ChildSpec<A>, on_gone: OnGone) {
        self.addr.do_send(Adopt { recipe: Box::new(spec), on_gone: Some(on_gone) });
    }

    /// What the supervisor sees of its children; empty when it has ended.
    pub async fn tree(&self) -> Vec<ChildView> {
        self.addr.send(GetTree).await.unwrap_or_default()
    }

    /// Passes an order to the child of that name; `false` where there is none that lives.
    pub async fn order(&self, child: &str, order: Control) -> bool {
        self.addr.send(Order { child: child.into(), order }).await.unwrap_or(false)
    }

    /// Stops all children, the youngest first, each with 5 s of patience, then the supervisor.
    pub async fn stop(&self) {
        let (told, stopped) = tokio::sync::oneshot::channel();
        self.addr.do_send(StopAll(told));
        drop(stopped.await);
    }

    /// Children that run.
    pub async fn alive(&self) -> usize {
        self.tree().await.iter().filter(|child| child.state == ChildState::Up).count()
    }
}
