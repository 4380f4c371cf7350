//! The shell: publishes the profile and knows which runs are under way.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use mosaic_messages::{RunBegan, RunId};
use mosaic_supervise::{ChildExited, Exit, Mailbox, Tether, on_duty, supervised};
use tokio::sync::watch;

use super::profile::AgentProfile;

/// Answers for one agent. Its runs live on the arbiters of those who asked for them and are tethered to it.
pub struct AgentActor {
    profile: Arc<watch::Sender<Arc<AgentProfile>>>,
    runs: HashSet<RunId>,
    _tether: Tether,
}

impl AgentActor {
    /// Bounds what waits for the agent itself; the work of its runs does not pass through here.
    pub const MAILBOX: Mailbox = Mailbox { capacity: 1_024, patience: Duration::from_secs(5) };

    /// An agent that publishes through `profile`.
    pub fn new(profile: Arc<watch::Sender<Arc<AgentProfile>>>, tether: Tether) -> Self {
        Self { profile, runs: HashSet::new(), _tether: tether }
    }
}

impl Actor for AgentActor {
    type Context = Context<Self>;
}
supervised!(AgentActor);

impl Handler<RunBegan> for AgentActor {
    type Result = ();
    fn handle(&mut self, began: RunBegan, _: &mut Self::Context) {
        self.runs.insert(began.run);
    }
}

impl Handler<ChildExited> for AgentActor {
    type Result = ();
    fn handle(&mut self, end: ChildExited, _: &mut Self::Context) {
        let _duty = on_duty::<Self, ChildExited>();
        self.runs.remove(&RunId(end.child.0));
        if end.exit == Exit::Panicked {
            tracing::error!(agent.name = %self.profile.borrow().name, "a run panicked");
        }
    }
}
