//! The shell: hears how children ended, asks the state what follows, and does it.

use std::collections::BTreeMap;
use std::sync::Arc;

use actix::prelude::*;
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::control::{Control, Supervised};
use crate::effect::Effect;
use crate::link::{Link, Presence};
use crate::news::{self, News};
use crate::parent::{Admit, Parent, StopAll};
use crate::roll::{Entry, Roll};
use crate::scope::{Scope, Strategy};
use crate::spec::{Absence, Birth};
use crate::state::State;
use crate::tether::{ChildExited, ChildId, Exit, Label, Tether};

/// Who hears of the supervisor's own end.
pub(crate) enum Above {
    /// Nobody: this is the root. Called once, when it ends other than by being stopped.
    World(Option<Box<dyn FnOnce(Arc<str>) + Send>>),
    /// Its own parent, by its tether.
    Parent(Tether),
}

/// Starts children from their recipes, hears how they end, and restarts them under a budget.
pub struct Supervisor {
    news: News,
    pub(crate) state: State,
    pub(crate) began: Instant,
    above: Above,
    /// The way to whichever life of this supervisor there is; weak, because it leads to an address of this one.
    link: Box<dyn Fn() -> Option<Link<Supervisor>> + Send>,
    roll: Arc<Roll>,
    pub(crate) entries: BTreeMap<ChildId, Arc<Entry>>,
    /// How the last life of each child ended, for the next one.
    exits: BTreeMap<ChildId, (Exit, Option<Label>)>,
    /// Why it ends, where it ends by its budget.
    spent: Option<Arc<str>>,
    /// The time of the child that is being stopped, or of the one before.
    patience: Option<SpawnHandle>,
    /// It is to end, or has; what follows is no accident.
    ending: bool,
    /// Told when the last child has ended.
    waiting: Vec<oneshot::Sender<()>>,
}

impl Supervisor {
    /// Starts a supervisor with [`Strategy::OneForOne`] on this arbiter. `on_escalate` is called once, with the reason,
    /// when a shared budget is spent (or the supervisor itself died); then its children are stopped. `seed` feeds the
    /// jitter of restart delays.
    pub fn start_root(
        name: impl Into<Arc<str>>,
        scope: Scope,
        seed: u64,
        on_escalate: impl FnOnce(Arc<str>) + Send + 'static,
    ) -> Parent {
        Self::start_root_with(name, scope, Strategy::default(), seed, on_escalate)
    }

    /// As [`start_root`](Self::start_root), with a strategy.
    pub fn start_root_with(
        name: impl Into<Arc<str>>,
        scope: Scope,
        strategy: Strategy,
        seed: u64,
        on_escalate: impl FnOnce(Arc<str>) + Send + 'static,
    ) -> Parent {
        news::describe();
        let name = name.into();
        let parent = Parent::vacant(name.clone());
        let escalate: Box<dyn FnOnce(Arc<str>) + Send> = Box::new(on_escalate);
        let root = Self::new(name, scope, strategy, seed, &parent, Above::World(Some(escalate)));
        parent.link().set(Presence::Up(root.start()));
        parent
    }

    pub(crate) fn new(name: Arc<str>, scope: Scope, strategy: Strategy, seed: u64, own: &Parent, above: Above) -> Self {
        Self {
            news: News::new(name),
            state: State::new(scope, strategy, seed),
            began: Instant::now(),
            above,
            link: Box::new(own.link().downgrade()),
            roll: own.roll().clone(),
            entries: BTreeMap::new(),
            exits: BTreeMap::new(),
            spent: None,
            patience: None,
            ending: false,
            waiting: Vec::new(),
        }
    }

    fn admit(&mut self, entries: Vec<Arc<Entry>>, ctx: &mut Context<Self>) {
        for entry in entries {
            let (id, recipe) = (entry.id, &entry.recipe);
            let effects = self.state.adopt(id, recipe.name(), recipe.restart(), recipe.lives(), Instant::now());
            self.entries.insert(id, entry);
            self.perform(effects, ctx);
        }
    }

    fn perform(&mut self, effects: Vec<Effect>, ctx: &mut Context<Self>) {
        for effect in effects {
            match effect {
                Effect::Start { child, incarnation } => {
                    let (last_exit, last_handling) = self.exits.remove(&child).unzip();
                    if let Some(entry) = self.entries.get(&child) {
                        self.news.begins(child, &entry.recipe.name(), incarnation);
                        let tether = Tether::unborn(child, incarnation, ctx.address(), (self.link)());
                        entry.recipe.start(Birth {
                            tether,
                            incarnation,
                            last_exit,
                            last_handling: last_handling.flatten(),
                        });
                    }
                }
                Effect::Stop { child, incarnation } => {
                    let Some(entry) = self.entries.get(&child) else { continue };
                    // One that cannot be told has just died: its obituary is on the way.
                    entry.recipe.control(Control::Stop);
                    let patience = ctx.run_later(entry.recipe.stop_within(), move |actor, ctx| {
                        let effects = actor.state.overdue(child, incarnation, Instant::now());
                        actor.perform(effects, ctx);
                    });
                    // One stops at a time. actix looks at every timer each time it looks at the actor, so none is left.
                    if let Some(over) = self.patience.replace(patience) {
                        ctx.cancel_future(over);
                    }
                }
                Effect::Away { child } => self.tell(child, Absence::Restarting),
                Effect::Down { child, why } => {
                    let name = self.entries.get(&child).map(|entry| entry.recipe.name());
                    let incarnation = self.entries.get(&child).map(|entry| entry.recipe.lives());
                    let rest = self.state.scope().budget().rest;
                    self.news.down(child, name.as_deref(), incarnation, &why, rest);
                    self.tell(child, Absence::Down(why));
                }
                Effect::Forget { child } => self.forget(child),
                Effect::Abandon { child } => {
                    let name = self.entries.get(&child).map(|entry| entry.recipe.name());
                    let within = self.entries.get(&child).map(|entry| entry.recipe.stop_within());
                    self.news.abandoned(name.as_deref(), within);
                }
                Effect::Wake { after, wake } => {
                    ctx.run_later(after, move |actor, ctx| {
                        let effects = actor.state.woken(wake, Instant::now());
                        actor.perform(effects, ctx);
                    });
                }
                Effect::Escalate { why } => self.escalate(why),
                Effect::End => {
                    self.ending = true;
                    for told in self.waiting.drain(..) {
                        let _ = told.send(());
                    }
                    ctx.stop();
                }
            }
        }
    }

