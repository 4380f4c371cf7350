//! The handle on a supervisor, to hang children on.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use actix::Message;
use tokio::sync::oneshot;

use crate::control::{Control, Supervised};
use crate::link::{Link, LinkError, Mailbox};
use crate::roll::{OnGone, Roll};
use crate::spec::ChildSpec;
use crate::supervisor::Supervisor;
use crate::tree::{ChildState, ChildView, GetTree, Household, Kind};

/// For so long the tree waits for a supervisor's side of it; one that is held up is shown without children.
const TREE_PATIENCE: Duration = Duration::from_millis(500);

/// A handle on a supervisor over all its lives; cheap to clone.
#[derive(Clone)]
pub struct Parent {
    name: Arc<str>,
    roll: Arc<Roll>,
    link: Link<Supervisor>,
}

impl fmt::Debug for Parent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Parent({})", self.name)
    }
}

/// Asks a supervisor to take in what is new on its roll.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Admit;

/// Passes an order to a child by name.
#[derive(Message)]
#[rtype(result = "bool")]
pub(crate) struct Order {
    pub(crate) child: Arc<str>,
    pub(crate) order: Control,
}

/// Asks a supervisor to stop its children and itself, and to say when that is done.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct StopAll(pub(crate) oneshot::Sender<()>);

impl Parent {
    pub(crate) fn vacant(name: Arc<str>) -> Self {
        Self { name, roll: Arc::default(), link: Link::vacant(Mailbox::default()) }
    }

    pub(crate) fn link(&self) -> &Link<Supervisor> {
        &self.link
    }

    pub(crate) fn roll(&self) -> &Arc<Roll> {
        &self.roll
    }

    /// The supervisor's name.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// Takes in a child and starts it; the link is good at once. The recipe is kept: when the supervisor itself is
    /// reborn, it starts the child again, unless that has ended for good. A temporary child is not kept.
    pub fn adopt<A: Supervised>(&self, spec: ChildSpec<A>) -> Link<A> {
        let link = spec.link();
        self.enter(spec, true, None);
        link
    }

    /// Takes in a child that no later life of the supervisor will know, and says when it has ended for good.
    pub(crate) fn adopt_passing<A: Supervised>(&self, spec: ChildSpec<A>, on_gone: OnGone) {
        self.enter(spec, false, Some(on_gone));
    }

    fn enter<A: Supervised>(&self, spec: ChildSpec<A>, kept: bool, on_gone: Option<OnGone>) {
        let kept = kept && spec.recurs();
        self.roll.add(Box::new(spec), kept, on_gone);
        // One that is between two lives finds the roll when it starts.
        let _ = self.link.control(Admit);
    }

    /// What the supervisor sees of its children, and theirs. Of one that does not live, only that.
    pub async fn tree(&self) -> ChildView {
        let household = self.household().await;
        let state = match (&household, self.link.down()) {
            (Some(_), _) => ChildState::Up,
            (None, Some(_)) => ChildState::Down,
            (None, None) if self.link.is_gone() => ChildState::Gone,
            (None, None) => ChildState::Restarting,
        };
        ChildView {
            name: self.name.clone(),
            kind: Kind::Supervisor,
            state,
            incarnation: 1,
            restarts: 0,
            depth: self.link.depth(),
            oldest_ms: crate::seen::millis(self.link.oldest_wait()),
            last_error: self.link.down(),
            for_ms: household.as_ref().map_or(0, |household| household.lived_ms),
            household,
        }
    }

    /// The supervisor's own side of the tree; `None` where it does not live or does not answer in time.
    pub(crate) async fn household(&self) -> Option<Household> {
        tokio::time::timeout(TREE_PATIENCE, self.link.urge_now(GetTree)).await.ok()?.ok()
    }

    /// Passes an order to the child of that name, or to one below it: `providers/ollama`. `false` where there is none
    /// that lives.
    pub async fn order(&self, child: &str, order: Control) -> bool {
        // Boxed, because a supervisor asks the next one in turn.
        let asked: std::pin::Pin<Box<dyn Future<Output = Result<bool, LinkError>> + Send>> =
            Box::pin(self.link.urge_now(Order { child: child.into(), order }));
        asked.await.unwrap_or(false)
    }

    /// Stops all children, the youngest first, each with the time of its spec, then the supervisor. Meant for the
    /// root: a supervisor below it is a child like any other, and comes back where it is permanent.
    pub async fn stop(&self) {
        let (tell, told) = oneshot::channel();
        if self.link.control(StopAll(tell)).is_ok() {
            let _ = told.await;
        }
    }

    /// Children that run.
    pub async fn alive(&self) -> usize {
        self.tree().await.children().iter().filter(|child| child.state == ChildState::Up).count()
    }
}