    fn tell(&self, child: ChildId, absence: Absence) {
        if let Some(entry) = self.entries.get(&child) {
            entry.recipe.set(absence);
        }
    }

    fn forget(&mut self, child: ChildId) {
        self.exits.remove(&child);
        self.news.left(child);
        let Some(entry) = self.entries.remove(&child) else { return };
        if self.ending {
            entry.left(self.left());
        } else {
            self.roll.remove(child);
            entry.gone();
        }
    }

    /// What the links of kept children say when this supervisor has ended.
    fn left(&self) -> Absence {
        match (&self.above, &self.spent) {
            // The parent decides, and tells all of them by the roll.
            (Above::Parent(_), _) => self.roll.verdict(),
            (Above::World(_), Some(why)) => Absence::Down(why.clone()),
            (Above::World(_), None) => Absence::Gone,
        }
    }

    fn escalate(&mut self, why: Arc<str>) {
        self.news.gave_up(&why);
        self.ending = true;
        self.spent = Some(why.clone());
        match &mut self.above {
            Above::World(escalate) => {
                if let Some(escalate) = escalate.take() {
                    escalate(why);
                }
            }
            Above::Parent(tether) => tether.fail(why),
        }
    }

    fn end(&mut self, ctx: &mut Context<Self>) {
        self.ending = true;
        if let Above::World(escalate) = &mut self.above {
            escalate.take(); // an end that was asked for
        }
        let effects = self.state.stop(Instant::now());
        self.perform(effects, ctx);
    }
}

impl Actor for Supervisor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        let all = self.roll.all();
        // Where the last life of this supervisor died, its children may still be about to stop.
        for late in all.iter().filter(|entry| entry.recipe.breathes()) {
            let (id, lives, within) = (late.id, late.recipe.lives(), late.recipe.stop_within());
            self.state.await_end(id);
            ctx.run_later(within, move |actor, ctx| {
                let effects = actor.state.overdue(id, lives, Instant::now());
                actor.perform(effects, ctx);
            });
        }
        self.admit(all, ctx);
    }
}
crate::supervised!(Supervisor, custom);

impl Supervised for Supervisor {
    fn on_stop(&mut self, ctx: &mut Self::Context) {
        self.end(ctx);
    }
}

/// However it ends, it takes its children along: those that still live are told to stop.
impl Drop for Supervisor {
    fn drop(&mut self) {
        let orderly = self.ending && self.entries.is_empty();
        if !orderly && self.spent.is_none() && matches!(self.above, Above::World(_)) {
            self.escalate("the root supervisor itself died".into());
        }
        for entry in std::mem::take(&mut self.entries).into_values().rev() {
            entry.recipe.control(Control::Stop);
            entry.left(self.left());
        }
        if let Above::World(_) = &self.above {
            let left = self.left();
            self.roll.close(&left);
            if let Some(link) = (self.link)() {
                link.set(match left {
                    Absence::Down(why) => Presence::Down(why),
                    _ => Presence::Gone,
                });
            }
        }
    }
}

impl Handler<Admit> for Supervisor {
    type Result = ();
    fn handle(&mut self, _: Admit, ctx: &mut Self::Context) {
        let fresh = self.roll.fresh();
        self.admit(fresh, ctx);
    }
}

impl Handler<ChildExited> for Supervisor {
    type Result = ();
    fn handle(&mut self, end: ChildExited, ctx: &mut Self::Context) {
        let _duty = crate::on_duty::<Self, ChildExited>();
        let effects = self.state.exited(end.child, end.incarnation, &end.exit, Instant::now());
        if effects.is_empty() && !self.state.knows(end.child, end.incarnation) {
            return; // of a life that was abandoned
        }
        let name = self.entries.get(&end.child).map(|entry| entry.recipe.name());
        self.news.ended(name.as_deref(), &end, self.state.wait_of(end.child, &effects));
        self.exits.insert(end.child, (end.exit, end.handling));
        self.perform(effects, ctx);
    }
}

impl Handler<StopAll> for Supervisor {
    type Result = ();
    fn handle(&mut self, stop: StopAll, ctx: &mut Self::Context) {
        self.waiting.push(stop.0);
        self.end(ctx);
    }
}
